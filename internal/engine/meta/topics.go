package meta

import (
	"encoding/base64"
	"fmt"
	"maps"
	"strings"
	"sync"

	"github.com/thalweg/thalweg/internal/engine/code"
)

// Failure is why a topic could not be made or changed: the code to answer and a sentence.
type Failure struct {
	Code code.Code
	Text string
}

func (f *Failure) Error() string { return "meta: " + f.Text }

// Unwrap returns the code.
func (f *Failure) Unwrap() error { return f.Code }

func fail(c code.Code, format string, args ...any) error {
	return &Failure{Code: c, Text: fmt.Sprintf(format, args...)}
}

// Spec is a topic to be made.
type Spec struct {
	Name       string
	Partitions int32
	Replicas   int16
	Configs    map[string]string
}

// maxName is the longest name of a topic.
const maxName = 249

// CheckName returns what is wrong with name as the name of a topic.
func CheckName(name string) error {
	switch {
	case name == "":
		return fail(code.InvalidTopic, "topic name is empty")
	case name == "." || name == "..":
		return fail(code.InvalidTopic, "topic name cannot be %q", name)
	case len(name) > maxName:
		return fail(code.InvalidTopic, "topic name is %d characters long, the most is %d", len(name), maxName)
	}
	for i := range len(name) {
		c := name[i]
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '.' && c != '_' && c != '-' {
			return fail(code.InvalidTopic, "topic name %q has characters other than a-z, A-Z, 0-9, '.', '_' and '-'", name)
		}
	}
	return nil
}

// mergedName is equal for names that differ in dots and underscores alone: those cannot both exist.
func mergedName(name string) string { return strings.ReplaceAll(name, ".", "_") }

// Check returns why spec cannot be made into a topic now.
func (s *Store) Check(spec Spec) error {
	if err := CheckName(spec.Name); err != nil {
		return err
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.byName[spec.Name] != nil {
		return fail(code.TopicAlreadyExists, "topic %q already exists", spec.Name)
	}
	if other := s.merged[mergedName(spec.Name)]; other != "" {
		return fail(code.InvalidTopic, "topic %q collides with existing topic %q", spec.Name, other)
	}
	switch {
	case spec.Partitions < 1:
		return fail(code.InvalidPartitions, "number of partitions must be larger than 0, got %d", spec.Partitions)
	case spec.Partitions > MaxPartitions:
		return fail(code.InvalidPartitions, "number of partitions must be at most %d, got %d", MaxPartitions, spec.Partitions)
	case s.total+int(spec.Partitions) > MaxTotal:
		return fail(code.PolicyViolation, "%d partitions more would be over the limit of %d", spec.Partitions, MaxTotal)
	}
	if err := CheckConfigs(spec.Configs); err != nil {
		return fail(code.InvalidConfig, "%s", strings.TrimPrefix(err.Error(), "meta: "))
	}
	return nil
}

// Create makes a topic and returns it once it is durable.
func (s *Store) Create(spec Spec) (*Topic, error) {
	s.change.Lock()
	defer s.change.Unlock()
	if err := s.Check(spec); err != nil {
		return nil, err
	}
	t := &Topic{Name: spec.Name, ID: s.newID(), Partitions: spec.Partitions, Replicas: spec.Replicas, Configs: maps.Clone(spec.Configs)}
	if err := s.createLogs(t, 0); err != nil {
		return nil, err
	}
	return t, s.publish(t)
}

// parallelCreates is how many logs are made at a time.
const parallelCreates = 16

// createLogs makes the logs of t from partition first on.
func (s *Store) createLogs(t *Topic, first int32) error {
	settings := t.settings()
	slots := make(chan struct{}, parallelCreates)
	var wg sync.WaitGroup
	var once sync.Once
	var failed error
	for i := first; i < t.Partitions; i++ {
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			id := t.Log(i)
			if s.dir.Get(id) != nil {
				return // left by an earlier attempt
			}
			if _, err := s.dir.Create(id, fmt.Sprintf("%s-%d", t.Name, i), settings); err != nil {
				once.Do(func() { failed = fmt.Errorf("meta: %s-%d: %w", t.Name, i, err) })
			}
		})
	}
	wg.Wait()
	return failed
}

// publish makes t durable and then visible.
func (s *Store) publish(t *Topic) error {
	if err := s.write(keyTopic+t.Name, t); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.put(t)
	return nil
}

// Delete removes the topic called name. It is gone once Delete returns.
func (s *Store) Delete(name string) error {
	s.change.Lock()
	defer s.change.Unlock()
	t := s.Topic(name)
	if t == nil {
		return fail(code.UnknownTopicOrPartition, "there is no topic %q", name)
	}
	if err := s.write(keyTopic+name, nil); err != nil {
		return err
	}
	s.mu.Lock()
	s.drop(name)
	s.mu.Unlock()
	if err := s.dir.Delete(t.ID); err != nil {
		return fmt.Errorf("meta: deleting %q: %w", name, err)
	}
	return nil
}

// Grow raises the number of partitions of the topic called name.
func (s *Store) Grow(name string, partitions int32, validateOnly bool) error {
	s.change.Lock()
	defer s.change.Unlock()
	t := s.Topic(name)
	switch {
	case t == nil:
		return fail(code.UnknownTopicOrPartition, "there is no topic %q", name)
	case partitions == t.Partitions:
		return fail(code.InvalidPartitions, "topic already has %d partitions", partitions)
	case partitions < t.Partitions:
		return fail(code.InvalidPartitions, "the topic currently has %d partitions; %d would not be an increase", t.Partitions, partitions)
	case partitions > MaxPartitions:
		return fail(code.InvalidPartitions, "number of partitions must be at most %d, got %d", MaxPartitions, partitions)
	case validateOnly:
		return nil
	}
	grown := t.clone()
	grown.Partitions = partitions
	if err := s.createLogs(grown, t.Partitions); err != nil {
		return err
	}
	return s.publish(grown)
}

// SetConfigs replaces the settings of the topic called name by what change makes of them.
func (s *Store) SetConfigs(name string, validateOnly bool, change func(map[string]string) error) error {
	s.change.Lock()
	defer s.change.Unlock()
	t := s.Topic(name)
	if t == nil {
		return fail(code.UnknownTopicOrPartition, "there is no topic %q", name)
	}
	changed := t.clone()
	if err := change(changed.Configs); err != nil {
		return err
	}
	if err := CheckConfigs(changed.Configs); err != nil {
		return fail(code.InvalidConfig, "%s", strings.TrimPrefix(err.Error(), "meta: "))
	}
	if validateOnly || maps.Equal(changed.Configs, t.Configs) {
		return nil
	}
	if err := s.publish(changed); err != nil {
		return err
	}
	settings := changed.settings()
	for i := range changed.Partitions {
		if p := s.Partition(changed, i); p != nil {
			if err := p.SetSettings(settings); err != nil {
				return fmt.Errorf("meta: %s-%d: %w", name, i, err)
			}
		}
	}
	return nil
}

// clone returns a copy of t to be changed and published in its place.
func (t *Topic) clone() *Topic {
	c := &Topic{Name: t.Name, ID: t.ID, Partitions: t.Partitions, Replicas: t.Replicas, Configs: map[string]string{}}
	maps.Copy(c.Configs, t.Configs)
	return c
}

// encodeID writes an id as Kafka does.
func encodeID(id [16]byte) string { return base64.RawURLEncoding.EncodeToString(id[:]) }
