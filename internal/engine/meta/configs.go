package meta

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/thalweg/thalweg/internal/engine/log"
)

// Kind is the type of a config's value, numbered as DescribeConfigs does.
type Kind int8

// The kinds a config can have.
const (
	KindBool   Kind = 1
	KindString Kind = 2
	KindInt    Kind = 3
	KindLong   Kind = 5
	KindDouble Kind = 6
	KindList   Kind = 7
)

// Config is one setting of a topic: its name, type and default as Kafka has them.
type Config struct {
	Name    string
	Broker  string // the broker setting its default comes from
	Kind    Kind
	Default string
	Doc     string
	valid   func(string) error
}

const forever = math.MaxInt64

// TopicConfigs lists the settings of a topic by name.
var TopicConfigs = []Config{
	{"cleanup.policy", "log.cleanup.policy", KindList, "delete", "Whether old segments are deleted, compacted, or both.", oneOfEach("delete", "compact")},
	{"compression.type", "compression.type", KindString, "producer", "The codec batches are stored with; producer keeps them as sent.", oneOf("producer", "uncompressed", "gzip", "snappy", "lz4", "zstd")},
	{"delete.retention.ms", "log.cleaner.delete.retention.ms", KindLong, "86400000", "How long tombstones of a compacted topic are kept.", atLeast(0)},
	{"file.delete.delay.ms", "log.segment.delete.delay.ms", KindLong, "60000", "How long a deleted segment stays on disk.", atLeast(0)},
	{"flush.messages", "log.flush.interval.messages", KindLong, strconv.FormatInt(forever, 10), "Accepted; the commit log syncs every acknowledged batch.", atLeast(1)},
	{"flush.ms", "log.flush.interval.ms", KindLong, strconv.FormatInt(forever, 10), "Accepted; the commit log syncs every acknowledged batch.", atLeast(0)},
	{"index.interval.bytes", "log.index.interval.bytes", KindInt, "4096", "Bytes between two entries of an index; more than 16384 is taken as that.", atLeast(0)},
	{"max.compaction.lag.ms", "log.cleaner.max.compaction.lag.ms", KindLong, strconv.FormatInt(forever, 10), "The longest a record stays uncompacted.", atLeast(1)},
	{"max.message.bytes", "message.max.bytes", KindInt, "1048588", "The largest batch, as sent.", atLeast(0)},
	{"message.timestamp.after.max.ms", "log.message.timestamp.after.max.ms", KindLong, "3600000", "How far a timestamp may be ahead of the clock.", atLeast(0)},
	{"message.timestamp.before.max.ms", "log.message.timestamp.before.max.ms", KindLong, strconv.FormatInt(forever, 10), "How far a timestamp may be behind the clock.", atLeast(0)},
	{"message.timestamp.type", "log.message.timestamp.type", KindString, "CreateTime", "CreateTime or LogAppendTime.", oneOf("CreateTime", "LogAppendTime")},
	{"min.cleanable.dirty.ratio", "log.cleaner.min.cleanable.ratio", KindDouble, "0.5", "The share of uncompacted bytes that makes compaction due.", ratio},
	{"min.compaction.lag.ms", "log.cleaner.min.compaction.lag.ms", KindLong, "0", "The shortest a record stays uncompacted.", atLeast(0)},
	{"min.insync.replicas", "min.insync.replicas", KindInt, "1", "Accepted; there is one replica.", atLeast(1)},
	{"preallocate", "log.preallocate", KindBool, "false", "Accepted; only the commit log is preallocated.", oneOf("true", "false")},
	{"retention.bytes", "log.retention.bytes", KindLong, "-1", "The size of a partition above which old segments go; -1 is no limit.", atLeast(-1)},
	{"retention.ms", "log.retention.ms", KindLong, "604800000", "The age above which segments go; -1 is no limit.", atLeast(-1)},
	{"segment.bytes", "log.segment.bytes", KindInt, "1073741824", "The size of a segment.", atLeast(14)},
	{"segment.index.bytes", "log.index.size.max.bytes", KindInt, "10485760", "Accepted; indexes take the room they need.", atLeast(4)},
	{"segment.jitter.ms", "log.roll.jitter.ms", KindLong, "0", "Accepted; segments roll when they are due.", atLeast(0)},
	{"segment.ms", "log.roll.ms", KindLong, "604800000", "The age at which a segment is closed.", atLeast(1)},
	{"unclean.leader.election.enable", "unclean.leader.election.enable", KindBool, "false", "Accepted; there is one replica.", oneOf("true", "false")},
}

var configsByName = func() map[string]*Config {
	m := make(map[string]*Config, len(TopicConfigs))
	for i := range TopicConfigs {
		m[TopicConfigs[i].Name] = &TopicConfigs[i]
	}
	return m
}()

// LookupConfig returns the topic setting called name, nil if there is none.
func LookupConfig(name string) *Config { return configsByName[name] }

