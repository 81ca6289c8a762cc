package kafka

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// TopicInfo describes a topic to a person.
type TopicInfo struct {
	Name       string            `json:"name"`
	ID         string            `json:"id"`
	Internal   bool              `json:"internal"`
	Partitions []PartitionInfo   `json:"partitions"`
	Settings   map[string]string `json:"settings,omitempty"`
}

// PartitionInfo describes a partition. Its offsets are -1 where they were not asked for.
type PartitionInfo struct {
	Partition int32   `json:"partition"`
	Leader    int32   `json:"leader"`
	Replicas  []int32 `json:"replicas"`
	InSync    []int32 `json:"in_sync"`
	Start     int64   `json:"start"`
	Stable    int64   `json:"stable"`
	End       int64   `json:"end"`
}

// ListTopics returns all topics by name, the brokers' own if internal.
func (c *Client) ListTopics(ctx context.Context, internal bool) ([]TopicInfo, error) {
	ts, err := c.admin.ListTopicsWithInternal(ctx)
	if err != nil {
		return nil, fmt.Errorf("kafka: list topics: %w", err)
	}
	list := []TopicInfo{}
	for _, t := range ts.Sorted() {
		if t.IsInternal && !internal || t.Err != nil {
			continue
		}
		info := TopicInfo{Name: t.Topic, ID: hex.EncodeToString(t.ID[:]), Internal: t.IsInternal}
		for _, p := range t.Partitions.Sorted() {
			info.Partitions = append(info.Partitions, PartitionInfo{
				Partition: p.Partition, Leader: p.Leader, Replicas: p.Replicas, InSync: p.ISR, Start: -1, Stable: -1, End: -1,
			})
		}
		list = append(list, info)
	}
	return list, nil
}

// DescribeTopic returns one topic with its offsets and settings. One that does not exist is ErrNoTopic.
func (c *Client) DescribeTopic(ctx context.Context, name string) (TopicInfo, error) {
	all, err := c.ListTopics(ctx, true)
	if err != nil {
		return TopicInfo{}, err
	}
	i := slices.IndexFunc(all, func(t TopicInfo) bool { return t.Name == name })
	if i < 0 {
		return TopicInfo{}, fmt.Errorf("kafka: topic %q: %w", name, ErrNoTopic)
	}
	t := all[i]
	var places []Place
	for _, p := range t.Partitions {
		places = append(places, Place{name, p.Partition})
	}
	for w, field := range map[Where]func(*PartitionInfo) *int64{
		Begin:  func(p *PartitionInfo) *int64 { return &p.Start },
		Stable: func(p *PartitionInfo) *int64 { return &p.Stable },
		End:    func(p *PartitionInfo) *int64 { return &p.End },
	} {
		at, err := c.Ends(ctx, w, places...)
		if err != nil {
			return t, err
		}
		for i := range t.Partitions {
			*field(&t.Partitions[i]) = at[Place{name, t.Partitions[i].Partition}]
		}
	}
	settings, err := c.Settings(ctx, name)
	t.Settings = settings[name]
	return t, err
}

// GroupInfo describes a group to a person.
type GroupInfo struct {
	Name      string          `json:"name"`
	State     string          `json:"state"`
	Type      string          `json:"type"`
	Protocol  string          `json:"protocol,omitempty"`
	Members   []MemberInfo    `json:"members,omitempty"`
	Positions []GroupPosition `json:"positions,omitempty"`
}

// MemberInfo describes a member of a group.
type MemberInfo struct {
	ID       string `json:"id"`
	Instance string `json:"instance,omitempty"`
	Client   string `json:"client"`
	Host     string `json:"host"`
}

// GroupPosition is how far a group has come in a partition.
type GroupPosition struct {
	Topic     string `json:"topic"`
	Partition int32  `json:"partition"`
	Committed int64  `json:"committed"` // -1: nothing is committed
	End       int64  `json:"end"`
	Lag       int64  `json:"lag"` // -1: not known
	Member    string `json:"member,omitempty"`
}

// ErrNoGroup is of a group that does not exist.
var ErrNoGroup = errors.New("it does not exist")

// ListGroups returns all groups by name, without members and positions.
func (c *Client) ListGroups(ctx context.Context) ([]GroupInfo, error) {
	gs, err := c.admin.ListGroups(ctx)
	if err != nil {
		return nil, fmt.Errorf("kafka: list groups: %w", err)
	}
	list := []GroupInfo{}
	for _, g := range gs.Sorted() {
		list = append(list, GroupInfo{Name: g.Group, State: g.State, Type: g.ProtocolType})
	}
	return list, nil
}

