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
	"github.com/thalweg/thalweg/internal/edge"
)

// Sizes of what a producer collects.
const (
	batchLimit  = 768 << 10 // a batch is sealed before it grows beyond; brokers take 1 MiB by default
	queuedLimit = 32 << 20  // bytes sealed and not yet acknowledged: then Append waits
)

// Producer writes batches with its own requests: a transactional one under a lasting id, or an idempotent one. It has
// connections of its own, as a broker answers the requests of one connection in turn and each may wait for replicas or the disk:
// workers that shared one would commit one after the other.
//
//	Init → { Append … → Commit | Abort } … → Close
//
// # Invariants
//
//   - Append, Commit, Abort belong to one goroutine; a sender of the producer's own works beside it.
//   - Batches of a partition are sent in order, one at a time, and again under the same sequence until they are
//     answered: the broker knows a duplicate.
//   - After an error nothing more is sent until Abort.
type Producer struct {
	c       *Client
	id      string // transactional id; "": idempotent only
	timeout time.Duration

	mu         sync.Mutex  // protects following fields
	cl         *kgo.Client // from the first Init on
	cond       sync.Cond   // something was acknowledged, or failed
	who        identity
	parts      map[Place]*outgoing
	queued     int   // bytes sealed and not acknowledged
	unsent     int   // batches sealed and not acknowledged
	err        error // of the transaction
	began      bool  // the coordinator knows of a transaction
	since      time.Time
	complained time.Time // when a refusal was logged last

	wake   chan struct{}
	ctx    context.Context
	cancel context.CancelFunc
	done   chan struct{}
}

// identity is by whom a transaction is written. It changes with every Init, and under the second protocol with every
// commit.
type identity struct {
	id    int64
	epoch int16
}

// outgoing is one partition that is written.
type outgoing struct {
	Place
	builder batch.Builder
	sealed  []sealed
	seq     int32
	next    int64 // the offset behind the last acknowledged record; -1: none in this transaction
	added   bool  // the coordinator has been told (first protocol)
}

type sealed struct {
	bytes []byte
	count int32
}

// NewProducer returns a producer under a transactional id, or an idempotent one if id is empty. timeout is how long a
// transaction may stay open. It has to be initialized before use.
func (c *Client) NewProducer(id string, timeout time.Duration) *Producer {
	p := &Producer{c: c, id: id, timeout: timeout, who: identity{-1, -1}, parts: map[Place]*outgoing{}, wake: make(chan struct{}, 1), done: make(chan struct{})}
	p.cond.L = &p.mu
	p.ctx, p.cancel = context.WithCancel(context.Background())
	go p.send()
	return p
}

// Close ends the producer. An open transaction is left to time out or to the next Init of its id.
func (p *Producer) Close() {
	p.cancel()
	_ = p.fail(errClosed) // whoever waits in Append or Flush
	<-p.done
	if cl := p.connections(); cl != nil {
		cl.Close()
	}
}

// connections returns the producer's own, which are there from the first Init on.
func (p *Producer) connections() *kgo.Client {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.cl
}

// connect makes the producer's connections; they are opened by the first requests.
func (p *Producer) connect() (*kgo.Client, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ctx.Err() != nil {
		return nil, errClosed
	}
	if p.cl == nil {
		cl, err := p.c.connections()
		if err != nil {
			return nil, err
		}
		p.cl = cl
	}
	return p.cl, nil
}

// errClosed is of a producer that is used after Close.
var errClosed = fmt.Errorf("%w: the producer is closed", ErrAborted)

// Init gets the producer an id and an epoch of its own, and aborts what an earlier holder of its id has left open. It
// names no epoch it had before: a transaction that timed out has taken that away.
func (p *Producer) Init(ctx context.Context) error {
	cl, err := p.connect()
	if err != nil {
		return err
	}
	for {
		req := kmsg.NewPtrInitProducerIDRequest()
		req.ProducerID, req.ProducerEpoch = -1, -1
		if p.id != "" {
			req.TransactionalID = kmsg.StringPtr(p.id)
			req.TransactionTimeoutMillis = int32(p.timeout.Milliseconds())
		}
		resp, err := req.RequestWith(ctx, cl)
		if err == nil {
			err = kerr.ErrorForCode(resp.ErrorCode)
		}
		switch {
		case err == nil:
			p.mu.Lock()
			p.who = identity{resp.ProducerID, resp.ProducerEpoch}
			p.resetLocked(true)
			p.mu.Unlock()
			return nil
		case fenced(err):
			return fmt.Errorf("%w: producer %q: %w", ErrFenced, p.id, err)
		case !retriable(err) || ctx.Err() != nil:
			return fmt.Errorf("kafka: init producer %q: %w", p.id, err)
		}
		if err := sleep(ctx, 20*time.Millisecond); err != nil {
			return fmt.Errorf("kafka: init producer %q: %w", p.id, err)
		}
	}
}

