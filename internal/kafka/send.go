package kafka

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// produceTimeout is how long a broker may take to answer.
const produceTimeout = 30 * time.Second

// parcel is a batch on its way.
type parcel struct {
	part *outgoing
	sealed
	topic  *Topic
	leader int32
}

// send is the producer's sender: it takes the first batch of every partition, sends one request to each broker, waits for
// the answers, and begins again.
func (p *Producer) send() {
	defer close(p.done)
	fresh := false
	for {
		ps, who := p.take()
		if len(ps) == 0 {
			select {
			case <-p.ctx.Done():
				return
			case <-p.wake:
				continue
			}
		}
		again, err := p.ship(ps, who, fresh)
		fresh = false
		if err != nil {
			p.failOf(who, err)
			continue
		}
		if again {
			fresh = true
			if sleep(p.ctx, 20*time.Millisecond) != nil {
				return
			}
		}
	}
}

// take returns the first queued batch of every partition, nothing while the transaction has failed.
func (p *Producer) take() (ps []parcel, who identity) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.err != nil || p.unsent == 0 {
		return nil, p.who
	}
	for _, o := range p.parts {
		if len(o.sealed) > 0 {
			ps = append(ps, parcel{part: o, sealed: o.sealed[0]})
		}
	}
	if !p.began {
		p.began, p.since = true, time.Now()
	}
	return ps, p.who
}

// failOf fails the transaction of who, unless it has been aborted meanwhile.
func (p *Producer) failOf(who identity, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.who == who && p.err == nil {
		p.err = err
	}
	p.cond.Broadcast()
}

// ship sends parcels. again says that some have to be sent again, after a look at where their partitions are.
func (p *Producer) ship(ps []parcel, who identity, fresh bool) (again bool, err error) {
	if p.id != "" && p.c.transactions < 2 {
		if err := p.addPartitions(ps, who); err != nil {
			return false, err
		}
	}
	if fresh {
		if _, err := p.c.askTopics(p.ctx, p.connections(), topicsOf(ps)); err != nil {
			return true, nil
		}
	}
	byLeader := map[int32][]parcel{}
	for _, x := range ps {
		t, leader, err := p.c.leader(p.ctx, x.part.Topic, x.part.Partition, false)
		if err != nil {
			if errors.Is(err, ErrNoTopic) {
				return false, err
			}
			again = true
			continue
		}
		x.topic, x.leader = t, leader
		byLeader[leader] = append(byLeader[leader], x)
	}
	type answer struct {
		again bool
		err   error
	}
	answers := make(chan answer, len(byLeader))
	for leader, xs := range byLeader {
		go func() {
			again, err := p.produce(leader, xs)
			answers <- answer{again, err}
		}()
	}
	for range byLeader {
		a := <-answers
		again = again || a.again
		if err == nil {
			err = a.err
		}
	}
	return again, err
}

func topicsOf(ps []parcel) []string {
	var names []string
	for _, x := range ps {
		if !slices.Contains(names, x.part.Topic) {
			names = append(names, x.part.Topic)
		}
	}
	return names
}

// produce sends parcels to one broker and settles those that are acknowledged.
func (p *Producer) produce(leader int32, ps []parcel) (again bool, err error) {
	req := kmsg.NewPtrProduceRequest()
	req.Acks, req.TimeoutMillis = -1, int32(produceTimeout.Milliseconds())
	if p.id != "" {
		req.TransactionID = kmsg.StringPtr(p.id)
	}
	at := map[string]int{}
	byPlace := map[Place]parcel{}
	names := map[[16]byte]string{}
	for _, x := range ps {
		i, ok := at[x.part.Topic]
		if !ok {
			t := kmsg.NewProduceRequestTopic()
			t.Topic, t.TopicID = x.part.Topic, x.topic.ID
			req.Topics = append(req.Topics, t)
			i = len(req.Topics) - 1
			at[x.part.Topic] = i
			names[x.topic.ID] = x.part.Topic
		}
		r := kmsg.NewProduceRequestTopicPartition()
		r.Partition, r.Records = x.part.Partition, x.bytes
		req.Topics[i].Partitions = append(req.Topics[i].Partitions, r)
		byPlace[x.part.Place] = x
	}
	kresp, err := p.connections().Broker(int(leader)).Request(p.ctx, req)
	if err != nil {
		if retriable(err) && p.ctx.Err() == nil {
			return true, nil
		}
		return false, fmt.Errorf("%w: produce: %w", ErrAborted, err)
	}
	for _, t := range kresp.(*kmsg.ProduceResponse).Topics {
		name := t.Topic
		if name == "" {
			name = names[t.TopicID]
		}
		for _, r := range t.Partitions {
			x, ok := byPlace[Place{name, r.Partition}]
			if !ok {
				continue
			}
			delete(byPlace, x.part.Place)
			one, e := p.settle(x, &r)
			again = again || one
			if err == nil {
				err = e
			}
		}
	}
	return again || len(byPlace) > 0, err
}

