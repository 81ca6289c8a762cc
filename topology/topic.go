package topology

import (
	"regexp"
	"time"

	"github.com/thalweg/thalweg/serde"
)

// Topic is a topic and how to read and write it: the one place where names, serdes, event time and partitioning
// meet. Declare it once, use it for sources, sinks and tests.
type Topic[K, V any] struct {
	Name    string
	Pattern *regexp.Regexp // instead of Name: every topic that matches, those made later too; for stream.From alone
	Key     serde.Serde[K]
	Value   serde.Serde[V]

	// Timestamp gives the event time of a record read; nil takes the record's own, r.Time.
	Timestamp func(r Record[K, V]) time.Time
	// BadTime says what happens to a record whose time is before 1970, as a zero time.Time is; 1970 itself, 0 ms, is a
	// valid time. The default stops the app.
	BadTime TimePolicy
	// Reset says where to begin without a committed offset. The default is Earliest.
	Reset Reset
	// Check decodes key and value of every record, also where nothing reads them, so that a malformed one is met here.
	Check bool
	// Partitions and Settings serve where the app creates the topic: always on the bundled engine, elsewhere only
	// with Config.CreateTopics. Zero is the broker's default.
	Partitions int
	Settings   map[string]string
	// Partition picks one of n partitions for a record written; nil hashes the key's bytes as the Java client does.
	Partition func(r Record[K, V], n int) int
}

// NewTopic returns the topic with everything else at its default.
func NewTopic[K, V any](name string, k serde.Serde[K], v serde.Serde[V]) Topic[K, V] {
	return Topic[K, V]{Name: name, Key: k, Value: v}
}

// InPlace returns t with its serdes in their places, see serde.At. What reads or writes a topic by itself, outside of a
// topology, takes it so.
func (t Topic[K, V]) InPlace() Topic[K, V] {
	t.Key = serde.At(t.Key, serde.Place{Topic: t.Name, Key: true})
	t.Value = serde.At(t.Value, serde.Place{Topic: t.Name})
	return t
}

// Nullable returns t with values that may be absent: as a source it takes null values, as a sink it writes them.
// Timestamp and Partition of t see the zero V where the value is absent.
func Nullable[K, V any](t Topic[K, V]) Topic[K, serde.Opt[V]] {
	n := Topic[K, serde.Opt[V]]{
		Name: t.Name, Pattern: t.Pattern, Key: t.Key, BadTime: t.BadTime, Reset: t.Reset, Check: t.Check,
		Partitions: t.Partitions, Settings: t.Settings,
	}
	if t.Value != nil {
		n.Value = serde.Optional(t.Value)
	}
	if f := t.Timestamp; f != nil {
		n.Timestamp = func(r Record[K, serde.Opt[V]]) time.Time { return f(r.With(r.Value.Value)) }
	}
	if f := t.Partition; f != nil {
		n.Partition = func(r Record[K, serde.Opt[V]], of int) int { return f(r.With(r.Value.Value), of) }
	}
	return n
}

// TimePolicy is an answer to a record without a valid time.
type TimePolicy int

const (
	BadTimeStop          TimePolicy = iota // stop the app at the record
	BadTimeSkip                            // drop and count the record
	BadTimePartitionTime                   // take the highest time seen in the partition
	BadTimeNow                             // take the clock's
)

// Reset is a place to begin reading.
type Reset struct {
	latest bool
	none   bool
	back   time.Duration
}

// Ago returns how far back to begin, and whether at the end instead.
func (r Reset) Ago() (back time.Duration, latest bool) { return r.back, r.latest }

var (
	Earliest = Reset{}             // the oldest record kept
	Latest   = Reset{latest: true} // what comes after the start
	NoReset  = Reset{none: true}   // refuse to start
)

// Since begins with the first record not older than d.
func Since(d time.Duration) Reset { return Reset{back: d} }