// resetLocked forgets what the ended transaction has collected. fresh says that sequences begin anew.
func (p *Producer) resetLocked(fresh bool) {
	for _, o := range p.parts {
		o.builder.Reset()
		o.sealed, o.next, o.added = nil, -1, false
		if fresh {
			o.seq = 0
		}
	}
	p.queued, p.unsent, p.err, p.began = 0, 0, nil, false
}

// Out returns the way into a topic, which must exist.
func (p *Producer) Out(ctx context.Context, topic string) (edge.Out, error) {
	t, err := p.c.topic(ctx, topic, false)
	if err != nil {
		return nil, err
	}
	o := &out{p: p, parts: make([]*outgoing, len(t.Leaders))}
	p.mu.Lock()
	defer p.mu.Unlock()
	for i := range o.parts {
		at := Place{topic, int32(i)}
		if p.parts[at] == nil {
			part := &outgoing{Place: at, next: -1}
			part.builder.Reset()
			p.parts[at] = part
		}
		o.parts[i] = p.parts[at]
	}
	return o, nil
}

// out is one topic of a producer.
type out struct {
	p     *Producer
	parts []*outgoing
	turn  int // partition for records without a key: one stays until its batch is sealed
}

// Partitions implements edge.Out.
func (o *out) Partitions() int32 { return int32(len(o.parts)) }

// Append implements edge.Out. It waits while too much is under way.
func (o *out) Append(partition int32, time int64, key, value, headers []byte) error {
	if partition < 0 {
		partition = int32(o.turn % len(o.parts))
	}
	part := o.parts[partition]
	if n := part.builder.Bytes() + len(key) + len(value) + len(headers); n > batchLimit && part.builder.Len() > 0 {
		if err := o.p.seal(part); err != nil {
			return err
		}
		o.turn++
	}
	// The sender never looks at a builder, so it needs no lock.
	part.builder.Append(time, key, value, headers)
	return nil
}

// seal closes the batch of a partition and queues it for the sender.
func (p *Producer) seal(o *outgoing) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	for p.queued > queuedLimit && p.err == nil && p.ctx.Err() == nil {
		p.cond.Wait()
	}
	if p.err != nil {
		return p.err
	}
	n := int32(o.builder.Len())
	b, err := o.builder.Finish(batch.Seal{
		ProducerID: p.who.id, ProducerEpoch: p.who.epoch, BaseSequence: o.seq, Transactional: p.id != "", LeaderEpoch: -1,
	})
	if err != nil {
		return fmt.Errorf("kafka: batch for %s-%d: %w", o.Topic, o.Partition, err)
	}
	o.sealed = append(o.sealed, sealed{append([]byte(nil), b...), n})
	o.seq = addSequence(o.seq, n)
	o.builder.Reset()
	p.queued += len(b)
	p.unsent++
	select {
	case p.wake <- struct{}{}:
	default:
	}
	return nil
}

// addSequence is seq + n; behind the greatest int32 comes 0.
func addSequence(seq, n int32) int32 {
	if s := int64(seq) + int64(n); s > 1<<31-1 {
		return int32(s - 1<<31)
	}
	return seq + n
}

// Pending returns the bytes that have been appended and not acknowledged, and since when a transaction is open.
func (p *Producer) Pending() (bytes int, since time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.began {
		since = p.since
	}
	return p.queued, since
}

// Send hands what was appended to the sender.
func (p *Producer) Send() error {
	for _, o := range p.partList() {
		if o.builder.Len() == 0 {
			continue
		}
		if err := p.seal(o); err != nil {
			return err
		}
	}
	return nil
}

// Flush sends what was appended and waits until all of it is acknowledged.
func (p *Producer) Flush(ctx context.Context) error {
	if err := p.Send(); err != nil {
		return err
	}
	stop := context.AfterFunc(ctx, func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.cond.Broadcast()
	})
	defer stop()
	p.mu.Lock()
	defer p.mu.Unlock()
	for p.unsent > 0 && p.err == nil && ctx.Err() == nil {
		p.cond.Wait()
	}
	if p.err == nil && ctx.Err() != nil {
		p.err = fmt.Errorf("%w: flush: %w", ErrAborted, context.Cause(ctx))
	}
	return p.err
}

