package auth

import (
	"fmt"
	"math/bits"
	"net/netip"
	"strings"
	"unicode/utf8"
)

// Resource is a kind of thing that is guarded, by its number in the protocol (KIP-140).
type Resource int8

// The kinds; AnyResource is of filters alone.
const (
	AnyResource     Resource = 1
	Topic           Resource = 2
	Group           Resource = 3
	Cluster         Resource = 4
	TransactionalID Resource = 5
)

// ClusterName is the name of the only resource of the kind Cluster.
const ClusterName = "kafka-cluster"

// Operation is what is done to a resource, by its number in the protocol.
type Operation int8

// The operations; AnyOperation is of filters, All of ACLs alone.
const (
	AnyOperation    Operation = 1
	All             Operation = 2
	Read            Operation = 3
	Write           Operation = 4
	Create          Operation = 5
	Delete          Operation = 6
	Alter           Operation = 7
	Describe        Operation = 8
	ClusterAction   Operation = 9
	DescribeConfigs Operation = 10
	AlterConfigs    Operation = 11
	IdempotentWrite Operation = 12
)

// Operations is a set of operations, with the bits that the protocol gives them (KIP-430).
type Operations uint32

// operations returns the set of ops.
func operations(ops ...Operation) (s Operations) {
	for _, op := range ops {
		s |= 1 << op
	}
	return s
}

// Has reports whether op is in s.
func (s Operations) Has(op Operation) bool { return op >= 0 && op < 32 && s>>op&1 != 0 }

// Each calls f with the operations in s.
func (s Operations) Each(f func(Operation)) {
	for ; s != 0; s &= s - 1 {
		f(Operation(bits.TrailingZeros32(uint32(s))))
	}
}

// supported are the operations there are on each kind of resource.
var supported = map[Resource]Operations{
	Topic:           operations(Read, Write, Create, Delete, Alter, Describe, DescribeConfigs, AlterConfigs),
	Group:           operations(Read, Delete, Describe, DescribeConfigs, AlterConfigs),
	Cluster:         operations(Create, Alter, Describe, ClusterAction, DescribeConfigs, AlterConfigs, IdempotentWrite),
	TransactionalID: operations(Write, Describe),
}

// Supported returns the operations there are on r.
func (r Resource) Supported() Operations { return supported[r] }

// implied are the operations whose being allowed allows another, too.
var implied = map[Operation]Operations{
	Describe:        operations(Read, Write, Delete, Alter),
	DescribeConfigs: operations(AlterConfigs),
}

// Pattern is how an ACL names its resources (KIP-290), by its number in the protocol.
type Pattern int8

// The patterns; AnyPattern and MatchPattern are of filters alone.
const (
	AnyPattern   Pattern = 1
	MatchPattern Pattern = 2 // every ACL that bears on the name
	Literal      Pattern = 3 // the name itself; * is every name
	Prefixed     Pattern = 4 // every name that begins so
)

// Permission is what an ACL does, by its number in the protocol.
type Permission int8

// The permissions; AnyPermission is of filters alone.
const (
	AnyPermission Permission = 1
	Deny          Permission = 2
	Allow         Permission = 3
)

// Wildcard is every name of a literal pattern, and every host.
const Wildcard = "*"

// Principals: everybody, who has not said who they are, and the begin of a user's.
const (
	Everybody  = userPrefix + Wildcard
	Anonymous  = userPrefix + "ANONYMOUS"
	userPrefix = "User:"
)

// Principal returns that of a user.
func Principal(user string) string { return userPrefix + user }

// ACL allows or denies a principal, from a host, an operation on the resources of a pattern.
type ACL struct {
	Resource   Resource   `json:"resource"`
	Name       string     `json:"name"`
	Pattern    Pattern    `json:"pattern"`
	Principal  string     `json:"principal"`
	Host       string     `json:"host"` // an IP address
	Operation  Operation  `json:"operation"`
	Permission Permission `json:"permission"`
}

// Bytes a part of an ACL may have.
const maxPart = 512

