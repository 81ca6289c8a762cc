package main

import (
	"cmp"
	"fmt"

	"github.com/thalweg/thalweg/internal/kafka"
)

// groups are the commands about consumer groups.
type groups struct {
	List     groupsList     `cmd:"" help:"List groups."`
	Describe groupsDescribe `cmd:"" help:"Show members, positions and lag of groups."`
	Delete   groupsDelete   `cmd:"" help:"Delete groups without members, with their positions."`
}

type groupsList struct {
	cluster `embed:""`
	JSON    bool `help:"Print JSON." name:"json"`
}

// Run carries the command out.
func (c *groupsList) Run(s session) error {
	client, err := c.dial(s.ctx)
	if err != nil {
		return err
	}
	defer client.Close()
	gs, err := client.ListGroups(s.ctx)
	if err != nil {
		return err
	}
	if c.JSON {
		return printJSON(s.out, gs)
	}
	var rows [][]any
	for _, g := range gs {
		rows = append(rows, []any{g.Name, g.State, cmp.Or(g.Type, "-")})
	}
	return printTable(s.out, "GROUP STATE TYPE", rows)
}

type groupsDescribe struct {
	cluster `embed:""`
	Groups  []string `arg:"" name:"group" help:"Groups to show."`
	JSON    bool     `help:"Print JSON." name:"json"`
}

// Run carries the command out.
func (c *groupsDescribe) Run(s session) error {
	client, err := c.dial(s.ctx)
	if err != nil {
		return err
	}
	defer client.Close()
	var all []kafka.GroupInfo
	for _, name := range c.Groups {
		g, err := client.DescribeGroup(s.ctx, name)
		if err != nil {
			return hint(err)
		}
		all = append(all, g)
	}
	if c.JSON {
		return printJSON(s.out, all)
	}
	for _, g := range all {
		if err := printGroup(s, g); err != nil {
			return err
		}
	}
	return nil
}

func printGroup(s session, g kafka.GroupInfo) error {
	fmt.Fprintf(s.out, "%s  %s\n", g.Name, g.State)
	var members, positions [][]any
	for _, m := range g.Members {
		members = append(members, []any{m.ID, cmp.Or(m.Instance, "-"), m.Client, m.Host})
	}
	for _, p := range g.Positions {
		positions = append(positions, []any{p.Topic, p.Partition, p.Committed, p.End, p.Lag, cmp.Or(p.Member, "-")})
	}
	if len(members) > 0 {
		if err := printTable(s.out, "MEMBER INSTANCE CLIENT HOST", members); err != nil {
			return err
		}
	}
	return printTable(s.out, "TOPIC PARTITION COMMITTED END LAG MEMBER", positions)
}

type groupsDelete struct {
	cluster `embed:""`
	Groups  []string `arg:"" name:"group" help:"Groups to delete."`
	JSON    bool     `help:"Print JSON." name:"json"`
}

// Run carries the command out.
func (c *groupsDelete) Run(s session) error {
	client, err := c.dial(s.ctx)
	if err != nil {
		return err
	}
	defer client.Close()
	for _, name := range c.Groups {
		g, err := client.DescribeGroup(s.ctx, name)
		if err != nil {
			return hint(err)
		}
		if len(g.Members) > 0 {
			return fmt.Errorf("group %q has %d members: stop them first", name, len(g.Members))
		}
		if err := client.DeleteGroup(s.ctx, name); err != nil {
			return err
		}
	}
	return done(s, c.JSON, "deleted", c.Groups)
}
