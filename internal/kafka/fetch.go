package kafka

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/thalweg/thalweg/internal/batch"
)

// Fetched is what was read of one partition at once: whole committed batches of records.
type Fetched struct {
	Place
	Batches [][]byte
	From    int64 // the position asked for
	Next    int64 // the position after all that was read, markers and aborted records included
	End     int64 // the last stable offset: what is known to be readable
	Start   int64 // the log start
	Bytes   int
	Err     error // ErrOutOfRange: the position is not in the log any more
}

// ErrOutOfRange is of a position before the log's start or behind its end.
var ErrOutOfRange = errors.New("kafka: offset out of range")

// Limits of fetches.
const (
	fetchPartition = 1 << 20
	fetchRequest   = 16 << 20
	pollIdle       = 250 * time.Millisecond // how long a fetch waits where nothing is held back
	pollBusy       = 5 * time.Millisecond   // and where partitions are held back that may want more at any moment
)

// Fetcher reads partitions ahead of their tasks: one request at a time to each broker, on a connection of its own, as a
// broker answers those of one connection in turn and each may wait for records. A partition rests while its reader has enough.
type Fetcher struct {
	// Uncommitted also reads what lies in open and aborted transactions. It is set before the first Seek.
	Uncommitted bool
	// Least is how many bytes an answer waits for, a quarter of a second at most: who is in no hurry costs brokers less. It is set
	// before the first Seek.
	Least int32

	c       *Client
	deliver func(Fetched)
	ctx     context.Context
	cancel  context.CancelFunc
	wg      sync.WaitGroup

	mu    sync.Mutex  // protects following fields
	cl    *kgo.Client // from the first Seek on
	wants map[Place]*want
	loops map[int32]chan struct{} // by broker: woken when its partitions change
}

// want is a partition to read.
type want struct {
	Place
	id     [16]byte
	leader int32
	next   int64
	turn   int64 // changes with every Seek: answers to older requests are dropped
	paused bool
}

// NewFetcher returns a fetcher that hands what it reads to deliver, from its own goroutines. deliver must not block.
func (c *Client) NewFetcher(deliver func(Fetched)) *Fetcher {
	f := &Fetcher{c: c, deliver: deliver, wants: map[Place]*want{}, loops: map[int32]chan struct{}{}}
	f.ctx, f.cancel = context.WithCancel(context.Background())
	return f
}

// Close ends all fetching and waits for it.
func (f *Fetcher) Close() {
	f.cancel()
	f.wg.Wait()
	if f.cl != nil {
		f.cl.Close()
	}
}

// Seek begins to read p at offset, or goes on there.
func (f *Fetcher) Seek(ctx context.Context, p Place, offset int64) error {
	t, leader, err := f.c.leader(ctx, p.Topic, p.Partition, false)
	if err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.cl == nil {
		if f.cl, err = f.c.connections(); err != nil {
			return err
		}
	}
	w := f.wants[p]
	if w == nil {
		w = &want{Place: p}
		f.wants[p] = w
	}
	w.id, w.leader, w.next, w.paused = t.ID, leader, offset, false
	w.turn++
	f.wakeLocked(leader)
	return nil
}

// Remove stops reading p.
func (f *Fetcher) Remove(p Place) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.wants, p)
}

// Pause lets p rest, or go on.
func (f *Fetcher) Pause(p Place, paused bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if w := f.wants[p]; w != nil && w.paused != paused {
		w.paused = paused
		if !paused {
			f.wakeLocked(w.leader)
		}
	}
}

// wakeLocked tells the loop of a broker that there may be something to fetch; the first time it starts it.
func (f *Fetcher) wakeLocked(broker int32) {
	wake := f.loops[broker]
	if wake == nil {
		wake = make(chan struct{}, 1)
		f.loops[broker] = wake
		cl := f.cl
		f.wg.Go(func() { f.loop(cl, broker, wake) })
	}
	select {
	case wake <- struct{}{}:
	default:
	}
}