// DescribeGroup returns one group with its members and positions. One that does not exist is ErrNoGroup.
func (c *Client) DescribeGroup(ctx context.Context, name string) (GroupInfo, error) {
	all, err := c.ListGroups(ctx)
	if err != nil {
		return GroupInfo{}, err
	}
	if !slices.ContainsFunc(all, func(g GroupInfo) bool { return g.Name == name }) {
		return GroupInfo{}, fmt.Errorf("kafka: group %q: %w", name, ErrNoGroup)
	}
	lags, err := c.admin.Lag(ctx, name)
	if err != nil {
		return GroupInfo{}, fmt.Errorf("kafka: describe group %q: %w", name, err)
	}
	l := lags[name]
	if err := l.Error(); err != nil {
		return GroupInfo{}, fmt.Errorf("kafka: describe group %q: %w", name, err)
	}
	g := GroupInfo{Name: name, State: l.State, Type: l.ProtocolType, Protocol: l.Protocol}
	for _, m := range l.Members {
		info := MemberInfo{ID: m.MemberID, Client: m.ClientID, Host: strings.TrimPrefix(m.ClientHost, "/")}
		if m.InstanceID != nil {
			info.Instance = *m.InstanceID
		}
		g.Members = append(g.Members, info)
	}
	for _, p := range l.Lag.Sorted() {
		pos := GroupPosition{Topic: p.Topic, Partition: p.Partition, Committed: p.Commit.At, End: p.End.Offset, Lag: p.Lag}
		if p.Member != nil {
			pos.Member = p.Member.MemberID
		}
		g.Positions = append(g.Positions, pos)
	}
	return g, nil
}

// Plain is a record as it is.
type Plain struct {
	Key, Value []byte // nil: null
	Partition  int32  // of Sender.Put: -1 chooses by key, as Kafka's own clients do
}

// Sender writes plain records, each acknowledged by all replicas and written once, outside of transactions.
type Sender struct {
	cl         *kgo.Client
	topic      string
	partitions int
	err        chan error // the first failure
}

// NewSender returns a sender to one topic, which must exist.
func (c *Client) NewSender(ctx context.Context, topic string) (*Sender, error) {
	t, err := c.topic(ctx, topic, true)
	if err != nil {
		return nil, err
	}
	cl, err := kgo.NewClient(append(c.options(), kgo.MaxVersions(versions(c.transactions)), kgo.RecordPartitioner(partitioner()),
		kgo.ProducerLinger(time.Millisecond), kgo.RecordDeliveryTimeout(30*time.Second))...)
	if err != nil {
		return nil, fmt.Errorf("kafka: %w", err)
	}
	return &Sender{cl: cl, topic: t.Name, partitions: len(t.Leaders), err: make(chan error, 1)}, nil
}

// partitioner goes by the record's partition, else by its key, and deals keyless ones out in turn.
func partitioner() kgo.Partitioner {
	byKey := kgo.StickyKeyPartitioner(nil)
	return kgo.BasicConsistentPartitioner(func(topic string) func(*kgo.Record, int) int {
		hashed, turn := byKey.ForTopic(topic), 0
		return func(r *kgo.Record, n int) int {
			switch {
			case r.Partition >= 0:
				return int(r.Partition)
			case r.Key == nil:
				turn++
				return turn % n
			}
			return hashed.Partition(r, n)
		}
	})
}

// Put sends p, whose slices it keeps until Close. It waits while too much is under way, and returns the first failure
// of those before.
func (s *Sender) Put(ctx context.Context, p Plain) error {
	select {
	case err := <-s.err:
		return err
	default:
	}
	if int(p.Partition) >= s.partitions {
		return fmt.Errorf("kafka: topic %q has partitions 0 to %d, asked for %d", s.topic, s.partitions-1, p.Partition)
	}
	s.cl.Produce(ctx, &kgo.Record{Topic: s.topic, Key: p.Key, Value: p.Value, Partition: p.Partition}, func(r *kgo.Record, err error) {
		switch {
		case errors.Is(err, kerr.UnknownTopicOrPartition):
			err = ErrNoTopic
		case errors.Is(err, kerr.InvalidRecord) && r.Key == nil:
			err = fmt.Errorf("%w (a compacted topic takes no record without a key)", err)
		}
		if err != nil {
			select {
			case s.err <- fmt.Errorf("kafka: write to %q: %w", s.topic, err):
			default:
			}
		}
	})
	return nil
}

// Close waits until all records are written and returns the first failure.
func (s *Sender) Close(ctx context.Context) error {
	err := s.cl.Flush(ctx)
	s.cl.Close()
	select {
	case first := <-s.err:
		return first
	default:
		return err
	}
}