// Check returns what is wrong with value as a value of c.
func (c *Config) Check(value string) error {
	switch c.Kind {
	case KindInt:
		if _, err := strconv.ParseInt(value, 10, 32); err != nil {
			return fmt.Errorf("meta: invalid value %q for %s: not a 32-bit integer", value, c.Name)
		}
	case KindLong:
		if _, err := strconv.ParseInt(value, 10, 64); err != nil {
			return fmt.Errorf("meta: invalid value %q for %s: not an integer", value, c.Name)
		}
	}
	if err := c.valid(value); err != nil {
		return fmt.Errorf("meta: invalid value %q for %s: %w", value, c.Name, err)
	}
	return nil
}

// CheckConfigs returns what is wrong with a topic's settings, unknown names included.
func CheckConfigs(configs map[string]string) error {
	for name, value := range configs {
		c := LookupConfig(name)
		if c == nil {
			return fmt.Errorf("meta: unknown topic config name: %q", name)
		}
		if err := c.Check(value); err != nil {
			return err
		}
	}
	return nil
}

// Value returns the value of a topic's setting: its own, else the default.
func (t *Topic) Value(name string) string {
	if v, ok := t.Configs[name]; ok {
		return v
	}
	if c := LookupConfig(name); c != nil {
		return c.Default
	}
	return ""
}

func (t *Topic) long(name string) int64 {
	n, err := strconv.ParseInt(t.Value(name), 10, 64)
	if err != nil {
		panic("meta: unchecked value of " + name) // Create and SetConfigs checked it
	}
	return n
}

// settings returns the topic's configs as its logs take them.
func (t *Topic) settings() log.Settings {
	policy := strings.Split(t.Value("cleanup.policy"), ",")
	ratio, err := strconv.ParseFloat(t.Value("min.cleanable.dirty.ratio"), 64)
	if err != nil {
		panic("meta: unchecked value of min.cleanable.dirty.ratio")
	}
	s := log.Settings{
		Compact:            slices.Contains(policy, "compact"),
		Delete:             slices.Contains(policy, "delete"),
		RetentionMs:        t.long("retention.ms"),
		RetentionBytes:     t.long("retention.bytes"),
		SegmentBytes:       t.long("segment.bytes"),
		SegmentMs:          t.long("segment.ms"),
		MaxMessageBytes:    int32(t.long("max.message.bytes")),
		MinCleanableRatio:  ratio,
		MinCompactionLagMs: t.long("min.compaction.lag.ms"),
		MaxCompactionLagMs: t.long("max.compaction.lag.ms"),
		DeleteRetentionMs:  t.long("delete.retention.ms"),
		LogAppendTime:      t.Value("message.timestamp.type") == "LogAppendTime",
		IndexIntervalBytes: int32(t.long("index.interval.bytes")),
		FileDeleteDelay:    millis(t.long("file.delete.delay.ms")),
	}
	// A zero field of Settings asks for the default, so a zero the user set takes the nearest value that says the same.
	if s.RetentionMs == 0 {
		s.RetentionMs = 1
	}
	if s.RetentionBytes == 0 {
		s.RetentionBytes = 1
	}
	if !s.Compact && !s.Delete { // neither: everything is kept
		s.RetentionMs, s.RetentionBytes = -1, -1
	}
	if s.MinCleanableRatio == 0 {
		s.MinCleanableRatio = math.SmallestNonzeroFloat64
	}
	if s.MaxCompactionLagMs == forever {
		s.MaxCompactionLagMs = 0
	}
	if s.DeleteRetentionMs == 0 {
		s.DeleteRetentionMs = -1
	}
	if s.FileDeleteDelay == 0 {
		s.FileDeleteDelay = -1
	}
	return s
}

func millis(ms int64) time.Duration {
	if ms > int64(math.MaxInt64/time.Millisecond) {
		return math.MaxInt64
	}
	return time.Duration(ms) * time.Millisecond
}

func oneOf(values ...string) func(string) error {
	return func(v string) error {
		if !slices.Contains(values, v) {
			return fmt.Errorf("must be one of %s", strings.Join(values, ", "))
		}
		return nil
	}
}

func oneOfEach(values ...string) func(string) error {
	one := oneOf(values...)
	return func(v string) error {
		if v == "" {
			return nil // neither: segments are kept for ever
		}
		for _, part := range strings.Split(v, ",") {
			if err := one(strings.TrimSpace(part)); err != nil {
				return err
			}
		}
		return nil
	}
}

func atLeast(least int64) func(string) error {
	return func(v string) error {
		if n, err := strconv.ParseInt(v, 10, 64); err != nil || n < least {
			return fmt.Errorf("must be at least %d", least)
		}
		return nil
	}
}

func ratio(v string) error {
	if f, err := strconv.ParseFloat(v, 64); err != nil || !(f >= 0 && f <= 1) {
		return fmt.Errorf("must be between 0 and 1")
	}
	return nil
}
