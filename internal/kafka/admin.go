package kafka

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/kversion"
)

// versions caps requests: positions go by topic name, which later versions replace by an id; and below version 2 of the
// transaction protocol, whose requests' versions are the mode of a transaction, at what the first has.
func versions(transactions int) *kversion.Versions {
	v := kversion.Stable()
	v.SetMaxKeyVersion(kmsg.OffsetCommit.Int16(), 9)
	v.SetMaxKeyVersion(kmsg.OffsetFetch.Int16(), 9)
	v.SetMaxKeyVersion(kmsg.TxnOffsetCommit.Int16(), 5)
	if transactions < 2 {
		v.SetMaxKeyVersion(kmsg.Produce.Int16(), 11)
		v.SetMaxKeyVersion(kmsg.TxnOffsetCommit.Int16(), 4)
		v.SetMaxKeyVersion(kmsg.EndTxn.Int16(), 4)
	}
	return v
}

// NewTopic is a topic to be made.
type NewTopic struct {
	Name        string
	Partitions  int32 // -1: the broker's default
	Replication int16 // -1: the broker's default
	Settings    map[string]string
}

// CreateTopics makes topics and waits until they are known. One that exists already is no error.
func (c *Client) CreateTopics(ctx context.Context, topics ...NewTopic) error {
	if len(topics) == 0 {
		return nil
	}
	req := kmsg.NewPtrCreateTopicsRequest()
	req.TimeoutMillis = 30_000
	var names []string
	for _, t := range topics {
		r := kmsg.NewCreateTopicsRequestTopic()
		r.Topic, r.NumPartitions, r.ReplicationFactor = t.Name, t.Partitions, t.Replication
		for k, v := range t.Settings {
			s := kmsg.NewCreateTopicsRequestTopicConfig()
			s.Name, s.Value = k, kmsg.StringPtr(v)
			r.Configs = append(r.Configs, s)
		}
		req.Topics = append(req.Topics, r)
		names = append(names, t.Name)
	}
	var resp *kmsg.CreateTopicsResponse
	err := patiently(ctx, func() (err error) {
		resp, err = req.RequestWith(ctx, c.cl)
		return err
	})
	if err != nil {
		return fmt.Errorf("kafka: create topics: %w", err)
	}
	var errs []error
	for _, r := range resp.Topics {
		err := kerr.ErrorForCode(r.ErrorCode)
		if err == nil || errors.Is(err, kerr.TopicAlreadyExists) {
			continue
		}
		text := ""
		if r.ErrorMessage != nil {
			text = ": " + *r.ErrorMessage
		}
		errs = append(errs, fmt.Errorf("kafka: create topic %q%s: %w", r.Topic, text, err))
	}
	if len(errs) > 0 {
		return errors.Join(errs...)
	}
	// A topic can be made before every broker's metadata says so.
	for {
		ts, err := c.Topics(ctx, true, names...)
		if err != nil {
			return err
		}
		if len(ts) == len(names) && allLed(ts) {
			return nil
		}
		if err := sleep(ctx, 20*time.Millisecond); err != nil {
			return fmt.Errorf("kafka: waiting for new topics: %w", err)
		}
	}
}

func allLed(ts map[string]*Topic) bool {
	for _, t := range ts {
		for _, l := range t.Leaders {
			if l < 0 {
				return false
			}
		}
	}
	return true
}

// DeleteTopics deletes topics. One that does not exist is no error.
func (c *Client) DeleteTopics(ctx context.Context, names ...string) error {
	if len(names) == 0 {
		return nil
	}
	rs, err := c.admin.DeleteTopics(ctx, names...)
	if err != nil {
		return fmt.Errorf("kafka: delete topics: %w", err)
	}
	var errs []error
	for _, r := range rs {
		if r.Err != nil && !errors.Is(r.Err, kerr.UnknownTopicOrPartition) {
			errs = append(errs, fmt.Errorf("kafka: delete topic %q: %w", r.Topic, r.Err))
		}
	}
	return errors.Join(errs...)
}

