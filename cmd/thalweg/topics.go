package main

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/thalweg/thalweg/internal/kafka"
)

// topics are the commands about topics.
type topics struct {
	List     topicsList     `cmd:"" help:"List topics."`
	Describe topicsDescribe `cmd:"" help:"Show partitions, offsets and settings of topics."`
	Create   topicsCreate   `cmd:"" help:"Create topics."`
	Delete   topicsDelete   `cmd:"" help:"Delete topics with all their records."`
}

type topicsList struct {
	cluster  `embed:""`
	Internal bool `help:"The brokers' own topics, too."`
	JSON     bool `help:"Print JSON." name:"json"`
}

// Run carries the command out.
func (c *topicsList) Run(s session) error {
	client, err := c.dial(s.ctx)
	if err != nil {
		return err
	}
	defer client.Close()
	ts, err := client.ListTopics(s.ctx, c.Internal)
	if err != nil {
		return err
	}
	if c.JSON {
		return printJSON(s.out, ts)
	}
	var rows [][]any
	for _, t := range ts {
		replicas := 0
		if len(t.Partitions) > 0 {
			replicas = len(t.Partitions[0].Replicas)
		}
		rows = append(rows, []any{t.Name, len(t.Partitions), replicas})
	}
	return printTable(s.out, "TOPIC PARTITIONS REPLICAS", rows)
}

type topicsDescribe struct {
	cluster `embed:""`
	Topics  []string `arg:"" name:"topic" help:"Topics to show."`
	JSON    bool     `help:"Print JSON." name:"json"`
}

// Run carries the command out.
func (c *topicsDescribe) Run(s session) error {
	client, err := c.dial(s.ctx)
	if err != nil {
		return err
	}
	defer client.Close()
	var all []kafka.TopicInfo
	for _, name := range c.Topics {
		t, err := client.DescribeTopic(s.ctx, name)
		if err != nil {
			return hint(err)
		}
		all = append(all, t)
	}
	if c.JSON {
		return printJSON(s.out, all)
	}
	for _, t := range all {
		fmt.Fprintf(s.out, "%s  id %s\n", t.Name, t.ID)
		for _, k := range slices.Sorted(maps.Keys(t.Settings)) {
			fmt.Fprintf(s.out, "  %s=%s\n", k, t.Settings[k])
		}
		var rows [][]any
		for _, p := range t.Partitions {
			rows = append(rows, []any{p.Partition, p.Leader, p.Replicas, p.InSync, p.Start, p.Stable, p.End})
		}
		if err := printTable(s.out, "PARTITION LEADER REPLICAS IN-SYNC START STABLE END", rows); err != nil {
			return err
		}
	}
	return nil
}

type topicsCreate struct {
	cluster     `embed:""`
	Topics      []string          `arg:"" name:"topic" help:"Topics to create."`
	Partitions  int32             `help:"Partitions; -1: the broker's default." default:"-1"`
	Replication int16             `help:"Replicas; -1: the broker's default." default:"-1"`
	Set         map[string]string `help:"Settings, as cleanup.policy=compact." placeholder:"NAME=VALUE"`
	JSON        bool              `help:"Print JSON." name:"json"`
}

// Run carries the command out.
func (c *topicsCreate) Run(s session) error {
	client, err := c.dial(s.ctx)
	if err != nil {
		return err
	}
	defer client.Close()
	there, err := client.Topics(s.ctx, true, c.Topics...)
	if err != nil {
		return err
	}
	var ts []kafka.NewTopic
	for _, name := range c.Topics {
		if there[name] != nil {
			return fmt.Errorf("topic %q exists already, with %d partitions: choose another name, or delete it first", name, len(there[name].Leaders))
		}
		ts = append(ts, kafka.NewTopic{Name: name, Partitions: c.Partitions, Replication: c.Replication, Settings: c.Set})
	}
	if err := client.CreateTopics(s.ctx, ts...); err != nil {
		return err
	}
	return done(s, c.JSON, "created", c.Topics)
}

type topicsDelete struct {
	cluster `embed:""`
	Topics  []string `arg:"" name:"topic" help:"Topics to delete."`
	JSON    bool     `help:"Print JSON." name:"json"`
}

// Run carries the command out.
func (c *topicsDelete) Run(s session) error {
	client, err := c.dial(s.ctx)
	if err != nil {
		return err
	}
	defer client.Close()
	there, err := client.Topics(s.ctx, true, c.Topics...)
	if err != nil {
		return err
	}
	for _, name := range c.Topics {
		if there[name] == nil {
			return hint(fmt.Errorf("topic %q: %w", name, kafka.ErrNoTopic))
		}
	}
	if err := client.DeleteTopics(s.ctx, c.Topics...); err != nil {
		return err
	}
	return done(s, c.JSON, "deleted", c.Topics)
}

// done says what was done to the named things.
func done(s session, asJSON bool, verb string, names []string) error {
	if asJSON {
		return printJSON(s.out, map[string][]string{verb: names})
	}
	for _, n := range names {
		if _, err := fmt.Fprintln(s.out, verb, n); err != nil {
			return err
		}
	}
	return nil
}

// hint adds the way out to errors about what is not there.
func hint(err error) error {
	switch {
	case errors.Is(err, kafka.ErrNoTopic):
		return fmt.Errorf("%w: see thalweg topics list, or make it with thalweg topics create", err)
	case errors.Is(err, kafka.ErrNoGroup):
		return fmt.Errorf("%w: see thalweg groups list", err)
	case errors.Is(err, kafka.ErrNoUser):
		return fmt.Errorf("%w: see thalweg users list", err)
	}
	return err
}
