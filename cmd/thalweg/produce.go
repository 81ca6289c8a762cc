package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"strconv"

	"github.com/thalweg/thalweg/internal/kafka"
)

// lineMost is the longest line that makes a record, in bytes.
const lineMost = 16 << 20

// produce writes lines to a topic.
type produce struct {
	cluster      `embed:""`
	Topic        string `arg:"" help:"Topic to write to."`
	KeySeparator string `help:"What parts key and value in a line; none: records have no key." placeholder:"TEXT"`
	Null         string `help:"A value written so is null, which deletes its key." placeholder:"TEXT"`
	Partition    int32  `help:"Partition to write to; -1: by key, or in turn." default:"-1"`
	JSON         bool   `help:"Print JSON." name:"json"`
}

// Run carries the command out.
func (c *produce) Run(s session) error {
	if c.Partition < -1 {
		return fmt.Errorf("-partition %d: want -1 or more", c.Partition)
	}
	client, err := c.dial(s.ctx)
	if err != nil {
		return err
	}
	defer client.Close()
	w, err := client.NewSender(s.ctx, c.Topic)
	if err != nil {
		return hint(err)
	}
	n, err := c.lines(s, w)
	if err = errors.Join(err, w.Close(s.ctx)); err != nil {
		return hint(err)
	}
	if c.JSON {
		return printJSON(s.out, struct {
			Topic   string `json:"topic"`
			Records int    `json:"records"`
		}{c.Topic, n})
	}
	_, err = fmt.Fprintf(s.out, "%d records written to %s\n", n, c.Topic)
	return err
}

// lines sends every line of the input and returns how many there were.
func (c *produce) lines(s session, w *kafka.Sender) (n int, err error) {
	in := bufio.NewScanner(s.in)
	in.Buffer(nil, lineMost)
	for ; s.ctx.Err() == nil && in.Scan(); n++ {
		r, err := c.record(bytes.Clone(in.Bytes()))
		if err != nil {
			return n, fmt.Errorf("line %d: %w", n+1, err)
		}
		if err := w.Put(s.ctx, r); err != nil {
			return n, err
		}
	}
	if errors.Is(in.Err(), bufio.ErrTooLong) {
		return n, fmt.Errorf("line %d is longer than %d bytes", n+1, lineMost)
	}
	return n, in.Err()
}

func (c *produce) record(line []byte) (kafka.Plain, error) {
	r := kafka.Plain{Value: line, Partition: c.Partition}
	if r.Value == nil {
		r.Value = []byte{}
	}
	if c.KeySeparator != "" {
		key, value, ok := bytes.Cut(line, []byte(c.KeySeparator))
		if !ok {
			return r, fmt.Errorf("no %s in it, which parts key and value", strconv.Quote(c.KeySeparator))
		}
		r.Key, r.Value = key, value
	}
	if c.Null != "" && string(r.Value) == c.Null {
		r.Value = nil
	}
	return r, nil
}