// complainEvery bounds how often refusals are logged.
const complainEvery = 5 * time.Second

// complain says that a broker refuses to store for now: its disk may be full.
func (p *Producer) complain(at string, err error, message *string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !errors.Is(err, kerr.KafkaStorageError) || time.Since(p.complained) < complainEvery {
		return
	}
	p.complained = time.Now()
	why := ""
	if message != nil {
		why = *message
	}
	p.c.cfg.Logger.Error("a broker refuses to store, it is asked again: make room on its disk, or mend it", "partition", at, "err", err, "why", why)
}

// settle takes the answer to one parcel.
func (p *Producer) settle(x parcel, r *kmsg.ProduceResponseTopicPartition) (again bool, err error) {
	err = kerr.ErrorForCode(r.ErrorCode)
	at := fmt.Sprintf("%s-%d", x.part.Topic, x.part.Partition)
	switch {
	case err == nil, errors.Is(err, kerr.DuplicateSequenceNumber):
	case errors.Is(err, kerr.UnknownTopicOrPartition) && p.gone(x.part.Topic):
		return false, fmt.Errorf("kafka: produce to %s: %w", at, ErrNoTopic)
	case fenced(err):
		return false, fmt.Errorf("%w: produce to %s: %w", ErrFenced, at, err)
	case retriable(err):
		p.complain(at, err, r.ErrorMessage)
		return true, nil
	case errors.Is(err, kerr.OutOfOrderSequenceNumber), errors.Is(err, kerr.UnknownProducerID),
		errors.Is(err, kerr.InvalidTxnState), errors.Is(err, kerr.TransactionAbortable):
		return false, fmt.Errorf("%w: produce to %s: %w", ErrAborted, at, err)
	default:
		return false, fmt.Errorf("kafka: produce to %s: %w", at, err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(x.part.sealed) == 0 || &x.part.sealed[0].bytes[0] != &x.bytes[0] {
		return false, nil // aborted meanwhile
	}
	if r.BaseOffset >= 0 {
		x.part.next = r.BaseOffset + int64(x.count)
	}
	x.part.sealed = x.part.sealed[1:]
	p.queued -= len(x.bytes)
	p.unsent--
	p.cond.Broadcast()
	return false, nil
}

// gone reports whether a topic is really not there, rather than not yet known.
func (p *Producer) gone(topic string) bool {
	ctx, cancel := context.WithTimeout(p.ctx, 5*time.Second)
	defer cancel()
	ts, err := p.c.Topics(ctx, true, topic)
	return err == nil && ts[topic] == nil
}

// addPartitions tells the coordinator, under the first protocol, which partitions the transaction is about to write.
func (p *Producer) addPartitions(ps []parcel, who identity) error {
	at := map[string][]int32{}
	p.mu.Lock()
	for _, x := range ps {
		if !x.part.added {
			at[x.part.Topic] = append(at[x.part.Topic], x.part.Partition)
		}
	}
	p.mu.Unlock()
	if len(at) == 0 {
		return nil
	}
	for {
		req := kmsg.NewPtrAddPartitionsToTxnRequest()
		req.TransactionalID, req.ProducerID, req.ProducerEpoch = p.id, who.id, who.epoch
		for topic, parts := range at {
			t := kmsg.NewAddPartitionsToTxnRequestTopic()
			t.Topic, t.Partitions = topic, parts
			req.Topics = append(req.Topics, t)
		}
		resp, err := req.RequestWith(p.ctx, p.connections())
		if err == nil {
			err = addedError(resp)
		}
		if done, err := p.answered(p.ctx, "add partitions", err); done {
			if err == nil {
				p.markAdded(ps, who)
			}
			return err
		}
	}
}

func (p *Producer) markAdded(ps []parcel, who identity) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.who != who {
		return
	}
	for _, x := range ps {
		x.part.added = true
	}
}

func addedError(resp *kmsg.AddPartitionsToTxnResponse) (err error) {
	for _, t := range resp.Topics {
		for _, r := range t.Partitions {
			e := kerr.ErrorForCode(r.ErrorCode)
			if e != nil && (err == nil || errors.Is(err, kerr.OperationNotAttempted)) {
				err = e
			}
		}
	}
	return err
}