func (f *Fetcher) loop(cl *kgo.Client, broker int32, wake chan struct{}) {
	for f.ctx.Err() == nil {
		req, asked := f.request(broker)
		if len(asked) == 0 {
			select {
			case <-f.ctx.Done():
			case <-wake:
			}
			continue
		}
		resp, err := cl.Broker(int(broker)).Request(f.ctx, req)
		if err != nil {
			if f.ctx.Err() == nil {
				f.c.cfg.Logger.Debug("fetch", "broker", broker, "err", err)
				f.relocate(cl, asked)
				_ = sleep(f.ctx, 100*time.Millisecond)
			}
			continue
		}
		if f.answer(resp.(*kmsg.FetchResponse), asked) {
			f.relocate(cl, asked)
			_ = sleep(f.ctx, 50*time.Millisecond)
		}
	}
}

// asked is a want as it was when the request was made.
type asked struct {
	want *want
	turn int64
	next int64
}

// request makes the next request for a broker. Partitions take turns at its head, since the first may take all the room.
func (f *Fetcher) request(broker int32) (*kmsg.FetchRequest, map[Place]asked) {
	f.mu.Lock()
	defer f.mu.Unlock()
	req := kmsg.NewPtrFetchRequest()
	req.ReplicaID, req.MinBytes, req.MaxBytes, req.IsolationLevel = -1, max(f.Least, 1), fetchRequest, readCommitted
	req.SessionEpoch = -1
	if f.Uncommitted {
		req.IsolationLevel = readUncommitted
	}
	req.Rack = f.c.cfg.Rack
	wait := pollIdle
	all := map[Place]asked{}
	topics := map[string]int{}
	for p, w := range f.wants { // the map's own order is the turn
		if w.leader != broker {
			continue
		}
		if w.paused {
			wait = pollBusy
			continue
		}
		i, ok := topics[p.Topic]
		if !ok {
			t := kmsg.NewFetchRequestTopic()
			t.Topic, t.TopicID = p.Topic, w.id
			req.Topics = append(req.Topics, t)
			i = len(req.Topics) - 1
			topics[p.Topic] = i
		}
		r := kmsg.NewFetchRequestTopicPartition()
		r.Partition, r.FetchOffset, r.PartitionMaxBytes = p.Partition, w.next, fetchPartition
		r.CurrentLeaderEpoch, r.LastFetchedEpoch, r.LogStartOffset = -1, -1, -1
		req.Topics[i].Partitions = append(req.Topics[i].Partitions, r)
		all[p] = asked{w, w.turn, w.next}
	}
	req.MaxWaitMillis = int32(wait.Milliseconds())
	return req, all
}

// answer delivers a response. It reports whether a partition seems to have moved.
func (f *Fetcher) answer(resp *kmsg.FetchResponse, as map[Place]asked) (moved bool) {
	if resp.ErrorCode != 0 {
		f.c.cfg.Logger.Warn("fetch", "err", kerr.ErrorForCode(resp.ErrorCode))
		return true
	}
	names := map[[16]byte]string{}
	for p, a := range as {
		names[a.want.id] = p.Topic
	}
	for _, t := range resp.Topics {
		name := t.Topic
		if name == "" {
			name = names[t.TopicID]
		}
		for i := range t.Partitions {
			p := Place{name, t.Partitions[i].Partition}
			a, ok := as[p]
			if !ok {
				continue
			}
			out, again := read(p, a.next, &t.Partitions[i], false)
			if f.Uncommitted {
				out.End = t.Partitions[i].HighWatermark
			}
			moved = moved || again
			if again {
				continue
			}
			f.mu.Lock()
			current := f.wants[p] == a.want && a.want.turn == a.turn
			if current && out.Err == nil {
				a.want.next = out.Next
			}
			if current && out.Err != nil {
				a.want.paused = true // until its reader seeks
			}
			f.mu.Unlock()
			if current {
				f.deliver(out)
			}
		}
	}
	return moved
}

// read makes sense of one partition of a response. raw: nothing is filtered. again says that it has to be asked for again,
// elsewhere or later.
func read(p Place, from int64, r *kmsg.FetchResponseTopicPartition, raw bool) (out Fetched, again bool) {
	out = Fetched{Place: p, From: from, Next: from, End: r.LastStableOffset, Start: r.LogStartOffset}
	switch err := kerr.ErrorForCode(r.ErrorCode); {
	case errors.Is(err, kerr.OffsetOutOfRange):
		out.Err = ErrOutOfRange
		return out, false
	case err != nil && (retriable(err) || errors.Is(err, kerr.FencedLeaderEpoch) || errors.Is(err, kerr.UnknownLeaderEpoch)):
		return out, true
	case err != nil:
		out.Err = fmt.Errorf("kafka: %s-%d: %w", p.Topic, p.Partition, err)
		return out, false
	}
	keep := func(*batch.Header, []byte) bool { return true }
	if !raw {
		var ab []aborted
		for _, a := range r.AbortedTransactions {
			ab = append(ab, aborted{a.ProducerID, a.FirstOffset})
		}
		keep = committed(ab)
	}
	out.Batches, out.Next, out.Err = batches(r.RecordBatches, from, keep)
	out.Bytes = len(r.RecordBatches)
	return out, false
}