// Settings returns the settings of topics, by topic and name.
func (c *Client) Settings(ctx context.Context, topics ...string) (map[string]map[string]string, error) {
	all := map[string]map[string]string{}
	if len(topics) == 0 {
		return all, nil
	}
	var rs kadm.ResourceConfigs
	err := patiently(ctx, func() (err error) {
		rs, err = c.admin.DescribeTopicConfigs(ctx, topics...)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("kafka: describe topics: %w", err)
	}
	for _, r := range rs {
		if r.Err != nil {
			return nil, fmt.Errorf("kafka: describe topic %q: %w", r.Name, r.Err)
		}
		m := map[string]string{}
		for _, s := range r.Configs {
			if s.Value != nil {
				m[s.Key] = *s.Value
			}
		}
		all[r.Name] = m
	}
	return all, nil
}

// Place is a partition.
type Place struct {
	Topic     string
	Partition int32
}

// Where is a kind of offset to ask for.
type Where int64

const (
	Begin  Where = -2 // the log start
	End    Where = -1 // the high watermark
	Stable Where = -3 // the last stable offset: what read_committed can see
)

// Ends returns offsets of partitions: begin, end, stable end, or the first at or after a time in ms if w ≥ 0 (the end if
// there is none).
func (c *Client) Ends(ctx context.Context, w Where, places ...Place) (map[Place]int64, error) {
	out := make(map[Place]int64, len(places))
	if len(places) == 0 {
		return out, nil
	}
	for {
		left, err := c.ends(ctx, w, places, out)
		if err != nil {
			return nil, err
		}
		if len(left) == 0 {
			break
		}
		places = left
		if err := sleep(ctx, 50*time.Millisecond); err != nil {
			return nil, fmt.Errorf("kafka: offsets of %s-%d: %w", left[0].Topic, left[0].Partition, err)
		}
	}
	var none []Place
	for p, o := range out {
		if o < 0 {
			none = append(none, p)
		}
	}
	if w >= 0 && len(none) > 0 {
		ends, err := c.Ends(ctx, End, none...)
		if err != nil {
			return nil, err
		}
		for p, o := range ends {
			out[p] = o
		}
	}
	return out, nil
}

// ends asks once, and returns those that have to be asked again.
func (c *Client) ends(ctx context.Context, w Where, places []Place, out map[Place]int64) (left []Place, err error) {
	req := kmsg.NewPtrListOffsetsRequest()
	req.ReplicaID = -1
	at := int64(w)
	if w == Stable {
		at, req.IsolationLevel = int64(End), 1
	}
	byTopic := map[string]int{}
	for _, p := range places {
		i, ok := byTopic[p.Topic]
		if !ok {
			t := kmsg.NewListOffsetsRequestTopic()
			t.Topic = p.Topic
			req.Topics = append(req.Topics, t)
			i = len(req.Topics) - 1
			byTopic[p.Topic] = i
		}
		r := kmsg.NewListOffsetsRequestTopicPartition()
		r.Partition, r.Timestamp, r.CurrentLeaderEpoch = p.Partition, at, -1
		req.Topics[i].Partitions = append(req.Topics[i].Partitions, r)
	}
	for _, shard := range c.cl.RequestSharded(ctx, req) {
		if shard.Err != nil {
			if ctx.Err() != nil || !retriable(shard.Err) {
				return nil, fmt.Errorf("kafka: list offsets: %w", shard.Err)
			}
			continue
		}
		for _, t := range shard.Resp.(*kmsg.ListOffsetsResponse).Topics {
			for _, p := range t.Partitions {
				err := kerr.ErrorForCode(p.ErrorCode)
				if err != nil && !retriable(err) {
					return nil, fmt.Errorf("kafka: offsets of %s-%d: %w", t.Topic, p.Partition, err)
				}
				if err == nil {
					out[Place{t.Topic, p.Partition}] = p.Offset
				}
			}
		}
	}
	for _, p := range places {
		if _, ok := out[p]; !ok {
			left = append(left, p)
		}
	}
	return left, nil
}

// DeleteRecords removes what lies before the given offsets.
func (c *Client) DeleteRecords(ctx context.Context, before map[Place]int64) error {
	if len(before) == 0 {
		return nil
	}
	os := kadm.Offsets{}
	for p, o := range before {
		os.Add(kadm.Offset{Topic: p.Topic, Partition: p.Partition, At: o, LeaderEpoch: -1})
	}
	rs, err := c.admin.DeleteRecords(ctx, os)
	if err != nil {
		return fmt.Errorf("kafka: delete records: %w", err)
	}
	return rs.Error()
}

// Committed is a committed position.
type Committed struct {
	Offset   int64 // -1: none
	Metadata string
}

// Committed returns the group's positions, waiting for transactions that hold some to be resolved.
func (c *Client) Committed(ctx context.Context, group string, places ...Place) (map[Place]Committed, error) {
	for {
		out, again, err := c.committed(ctx, group, places, true)
		if err != nil {
			return nil, fmt.Errorf("kafka: offsets of group %q: %w", group, err)
		}
		if !again {
			return out, nil
		}
		if err := sleep(ctx, 50*time.Millisecond); err != nil {
			return nil, fmt.Errorf("kafka: offsets of group %q are in an open transaction: %w", group, err)
		}
	}
}

// CommittedSoFar is Committed without the wait: what an open transaction holds counts for nothing.
func (c *Client) CommittedSoFar(ctx context.Context, group string, places ...Place) (map[Place]Committed, error) {
	out, again, err := c.committed(ctx, group, places, false)
	if err != nil || again {
		return nil, fmt.Errorf("kafka: offsets of group %q: %w", group, cmp.Or(err, errors.New("the coordinator is not there at the moment")))
	}
	return out, nil
}

func (c *Client) committed(ctx context.Context, group string, places []Place, stable bool) (out map[Place]Committed, again bool, err error) {
	req := kmsg.NewPtrOffsetFetchRequest()
	req.Group, req.RequireStable = group, stable
	byTopic := map[string][]int32{}
	for _, p := range places {
		byTopic[p.Topic] = append(byTopic[p.Topic], p.Partition)
	}
	for topic, ps := range byTopic {
		t := kmsg.NewOffsetFetchRequestTopic()
		t.Topic, t.Partitions = topic, ps
		req.Topics = append(req.Topics, t)
	}
	resp, err := req.RequestWith(ctx, c.cl)
	if err != nil {
		return nil, retriable(err) && ctx.Err() == nil, onlyIf(err, !retriable(err) || ctx.Err() != nil)
	}
	if err := kerr.ErrorForCode(resp.ErrorCode); err != nil {
		return nil, retriable(err), onlyIf(err, !retriable(err))
	}
	out = make(map[Place]Committed, len(places))
	for _, t := range resp.Topics {
		for _, p := range t.Partitions {
			if err := kerr.ErrorForCode(p.ErrorCode); err != nil {
				return nil, retriable(err), onlyIf(err, !retriable(err))
			}
			k := Committed{Offset: p.Offset}
			if p.Metadata != nil {
				k.Metadata = *p.Metadata
			}
			out[Place{t.Topic, p.Partition}] = k
		}
	}
	for _, p := range places {
		if _, ok := out[p]; !ok {
			return nil, false, fmt.Errorf("%s-%d is missing in the answer", p.Topic, p.Partition)
		}
	}
	return out, false, nil
}

func onlyIf(err error, really bool) error {
	if really {
		return err
	}
	return nil
}

// DeleteGroup removes a group and its positions. One that does not exist is no error.
func (c *Client) DeleteGroup(ctx context.Context, group string) error {
	r, err := c.admin.DeleteGroup(ctx, group)
	if err == nil {
		err = r.Err
	}
	if err != nil && !errors.Is(err, kerr.GroupIDNotFound) {
		return fmt.Errorf("kafka: delete group %q: %w", group, err)
	}
	return nil
}

// Admin is kadm's client, for the command line tools.
func (c *Client) Admin() *kadm.Client { return c.admin }
