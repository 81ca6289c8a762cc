// Package meta keeps what the engine knows beside the logs themselves: the topics with their ids and configs, the
// cluster's id, the users and ACLs, and which producer ids were given out. It lies in a compacted partition of the same data directory,
// so that one commit log makes it durable together with the rest.
package meta

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/thalweg/thalweg/internal/batch"
	"github.com/thalweg/thalweg/internal/engine/auth"
	"github.com/thalweg/thalweg/internal/engine/journal"
	"github.com/thalweg/thalweg/internal/engine/log"
)

// Names of the topics the coordinators keep their state in.
const (
	OffsetsTopic      = "__consumer_offsets"
	TransactionsTopic = "__transaction_state"
)

// journalID is the partition of the store itself. No topic has such an id: a random one differs in its version bits.
var journalID = log.ID{Topic: [16]byte([]byte("thalweg.metadata")), Partition: 0}

// MaxPartitions is the most partitions one topic, and MaxTotal all topics together, may have.
const (
	MaxPartitions = 10_000
	MaxTotal      = 50_000
)

// idBlock is how many producer ids are reserved by one record.
const idBlock = 1000

// Topic is a topic as it was at some moment; it is never changed, a change makes another one.
type Topic struct {
	Name       string            `json:"name"`
	ID         [16]byte          `json:"id"`
	Partitions int32             `json:"partitions"`
	Replicas   int16             `json:"replicas"` // as asked for; there is always one
	Configs    map[string]string `json:"configs,omitempty"`

	rules atomic.Pointer[Rules] // made on first use
}

// Internal reports whether the topic belongs to a coordinator.
func (t *Topic) Internal() bool { return t.Name == OffsetsTopic || t.Name == TransactionsTopic }

// Log names the log of a partition.
func (t *Topic) Log(partition int32) log.ID { return log.ID{Topic: t.ID, Partition: partition} }

// Store is the metadata of one engine. Its methods may be called concurrently.
type Store struct {
	dir     *log.Dir
	journal *journal.Journal
	newID   func() [16]byte

	change sync.Mutex // held while a topic is made, changed or deleted; waits for the disk

	mu        sync.RWMutex // protects following fields; never held over I/O
	byName    map[string]*Topic
	byID      map[[16]byte]*Topic
	merged    map[string]string // name with dots as underscores -> name
	total     int               // partitions of all topics
	clusterID string
	users     map[string]*User
	decoys    []byte // the secret of credentials of users who do not exist

	acls     atomic.Pointer[auth.ACLs]
	replayed map[auth.ACL]struct{} // nil after Open

	ids struct {
		sync.Mutex
		next, reserved int64 // reserved is durable: ids below it may have been given out
	}
}