// relocate asks anew where partitions are.
func (f *Fetcher) relocate(cl *kgo.Client, as map[Place]asked) {
	names := map[string]bool{}
	var list []string
	for p := range as {
		if !names[p.Topic] {
			names[p.Topic] = true
			list = append(list, p.Topic)
		}
	}
	ts, err := f.c.askTopics(f.ctx, cl, list)
	if err != nil {
		return // the next round asks again
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	for p, a := range as {
		t := ts[p.Topic]
		if t == nil || f.wants[p] != a.want || int(p.Partition) >= len(t.Leaders) || t.Leaders[p.Partition] < 0 {
			continue
		}
		a.want.id, a.want.leader = t.ID, t.Leaders[p.Partition]
		f.wakeLocked(a.want.leader)
	}
}

// ReadRange reads the committed records of p from offset from until the position reaches to, in large fetches, and hands
// them to f. It returns the position reached: to, or beyond. While a transaction is open before to, it waits.
func (c *Client) ReadRange(ctx context.Context, p Place, from, to int64, f func(Fetched) error) (next int64, err error) {
	return c.readRange(ctx, p, from, to, readCommitted, f)
}

// ReadRaw is as ReadRange, but hands on every batch: of aborted transactions, of open ones, for which it does not wait, and
// markers.
func (c *Client) ReadRaw(ctx context.Context, p Place, from, to int64, f func(Fetched) error) (next int64, err error) {
	return c.readRange(ctx, p, from, to, readUncommitted, f)
}

// Isolation levels of a fetch.
const (
	readUncommitted int8 = iota
	readCommitted
)

func (c *Client) readRange(ctx context.Context, p Place, from, to int64, level int8, f func(Fetched) error) (next int64, err error) {
	for fresh := false; from < to; {
		t, leader, err := c.leader(ctx, p.Topic, p.Partition, fresh)
		if err != nil {
			return from, err
		}
		req := kmsg.NewPtrFetchRequest()
		req.ReplicaID, req.MinBytes, req.MaxBytes, req.IsolationLevel = -1, 1, fetchRequest, level
		req.SessionEpoch, req.MaxWaitMillis = -1, int32(pollIdle.Milliseconds())
		rt := kmsg.NewFetchRequestTopic()
		rt.Topic, rt.TopicID = p.Topic, t.ID
		rp := kmsg.NewFetchRequestTopicPartition()
		rp.Partition, rp.FetchOffset, rp.PartitionMaxBytes = p.Partition, from, fetchRequest/2
		rp.CurrentLeaderEpoch, rp.LastFetchedEpoch, rp.LogStartOffset = -1, -1, -1
		rt.Partitions = append(rt.Partitions, rp)
		req.Topics = append(req.Topics, rt)
		resp, err := c.cl.Broker(int(leader)).Request(ctx, req)
		var part *kmsg.FetchResponseTopicPartition
		if err == nil {
			r := resp.(*kmsg.FetchResponse)
			if len(r.Topics) == 1 && len(r.Topics[0].Partitions) == 1 {
				part = &r.Topics[0].Partitions[0]
			}
		}
		if err != nil && (ctx.Err() != nil || !retriable(err)) {
			return from, fmt.Errorf("kafka: reading %s-%d at %d: %w", p.Topic, p.Partition, from, err)
		}
		fresh = part == nil
		var out Fetched
		if part != nil {
			out, fresh = read(p, from, part, level == readUncommitted)
		}
		if fresh {
			if err := sleep(ctx, 50*time.Millisecond); err != nil {
				return from, err
			}
			continue
		}
		if out.Err != nil {
			return from, fmt.Errorf("kafka: reading %s-%d at %d: %w", p.Topic, p.Partition, from, out.Err)
		}
		if err := f(out); err != nil {
			return from, err
		}
		from = out.Next
	}
	return from, nil
}
