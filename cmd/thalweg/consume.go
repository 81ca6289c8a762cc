package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/thalweg/thalweg/internal/batch"
	"github.com/thalweg/thalweg/internal/kafka"
)

// consume prints the records of a topic.
type consume struct {
	cluster         `embed:""`
	Topic           string `arg:"" help:"Topic to read."`
	FromBeginning   bool   `help:"Begin with the oldest record; otherwise with what comes from now on."`
	ToEnd           bool   `help:"Stop at what is the end now."`
	Count           int64  `help:"Stop after so many records; 0: do not." placeholder:"N"`
	Partition       int32  `help:"Read this partition only; -1: all." default:"-1"`
	ReadUncommitted bool   `help:"Show records of open and aborted transactions, too."`
	Keys            string `help:"What keys are: ${enum}." enum:"text,hex,base64,int32,int64" default:"text"`
	Values          string `help:"What values are: ${enum}." enum:"text,hex,base64,int32,int64" default:"text"`
	Format          string `help:"Text of a line, of {key} {value} {topic} {partition} {offset} {time} and \\t \\n." default:"{value}"`
	JSON            bool   `help:"Print JSON, a record a line." name:"json"`
}

// Help is the long help of the command.
func (*consume) Help() string {
	return "Records of one partition come in their order. A null key or value is shown as null. Example: thalweg consume word-counts -from-beginning -to-end -values int64 -format '{key}\\t{value}'"
}

// Run carries the command out.
func (c *consume) Run(s session) error {
	client, err := c.dial(s.ctx)
	if err != nil {
		return err
	}
	defer client.Close()
	r := &reading{consume: c, out: bufio.NewWriter(s.out), wake: make(chan struct{}, 1)}
	err = r.run(s.ctx, client)
	if s.ctx.Err() != nil {
		err = nil // a signal is how a reader without end is ended
	}
	return errors.Join(hint(err), r.out.Flush())
}

// reading is a consume under way.
type reading struct {
	*consume
	out     *bufio.Writer
	f       *kafka.Fetcher
	at, end map[kafka.Place]int64
	printed int64

	mu    sync.Mutex // protects inbox
	inbox []kafka.Fetched
	wake  chan struct{}
}

func (r *reading) run(ctx context.Context, client *kafka.Client) error {
	if err := r.seek(ctx, client); err != nil {
		return err
	}
	defer r.f.Close()
	for !r.done() {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-r.wake:
		}
		r.mu.Lock()
		inbox := r.inbox
		r.inbox = nil
		r.mu.Unlock()
		for _, got := range inbox {
			if err := r.print(got); err != nil {
				return err
			}
			r.f.Pause(got.Place, false)
		}
		if err := r.out.Flush(); err != nil {
			return err
		}
	}
	return nil
}

// seek begins to fetch.
func (r *reading) seek(ctx context.Context, client *kafka.Client) error {
	ts, err := client.Topics(ctx, true, r.Topic)
	if err != nil {
		return err
	}
	t := ts[r.Topic]
	if t == nil {
		return fmt.Errorf("topic %q: %w", r.Topic, kafka.ErrNoTopic)
	}
	var places []kafka.Place
	for i := range t.Leaders {
		if r.Partition < 0 || r.Partition == int32(i) {
			places = append(places, kafka.Place{Topic: r.Topic, Partition: int32(i)})
		}
	}
	if len(places) == 0 {
		return fmt.Errorf("topic %q has partitions 0 to %d, asked for %d", r.Topic, len(t.Leaders)-1, r.Partition)
	}
	to := kafka.Stable
	if r.ReadUncommitted {
		to = kafka.End
	}
	from := to
	if r.FromBeginning {
		from = kafka.Begin
	}
	if r.at, err = client.Ends(ctx, from, places...); err != nil {
		return err
	}
	if r.end, err = client.Ends(ctx, to, places...); err != nil {
		return err
	}
	r.f = client.NewFetcher(r.deliver)
	r.f.Uncommitted = r.ReadUncommitted
	for _, p := range places {
		if err := r.f.Seek(ctx, p, r.at[p]); err != nil {
			r.f.Close()
			return err
		}
	}
	return nil
}

// deliver takes what was fetched; its partition rests until that has been printed.
func (r *reading) deliver(f kafka.Fetched) {
	r.f.Pause(f.Place, true)
	r.mu.Lock()
	r.inbox = append(r.inbox, f)
	r.mu.Unlock()
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

// done reports whether all that was asked for has been printed.
func (r *reading) done() bool {
	if r.Count > 0 && r.printed >= r.Count {
		return true
	}
	if !r.ToEnd {
		return false
	}
	for p, end := range r.end {
		if r.at[p] < end {
			return false
		}
	}
	return true
}

// print prints the records of one fetch.
func (r *reading) print(f kafka.Fetched) error {
	if f.Err != nil {
		return fmt.Errorf("%s-%d@%d: %w", f.Topic, f.Partition, f.From, f.Err)
	}
	var br batch.Reader
	var rec batch.Record
	for _, b := range f.Batches {
		if err := br.Reset(b); err != nil {
			return err
		}
		for br.Next(&rec) {
			if rec.Offset < f.From || r.ToEnd && rec.Offset >= r.end[f.Place] {
				continue
			}
			if r.Count > 0 && r.printed >= r.Count {
				return nil
			}
			r.printed++
			if err := r.record(f.Place, &rec); err != nil {
				return fmt.Errorf("%s-%d@%d: %w", f.Topic, f.Partition, rec.Offset, err)
			}
		}
		if err := br.Err(); err != nil {
			return err
		}
	}
	r.at[f.Place] = f.Next
	return nil
}