func (p *Producer) partList() (os []*outgoing) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, o := range p.parts {
		os = append(os, o)
	}
	return os
}

// Written returns the offset behind the last record that this transaction has written to a partition.
func (p *Producer) Written(at Place) (next int64, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	o := p.parts[at]
	return nextOf(o), o != nil && o.next >= 0
}

func nextOf(o *outgoing) int64 {
	if o == nil {
		return -1
	}
	return o.next
}

// Generation is a member's standing in its group, as a commit has to show it.
type Generation struct {
	Group, Member string
	Instance      *string
	Generation    int32
}

// Position is an offset to commit.
type Position struct {
	Place
	Offset   int64
	Metadata string
}

// CommitOffsets puts positions into the open transaction; outside of one (an idempotent producer) it commits them at
// once. ErrGeneration asks to wait for the group and to call again.
func (p *Producer) CommitOffsets(ctx context.Context, g Generation, ps []Position) error {
	if len(ps) == 0 {
		return nil
	}
	if p.id == "" {
		return p.c.commitPlain(ctx, g, ps)
	}
	if p.c.transactions < 2 {
		if err := p.addOffsets(ctx, g.Group); err != nil {
			return p.fail(err)
		}
	}
	p.begin()
	for {
		err := p.commitOffsets(ctx, g, ps)
		switch {
		case err == nil:
			return nil
		case rebalancing(err):
			return fmt.Errorf("%w: %w", ErrGeneration, err)
		case fenced(err):
			return p.fail(fmt.Errorf("%w: offsets: %w", ErrFenced, err))
		case !retriable(err) || ctx.Err() != nil:
			return p.fail(fmt.Errorf("%w: offsets: %w", ErrAborted, err))
		}
		if err := sleep(ctx, 20*time.Millisecond); err != nil {
			return p.fail(fmt.Errorf("%w: offsets: %w", ErrAborted, err))
		}
	}
}

func (p *Producer) identity() identity {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.who
}

func (p *Producer) begin() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.began {
		p.began, p.since = true, time.Now()
	}
}

// fail makes err the end of the transaction, unless there is one already.
func (p *Producer) fail(err error) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.err == nil {
		p.err = err
	}
	p.cond.Broadcast()
	return p.err
}

func (p *Producer) addOffsets(ctx context.Context, group string) error {
	for {
		req := kmsg.NewPtrAddOffsetsToTxnRequest()
		who := p.identity()
		req.TransactionalID, req.ProducerID, req.ProducerEpoch, req.Group = p.id, who.id, who.epoch, group
		resp, err := req.RequestWith(ctx, p.connections())
		if err == nil {
			err = kerr.ErrorForCode(resp.ErrorCode)
		}
		if done, err := p.answered(ctx, "add offsets", err); done {
			return err
		}
	}
}

// answered sorts the answer of a coordinator: done, or to be asked again after a while.
func (p *Producer) answered(ctx context.Context, what string, err error) (done bool, _ error) {
	switch {
	case err == nil:
		return true, nil
	case fenced(err):
		return true, fmt.Errorf("%w: %s: %w", ErrFenced, what, err)
	case !retriable(err) || ctx.Err() != nil:
		return true, fmt.Errorf("%w: %s: %w", ErrAborted, what, err)
	}
	if err := sleep(ctx, 20*time.Millisecond); err != nil {
		return true, fmt.Errorf("%w: %s: %w", ErrAborted, what, err)
	}
	return false, nil
}

func (p *Producer) commitOffsets(ctx context.Context, g Generation, ps []Position) error {
	req := kmsg.NewPtrTxnOffsetCommitRequest()
	who := p.identity()
	req.TransactionalID, req.Group, req.ProducerID, req.ProducerEpoch = p.id, g.Group, who.id, who.epoch
	req.MemberID, req.InstanceID, req.Generation = g.Member, g.Instance, g.Generation
	at := map[string]int{}
	for _, o := range ps {
		i, ok := at[o.Topic]
		if !ok {
			t := kmsg.NewTxnOffsetCommitRequestTopic()
			t.Topic = o.Topic
			req.Topics = append(req.Topics, t)
			i = len(req.Topics) - 1
			at[o.Topic] = i
		}
		r := kmsg.NewTxnOffsetCommitRequestTopicPartition()
		r.Partition, r.Offset, r.Metadata, r.LeaderEpoch = o.Partition, o.Offset, kmsg.StringPtr(o.Metadata), -1
		req.Topics[i].Partitions = append(req.Topics[i].Partitions, r)
	}
	resp, err := req.RequestWith(ctx, p.connections())
	if err != nil {
		return err
	}
	for _, t := range resp.Topics {
		for _, r := range t.Partitions {
			if err := kerr.ErrorForCode(r.ErrorCode); err != nil {
				return fmt.Errorf("%s-%d: %w", t.Topic, r.Partition, err)
			}
		}
	}
	return nil
}