// Canonical returns an IP address in the one form that is kept and compared: Go's, which is not Java's for IPv6. Other
// texts stay as they are.
func Canonical(host string) string {
	ip, err := netip.ParseAddr(host)
	if err != nil {
		return host
	}
	return ip.Unmap().WithZone("").String()
}

// Check returns what is wrong with an ACL that is to be made.
func (a *ACL) Check() error {
	switch {
	case a.Resource.Supported() == 0:
		return fmt.Errorf("no ACLs are kept of resources of type %d", a.Resource)
	case a.Operation != All && !a.Resource.Supported().Has(a.Operation):
		return fmt.Errorf("resources of type %d have no operation %d", a.Resource, a.Operation)
	case a.Pattern != Literal && a.Pattern != Prefixed:
		return fmt.Errorf("pattern type %d is neither literal nor prefixed", a.Pattern)
	case a.Permission != Allow && a.Permission != Deny:
		return fmt.Errorf("permission type %d is neither allow nor deny", a.Permission)
	case a.Resource == Cluster && (a.Name != ClusterName || a.Pattern != Literal):
		return fmt.Errorf("the cluster's only name is %s, not %q", ClusterName, a.Name)
	case !strings.HasPrefix(a.Principal, userPrefix) || len(a.Principal) == len(userPrefix):
		return fmt.Errorf("principal %q is not %s and a name", a.Principal, userPrefix)
	}
	if _, err := netip.ParseAddr(a.Host); err != nil && a.Host != Wildcard {
		return fmt.Errorf("host %q is neither an IP address nor %s", a.Host, Wildcard)
	}
	for _, part := range []string{a.Name, a.Principal, a.Host} {
		if part == "" || len(part) > maxPart || !utf8.ValidString(part) || strings.ContainsRune(part, 0) {
			return fmt.Errorf("a resource's name, a principal and a host have 1 to %d bytes of UTF-8, not %q", maxPart, part)
		}
	}
	return nil
}

// Filter chooses ACLs. A nil text chooses any.
type Filter struct {
	Resource        Resource
	Name            *string
	Pattern         Pattern
	Principal, Host *string
	Operation       Operation
	Permission      Permission
}

// Check returns what is wrong with a filter.
func (f *Filter) Check() error {
	switch {
	case f.Resource < AnyResource:
		return fmt.Errorf("resource type %d", f.Resource)
	case f.Pattern < AnyPattern || f.Pattern > Prefixed:
		return fmt.Errorf("pattern type %d", f.Pattern)
	case f.Operation < AnyOperation:
		return fmt.Errorf("operation %d", f.Operation)
	case f.Permission < AnyPermission || f.Permission > Allow:
		return fmt.Errorf("permission type %d", f.Permission)
	}
	return nil
}

// Exact reports whether f can choose no more than one ACL, all of which it names.
func (f *Filter) Exact() bool {
	return f.Resource != AnyResource && f.Name != nil && (f.Pattern == Literal || f.Pattern == Prefixed) &&
		f.Principal != nil && f.Host != nil && f.Operation != AnyOperation && f.Permission != AnyPermission
}

// Chooses reports whether f, whose host is canonical, chooses a.
func (f *Filter) Chooses(a *ACL) bool {
	is := func(want *string, have string) bool { return want == nil || *want == have }
	return (f.Resource == AnyResource || f.Resource == a.Resource) && f.names(a) &&
		is(f.Principal, a.Principal) && is(f.Host, a.Host) &&
		(f.Operation == AnyOperation || f.Operation == a.Operation) &&
		(f.Permission == AnyPermission || f.Permission == a.Permission)
}

func (f *Filter) names(a *ACL) bool {
	switch {
	case f.Pattern == Literal && a.Pattern != Literal, f.Pattern == Prefixed && a.Pattern != Prefixed:
		return false
	case f.Name == nil:
		return true
	case f.Pattern == MatchPattern:
		return covers(a, *f.Name)
	}
	return a.Name == *f.Name
}

// covers reports whether a bears on the resource of its kind with the name.
func covers(a *ACL, name string) bool {
	if a.Pattern == Prefixed {
		return strings.HasPrefix(name, a.Name)
	}
	return a.Name == name || a.Name == Wildcard
}
