package main

import (
	"errors"
	"strings"

	"github.com/thalweg/thalweg/internal/kafka"
)

// acls are the commands about what users may do.
type acls struct {
	List   aclsList   `cmd:"" help:"List ACLs."`
	Allow  aclsAllow  `cmd:"" help:"Allow a user operations on resources."`
	Deny   aclsDeny   `cmd:"" help:"Deny a user operations on resources, whatever allows them."`
	Remove aclsRemove `cmd:"" help:"Remove the ACLs of a user, or some of them."`
}

// Who principals are, in commands by the names that users log in by.
const userPrefix = "User:"

// resources are those that an ACL is about.
type resources struct {
	Topic                 []string `help:"Topics; * is every topic." placeholder:"NAME,..."`
	TopicPrefix           []string `help:"Topics whose names begin so." placeholder:"PREFIX,..."`
	Group                 []string `help:"Consumer groups; * is every group." placeholder:"NAME,..."`
	GroupPrefix           []string `help:"Consumer groups whose names begin so." placeholder:"PREFIX,..."`
	TransactionalID       []string `help:"Transactional ids; * is every one." name:"transactional-id" placeholder:"ID,..."`
	TransactionalIDPrefix []string `help:"Transactional ids that begin so." name:"transactional-id-prefix" placeholder:"PREFIX,..."`
	Cluster               bool     `help:"The cluster itself."`
}

// all returns an ACL about each of the resources, with nothing else in it.
func (r *resources) all() (all []kafka.ACL) {
	add := func(kind, pattern string, names []string) {
		for _, n := range names {
			all = append(all, kafka.ACL{Resource: kind, Pattern: pattern, Name: n})
		}
	}
	add("topic", "literal", r.Topic)
	add("topic", "prefixed", r.TopicPrefix)
	add("group", "literal", r.Group)
	add("group", "prefixed", r.GroupPrefix)
	add("transactional-id", "literal", r.TransactionalID)
	add("transactional-id", "prefixed", r.TransactionalIDPrefix)
	if r.Cluster {
		add("cluster", "literal", []string{"kafka-cluster"})
	}
	return all
}

// cross returns the ACLs with each of the operations.
func cross(acls []kafka.ACL, operations []string) (all []kafka.ACL) {
	for _, a := range acls {
		for _, op := range operations {
			a.Operation = op
			all = append(all, a)
		}
	}
	return all
}

// printACLs prints a table, or JSON.
func printACLs(s session, asJSON bool, acls []kafka.ACL) error {
	if asJSON {
		return printJSON(s.out, acls)
	}
	var rows [][]any
	for _, a := range acls {
		rows = append(rows, []any{strings.TrimPrefix(a.Principal, userPrefix), a.Host, a.Permission, a.Operation, a.Resource, a.Pattern, a.Name})
	}
	return printTable(s.out, "USER HOST PERMISSION OPERATION RESOURCE PATTERN NAME", rows)
}

type aclsList struct {
	cluster `embed:""`
	Name    string `arg:"" optional:"" help:"User whose ACLs are listed; without one, those of all."`
	JSON    bool   `help:"Print JSON." name:"json"`
}

// Run carries the command out.
func (c *aclsList) Run(s session) error {
	chosen := kafka.ACL{}
	if c.Name != "" {
		chosen.Principal = userPrefix + c.Name
	}
	return c.with(s, false, func(client *kafka.Client) error {
		list, err := client.ListACLs(s.ctx, chosen)
		if err != nil {
			return err
		}
		return printACLs(s, c.JSON, list)
	})
}

// change is what allowing and denying have in common.
type change struct {
	cluster    `embed:""`
	resources  `embed:""`
	Name       string   `arg:"" help:"Name the user logs in by; * is everybody."`
	Operations []string `arg:"" name:"operation" help:"read, write, create, delete, alter, describe, describe-configs, alter-configs, cluster-action, idempotent-write, or all."`
	Host       string   `help:"IP address the user comes from; * is every address." default:"*"`
	JSON       bool     `help:"Print JSON." name:"json"`
}

func (c *change) run(s session, permission string) error {
	acls := cross(c.all(), c.Operations)
	if len(acls) == 0 {
		return errors.New("acls: no resource: name one by -topic, -topic-prefix, -group, -group-prefix, -transactional-id, -transactional-id-prefix or -cluster")
	}
	for i := range acls {
		acls[i].Principal, acls[i].Host, acls[i].Permission = userPrefix+c.Name, c.Host, permission
	}
	return c.with(s, true, func(client *kafka.Client) error {
		if err := client.AddACLs(s.ctx, acls); err != nil {
			return err
		}
		return printACLs(s, c.JSON, acls)
	})
}

type aclsAllow struct {
	change `embed:""`
}

// Help is the long help of the command.
func (*aclsAllow) Help() string {
	return "A server with -acls refuses what no ACL allows. Reading, writing, deleting and altering allow describing, too; what is denied is denied whatever allows it. " +
		"A consumer needs read on its topics and its group, a producer write on its topics, one with transactions write on its transactional id."
}

// Run carries the command out.
func (c *aclsAllow) Run(s session) error { return c.run(s, "allow") }

type aclsDeny struct {
	change `embed:""`
}

// Run carries the command out.
func (c *aclsDeny) Run(s session) error { return c.run(s, "deny") }

type aclsRemove struct {
	cluster    `embed:""`
	resources  `embed:""`
	Name       string   `arg:"" help:"Name the user logs in by; * is what was said of everybody."`
	Operations []string `arg:"" optional:"" name:"operation" help:"Operations; without any, all that were named."`
	Host       string   `help:"Only ACLs of this address." placeholder:"IP"`
	JSON       bool     `help:"Print JSON." name:"json"`
}

// Help is the long help of the command.
func (*aclsRemove) Help() string {
	return "Removes what allows and what denies. Without resources those of all are removed."
}

// Run carries the command out.
func (c *aclsRemove) Run(s session) error {
	chosen := c.all()
	if len(chosen) == 0 {
		chosen = []kafka.ACL{{}}
	}
	if len(c.Operations) > 0 {
		chosen = cross(chosen, c.Operations)
	}
	for i := range chosen {
		chosen[i].Principal, chosen[i].Host = userPrefix+c.Name, c.Host
	}
	return c.with(s, false, func(client *kafka.Client) error {
		removed, err := client.RemoveACLs(s.ctx, chosen)
		if err != nil {
			return err
		}
		if len(removed) == 0 {
			return errors.New("acls: there is no such ACL: see thalweg acls list")
		}
		return printACLs(s, c.JSON, removed)
	})
}