// commitPlain commits positions outside of a transaction.
func (c *Client) commitPlain(ctx context.Context, g Generation, ps []Position) error {
	req := kmsg.NewPtrOffsetCommitRequest()
	req.Group, req.MemberID, req.InstanceID, req.Generation = g.Group, g.Member, g.Instance, g.Generation
	at := map[string]int{}
	for _, o := range ps {
		i, ok := at[o.Topic]
		if !ok {
			t := kmsg.NewOffsetCommitRequestTopic()
			t.Topic = o.Topic
			req.Topics = append(req.Topics, t)
			i = len(req.Topics) - 1
			at[o.Topic] = i
		}
		r := kmsg.NewOffsetCommitRequestTopicPartition()
		r.Partition, r.Offset, r.Metadata, r.LeaderEpoch = o.Partition, o.Offset, kmsg.StringPtr(o.Metadata), -1
		req.Topics[i].Partitions = append(req.Topics[i].Partitions, r)
	}
	resp, err := req.RequestWith(ctx, c.cl)
	if err != nil {
		return fmt.Errorf("%w: offsets: %w", ErrAborted, err)
	}
	for _, t := range resp.Topics {
		for _, r := range t.Partitions {
			switch err := kerr.ErrorForCode(r.ErrorCode); {
			case rebalancing(err):
				return fmt.Errorf("%w: %w", ErrGeneration, err)
			case fenced(err):
				return fmt.Errorf("%w: offsets: %w", ErrFenced, err)
			case err != nil:
				return fmt.Errorf("%w: offsets of %s-%d: %w", ErrAborted, t.Topic, r.Partition, err)
			}
		}
	}
	return nil
}

// Commit ends the transaction. All must have been flushed. Without an open transaction it does nothing.
func (p *Producer) Commit(ctx context.Context) error {
	p.mu.Lock()
	err, began := p.err, p.began
	p.mu.Unlock()
	if err != nil {
		return err
	}
	if p.id == "" || !began {
		p.mu.Lock()
		p.resetLocked(false)
		p.mu.Unlock()
		return nil
	}
	for {
		err := p.endTxn(ctx)
		switch {
		case err == nil:
			return nil
		case fenced(err):
			return p.fail(fmt.Errorf("%w: commit: %w", ErrFenced, err))
		case errors.Is(err, kerr.InvalidTxnState), errors.Is(err, kerr.TransactionAbortable):
			return p.fail(fmt.Errorf("%w: commit: %w", ErrAborted, err))
		case !retriable(err) || ctx.Err() != nil:
			return p.fail(fmt.Errorf("%w: %w", ErrUnknown, err))
		}
		if err := sleep(ctx, 10*time.Millisecond); err != nil {
			return p.fail(fmt.Errorf("%w: %w", ErrUnknown, err))
		}
	}
}

func (p *Producer) endTxn(ctx context.Context) error {
	req := kmsg.NewPtrEndTxnRequest()
	who := p.identity()
	req.TransactionalID, req.ProducerID, req.ProducerEpoch, req.Commit = p.id, who.id, who.epoch, true
	resp, err := req.RequestWith(ctx, p.connections())
	if err == nil {
		err = kerr.ErrorForCode(resp.ErrorCode)
	}
	if err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	next := p.c.transactions >= 2 && resp.ProducerID >= 0
	if next {
		p.who = identity{resp.ProducerID, resp.ProducerEpoch}
	}
	p.resetLocked(next)
	return nil
}

// Abort takes back what was written since the last commit, and gets the producer a new epoch: whatever is still under
// way of the old one is refused.
func (p *Producer) Abort(ctx context.Context) error {
	p.mu.Lock()
	if p.err == nil {
		p.err = ErrAborted // stops the sender
	}
	clean := !p.began && p.unsent == 0 && p.err == ErrAborted
	if clean {
		p.resetLocked(false)
	}
	p.cond.Broadcast()
	p.mu.Unlock()
	if clean {
		return nil
	}
	return p.Init(ctx)
}
