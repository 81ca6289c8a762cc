package kafka

import (
	"context"
	"fmt"
	"strings"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// ACL allows or denies a principal, from a host, an operation on resources. All are Kafka's names in lower case; case,
// dashes and underscores do not count. In a choice of ACLs an empty text is any.
type ACL struct {
	Principal  string `json:"principal"` // User:name, or User:* for everybody
	Host       string `json:"host"`      // an IP address, or *
	Permission string `json:"permission"`
	Operation  string `json:"operation"`
	Resource   string `json:"resource"` // topic, group, cluster, transactional-id
	Name       string `json:"name"`     // of the resource; * is every one
	Pattern    string `json:"pattern"`  // literal, prefixed
}

// numbers are the parts of an ACL as they stand in a request.
type numbers struct {
	resource   kmsg.ACLResourceType
	pattern    kmsg.ACLResourcePatternType
	operation  kmsg.ACLOperation
	permission kmsg.ACLPermissionType
}

func (a *ACL) numbers() (n numbers, err error) {
	or := func(s string) string {
		if s == "" {
			return "any"
		}
		return s
	}
	if n.resource, err = kmsg.ParseACLResourceType(or(a.Resource)); err != nil {
		return n, fmt.Errorf("kafka: unknown kind of resource %q", a.Resource)
	}
	if n.pattern, err = kmsg.ParseACLResourcePatternType(or(a.Pattern)); err != nil {
		return n, fmt.Errorf("kafka: unknown pattern %q: literal and prefixed are known", a.Pattern)
	}
	if n.operation, err = kmsg.ParseACLOperation(or(a.Operation)); err != nil {
		return n, fmt.Errorf("kafka: unknown operation %q: read, write, create, delete, alter, describe, cluster-action, describe-configs, alter-configs, idempotent-write and all are known", a.Operation)
	}
	if n.permission, err = kmsg.ParseACLPermissionType(or(a.Permission)); err != nil {
		return n, fmt.Errorf("kafka: unknown permission %q: allow and deny are known", a.Permission)
	}
	return n, nil
}

// called is a name of the protocol as it is shown.
func called(name fmt.Stringer) string {
	return strings.ReplaceAll(strings.ToLower(name.String()), "_", "-")
}

func (n numbers) acl(principal, host, name string) ACL {
	return ACL{
		Principal: principal, Host: host, Permission: called(n.permission), Operation: called(n.operation),
		Resource: called(n.resource), Name: name, Pattern: called(n.pattern),
	}
}

// optional is a text of a choice.
func optional(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

// wrong is the error of an answer about ACLs, nil if there is none.
func wrong(errorCode int16, message *string) error {
	err := kerr.ErrorForCode(errorCode)
	if err != nil && message != nil {
		return fmt.Errorf("%w: %s", err, *message)
	}
	return err
}

// ListACLs returns those that are chosen, those of a resource together.
func (c *Client) ListACLs(ctx context.Context, chosen ACL) ([]ACL, error) {
	n, err := chosen.numbers()
	if err != nil {
		return nil, err
	}
	req := kmsg.NewPtrDescribeACLsRequest()
	req.ResourceType, req.ResourcePatternType, req.Operation, req.PermissionType = n.resource, n.pattern, n.operation, n.permission
	req.ResourceName, req.Principal, req.Host = optional(chosen.Name), optional(chosen.Principal), optional(chosen.Host)
	resp, err := req.RequestWith(ctx, c.cl)
	if err == nil {
		err = wrong(resp.ErrorCode, resp.ErrorMessage)
	}
	if err != nil {
		return nil, fmt.Errorf("kafka: list ACLs: %w", err)
	}
	list := []ACL{}
	for _, r := range resp.Resources {
		for _, a := range r.ACLs {
			n := numbers{r.ResourceType, r.ResourcePatternType, a.Operation, a.PermissionType}
			list = append(list, n.acl(a.Principal, a.Host, r.ResourceName))
		}
	}
	return list, nil
}

// AddACLs adds ACLs; those that are there already stay. The first that is refused is the error; the others are added.
func (c *Client) AddACLs(ctx context.Context, acls []ACL) error {
	req := kmsg.NewPtrCreateACLsRequest()
	for i := range acls {
		a := &acls[i]
		n, err := a.numbers()
		if err != nil {
			return err
		}
		r := kmsg.NewCreateACLsRequestCreation()
		r.ResourceType, r.ResourcePatternType, r.Operation, r.PermissionType = n.resource, n.pattern, n.operation, n.permission
		r.ResourceName, r.Principal, r.Host = a.Name, a.Principal, a.Host
		req.Creations = append(req.Creations, r)
	}
	resp, err := req.RequestWith(ctx, c.cl)
	if err != nil {
		return fmt.Errorf("kafka: add ACLs: %w", err)
	}
	for i, r := range resp.Results {
		if err := wrong(r.ErrorCode, r.ErrorMessage); err != nil && i < len(acls) {
			return fmt.Errorf("kafka: %s %s of %s %q: %w", acls[i].Permission, acls[i].Operation, acls[i].Resource, acls[i].Name, err)
		}
	}
	return nil
}

// RemoveACLs removes the ACLs that any of the choices chooses, and returns them.
func (c *Client) RemoveACLs(ctx context.Context, chosen []ACL) ([]ACL, error) {
	req := kmsg.NewPtrDeleteACLsRequest()
	for i := range chosen {
		a := &chosen[i]
		n, err := a.numbers()
		if err != nil {
			return nil, err
		}
		f := kmsg.NewDeleteACLsRequestFilter()
		f.ResourceType, f.ResourcePatternType, f.Operation, f.PermissionType = n.resource, n.pattern, n.operation, n.permission
		f.ResourceName, f.Principal, f.Host = optional(a.Name), optional(a.Principal), optional(a.Host)
		req.Filters = append(req.Filters, f)
	}
	resp, err := req.RequestWith(ctx, c.cl)
	if err != nil {
		return nil, fmt.Errorf("kafka: remove ACLs: %w", err)
	}
	removed := []ACL{}
	for _, r := range resp.Results {
		if err := wrong(r.ErrorCode, r.ErrorMessage); err != nil {
			return removed, fmt.Errorf("kafka: remove ACLs: %w", err)
		}
		for _, a := range r.MatchingACLs {
			n := numbers{a.ResourceType, a.ResourcePatternType, a.Operation, a.PermissionType}
			removed = append(removed, n.acl(a.Principal, a.Host, a.ResourceName))
		}
	}
	return removed, nil
}