// Open replays the store in dir. newID gives the ids of topics; clusterID, if not empty, is kept as the cluster's id,
// else one is made once.
func Open(dir *log.Dir, clock log.Clock, clusterID string, newID func() [16]byte) (*Store, error) {
	p := dir.Get(journalID)
	if p == nil {
		var err error
		if p, err = dir.Create(journalID, "thalweg.metadata", log.Settings{Compact: true}); err != nil {
			return nil, fmt.Errorf("meta: %w", err)
		}
	}
	s := &Store{
		dir: dir, journal: journal.New(p, clock), newID: newID,
		byName: map[string]*Topic{}, byID: map[[16]byte]*Topic{}, merged: map[string]string{}, users: map[string]*User{},
		replayed: map[auth.ACL]struct{}{},
	}
	var r batch.Record
	err := journal.Replay(p, func(b journal.Replayed) error {
		for b.Reader.Next(&r) {
			if err := s.replay(string(r.Key), r.Value); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("meta: %w", err)
	}
	s.acls.Store(auth.NewACLs(s.replayed))
	s.replayed = nil
	if err := s.settle(); err != nil {
		return nil, err
	}
	if err := s.keepDecoys(); err != nil {
		return nil, err
	}
	return s, s.keepClusterID(clusterID)
}

// Keys of the journal's records.
const (
	keyCluster     = "cluster"
	keyProducerIDs = "producer-ids"
	keyDecoys      = "decoys"
	keyTopic       = "topic/"
	keyUser        = "user/"
	keyACL         = "acl/"
)

func (s *Store) replay(key string, value []byte) error {
	switch {
	case key == keyCluster:
		return json.Unmarshal(value, &s.clusterID)
	case key == keyProducerIDs:
		if err := json.Unmarshal(value, &s.ids.reserved); err != nil {
			return err
		}
		s.ids.next = s.ids.reserved
	case key == keyDecoys:
		return json.Unmarshal(value, &s.decoys)
	case strings.HasPrefix(key, keyUser):
		return s.replayUser(key[len(keyUser):], value)
	case strings.HasPrefix(key, keyACL):
		return replayACL(s.replayed, key[len(keyACL):], value)
	case strings.HasPrefix(key, keyTopic):
		if value == nil {
			s.drop(key[len(keyTopic):])
			return nil
		}
		t := new(Topic)
		if err := json.Unmarshal(value, t); err != nil {
			return err
		}
		if err := CheckConfigs(t.Configs); err != nil {
			return fmt.Errorf("meta: topic %q: %w", t.Name, err)
		}
		s.put(t)
	default:
		return fmt.Errorf("meta: record with the unknown key %q: written by a newer version?", key)
	}
	return nil
}

// settle makes directory and store agree after a crash: logs of a topic that was never finished, or whose deletion
// was cut short, go; a topic without a log is damage.
func (s *Store) settle() error {
	gone := map[[16]byte]bool{}
	for _, p := range s.dir.List() {
		id := p.ID().Topic
		if id != journalID.Topic && s.byID[id] == nil {
			gone[id] = true
		}
	}
	for id := range gone {
		if err := s.dir.Delete(id); err != nil {
			return fmt.Errorf("meta: deleting leftover topic %x: %w", id, err)
		}
	}
	for _, t := range s.byName {
		settings := t.settings()
		for i := range t.Partitions {
			p := s.dir.Get(t.Log(i))
			if p == nil {
				return fmt.Errorf("meta: topic %q has no log for partition %d (topic id %x): restore the directory from a copy", t.Name, i, t.ID)
			}
			if p.Settings() == settings {
				continue
			}
			if err := p.SetSettings(settings); err != nil {
				return fmt.Errorf("meta: %s-%d: %w", t.Name, i, err)
			}
		}
	}
	return nil
}

func (s *Store) keepClusterID(id string) error {
	if id == "" {
		id = s.clusterID
	}
	if id == "" {
		id = encodeID(s.newID())
	}
	if id == s.clusterID {
		return nil
	}
	s.clusterID = id
	return s.write(keyCluster, id)
}

// write appends one record and waits until it is durable: a change that has begun is not given up halfway, whoever
// asked for it. A nil value is a tombstone.
func (s *Store) write(key string, value any) error {
	e := journal.Entry{Key: []byte(key)}
	if value != nil {
		var err error
		if e.Value, err = json.Marshal(value); err != nil {
			return fmt.Errorf("meta: %s: %w", key, err)
		}
	}
	return s.append(e)
}

// append appends records together and waits until they are durable.
func (s *Store) append(entries ...journal.Entry) error {
	t, err := s.journal.Append(entries...)
	if err != nil {
		return fmt.Errorf("meta: %w", err)
	}
	if err := s.dir.WaitDurable(context.Background(), t); err != nil {
		return fmt.Errorf("meta: %s: %w", entries[0].Key, err)
	}
	return nil
}

func (s *Store) put(t *Topic) {
	if old := s.byName[t.Name]; old != nil {
		s.total -= int(old.Partitions)
		delete(s.byID, old.ID)
	}
	s.byName[t.Name], s.byID[t.ID] = t, t
	s.merged[mergedName(t.Name)] = t.Name
	s.total += int(t.Partitions)
}

func (s *Store) drop(name string) {
	t := s.byName[name]
	if t == nil {
		return
	}
	delete(s.byName, name)
	delete(s.byID, t.ID)
	delete(s.merged, mergedName(name))
	s.total -= int(t.Partitions)
}

// ClusterID returns the cluster's id.
func (s *Store) ClusterID() string { return s.clusterID }

// Topic returns the topic called name, nil if there is none.
func (s *Store) Topic(name string) *Topic {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.byName[name]
}

// TopicByID returns the topic with the id, nil if there is none.
func (s *Store) TopicByID(id [16]byte) *Topic {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.byID[id]
}

// Topics returns all topics by name.
func (s *Store) Topics() []*Topic {
	s.mu.RLock()
	all := slices.Collect(maps.Values(s.byName))
	s.mu.RUnlock()
	slices.SortFunc(all, func(a, b *Topic) int { return strings.Compare(a.Name, b.Name) })
	return all
}

// Partition returns the log of a topic's partition, nil if there is none.
func (s *Store) Partition(t *Topic, partition int32) *log.Partition {
	if t == nil || partition < 0 || partition >= t.Partitions {
		return nil
	}
	return s.dir.Get(t.Log(partition))
}

// ErrProducerIDs is returned when no producer id is left.
var ErrProducerIDs = errors.New("meta: producer ids are used up")

// NextProducerID returns a producer id that was never returned before, in this run or an earlier one.
func (s *Store) NextProducerID() (int64, error) {
	s.ids.Lock()
	defer s.ids.Unlock()
	if s.ids.next == s.ids.reserved {
		if s.ids.reserved > forever-idBlock {
			return 0, ErrProducerIDs
		}
		if err := s.write(keyProducerIDs, s.ids.reserved+idBlock); err != nil {
			return 0, err
		}
		s.ids.reserved += idBlock
	}
	id := s.ids.next
	s.ids.next++
	return id, nil
}
