package main

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/thalweg/thalweg/internal/kafka"
)

// records are the commands about records.
type records struct {
	Delete recordsDelete `cmd:"" help:"Delete the oldest records of partitions."`
}

type recordsDelete struct {
	cluster    `embed:""`
	Topic      string   `arg:"" help:"Topic."`
	Partitions []string `arg:"" name:"partition" help:"PARTITION:OFFSET: records below the offset go; PARTITION:end: all that are there."`
	JSON       bool     `help:"Print JSON." name:"json"`
}

// Help is the long help of the command.
func (*recordsDelete) Help() string {
	return "The partitions begin at the offsets from then on. Consumers whose position lies below go on there, or as their reset policy says. Nothing brings the records back."
}

// Run carries the command out.
func (c *recordsDelete) Run(s session) error {
	before := map[kafka.Place]int64{}
	for _, x := range c.Partitions {
		p, offset, err := partitionOffset(x)
		if err != nil {
			return err
		}
		place := kafka.Place{Topic: c.Topic, Partition: p}
		if _, twice := before[place]; twice {
			return fmt.Errorf("records: partition %d is named twice", p)
		}
		before[place] = offset
	}
	return c.with(s, false, func(client *kafka.Client) error {
		starts, err := c.delete(s, client, before)
		if err != nil {
			return hint(err)
		}
		if c.JSON {
			return printJSON(s.out, starts)
		}
		var rows [][]any
		for _, p := range starts {
			rows = append(rows, []any{c.Topic, p.Partition, p.Start})
		}
		return printTable(s.out, "TOPIC PARTITION START", rows)
	})
}

// partitionStart is where a partition begins.
type partitionStart struct {
	Partition int32 `json:"partition"`
	Start     int64 `json:"start"`
}

// delete deletes what lies before the offsets, and returns where the partitions begin from then on.
func (c *recordsDelete) delete(s session, client *kafka.Client, before map[kafka.Place]int64) ([]partitionStart, error) {
	topics, err := client.Topics(s.ctx, true, c.Topic)
	if err != nil {
		return nil, err
	}
	t := topics[c.Topic]
	if t == nil {
		return nil, fmt.Errorf("topic %q: %w", c.Topic, kafka.ErrNoTopic)
	}
	places := slices.SortedFunc(maps.Keys(before), func(a, b kafka.Place) int { return cmp.Compare(a.Partition, b.Partition) })
	if last := places[len(places)-1]; int(last.Partition) >= len(t.Leaders) {
		return nil, fmt.Errorf("topic %q has %d partitions, and no %d", c.Topic, len(t.Leaders), last.Partition)
	}
	ends, err := client.Ends(s.ctx, kafka.End, places...)
	if err != nil {
		return nil, err
	}
	for p, offset := range before {
		if offset > ends[p] {
			return nil, fmt.Errorf("%s-%d: %d is beyond its end, %d", p.Topic, p.Partition, offset, ends[p])
		}
	}
	if err := client.DeleteRecords(s.ctx, before); err != nil {
		return nil, err
	}
	begins, err := client.Ends(s.ctx, kafka.Begin, places...)
	starts := []partitionStart{}
	for _, p := range places {
		starts = append(starts, partitionStart{p.Partition, begins[p]})
	}
	return starts, err
}

// partitionOffset reads PARTITION:OFFSET; end is -1.
func partitionOffset(text string) (partition int32, offset int64, err error) {
	p, o, ok := strings.Cut(text, ":")
	n, err := strconv.ParseInt(p, 10, 32)
	if !ok || err != nil || n < 0 {
		return 0, 0, fmt.Errorf("records: %q is not PARTITION:OFFSET", text)
	}
	if o == "end" {
		return int32(n), -1, nil
	}
	offset, err = strconv.ParseInt(o, 10, 64)
	if err != nil || offset < 0 || offset == math.MaxInt64 {
		return 0, 0, fmt.Errorf("records: %q is not PARTITION:OFFSET", text)
	}
	return int32(n), offset, nil
}
