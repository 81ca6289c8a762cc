package log

import (
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Clock is the time the engine goes by; tests inject theirs.
type Clock interface {
	Now() time.Time
	// AfterFunc calls f in its own goroutine after d; stop reports whether it kept f from being called.
	AfterFunc(d time.Duration, f func()) (stop func() bool)
}

// systemClock is the computer's.
type systemClock struct{}

func (systemClock) Now() time.Time { return time.Now() }

func (systemClock) AfterFunc(d time.Duration, f func()) (stop func() bool) {
	return time.AfterFunc(d, f).Stop
}

// ID names a partition's log. Directories are named by it, never by a topic's name.
type ID struct {
	Topic     [16]byte
	Partition int32
}

// String returns the name of the log's directory: topic id in hex, a dash, the partition.
func (id ID) String() string {
	return hex.EncodeToString(id.Topic[:]) + "-" + strconv.Itoa(int(id.Partition))
}

// parseID is the inverse of ID.String.
func parseID(s string) (id ID, ok bool) {
	topic, partition, found := strings.Cut(s, "-")
	if !found || len(topic) != 2*len(id.Topic) {
		return ID{}, false
	}
	if _, err := hex.Decode(id.Topic[:], []byte(topic)); err != nil {
		return ID{}, false
	}
	n, err := strconv.ParseInt(partition, 10, 32)
	if err != nil || n < 0 {
		return ID{}, false
	}
	id.Partition = int32(n)
	return id, id.String() == s
}

// Settings of one topic's logs, in Kafka's terms. Zero fields are Kafka's defaults. Times are in milliseconds.
type Settings struct {
	Compact, Delete    bool          // cleanup.policy; both false means Delete
	RetentionMs        int64         // -1: for ever; 0: default 7 days
	RetentionBytes     int64         // -1 or 0: no limit
	SegmentBytes       int64         // 0: 1 GiB, which is also the most
	SegmentMs          int64         // 0: 7 days
	MaxMessageBytes    int32         // 0: 1048588; checked by the caller
	MinCleanableRatio  float64       // 0: 0.5
	MinCompactionLagMs int64         // 0: none
	MaxCompactionLagMs int64         // 0: no limit
	DeleteRetentionMs  int64         // 0: 24 h; -1: 0 ms
	LogAppendTime      bool          // message.timestamp.type
	IndexIntervalBytes int32         // 0: 4096; at most 16 KiB: each read goes through as much
	FileDeleteDelay    time.Duration // 0: 60 s; negative: none
}

const (
	weekMs          = 7 * 24 * 3600 * 1000
	dayMs           = 24 * 3600 * 1000
	maxSegmentBytes = 1 << 30

	maxIndexInterval = 16 << 10
)

// effective returns s with its defaults filled in. RetentionMs and RetentionBytes stay -1 for no limit.
func (s Settings) effective() Settings {
	if !s.Compact {
		s.Delete = true
	}
	if s.RetentionMs == 0 {
		s.RetentionMs = weekMs
	}
	if s.RetentionBytes == 0 {
		s.RetentionBytes = -1
	}
	if s.SegmentBytes <= 0 || s.SegmentBytes > maxSegmentBytes {
		s.SegmentBytes = maxSegmentBytes
	}
	if s.SegmentMs <= 0 {
		s.SegmentMs = weekMs
	}
	if s.MinCleanableRatio == 0 {
		s.MinCleanableRatio = 0.5
	}
	switch {
	case s.DeleteRetentionMs == 0:
		s.DeleteRetentionMs = dayMs
	case s.DeleteRetentionMs < 0:
		s.DeleteRetentionMs = 0
	}
	if s.IndexIntervalBytes <= 0 {
		s.IndexIntervalBytes = 4096
	}
	s.IndexIntervalBytes = min(s.IndexIntervalBytes, maxIndexInterval)
	if s.FileDeleteDelay == 0 {
		s.FileDeleteDelay = time.Minute
	}
	return s
}

// Config of Open. The zero value serves.
type Config struct {
	Clock         Clock                            // nil: the system's
	WALBytes      int64                            // size of one WAL file; 0: 64 MiB. Tests take little
	Flush         FlushPolicy                      // when an append counts as durable
	ProducerTTL   time.Duration                    // idle producers are forgotten after it; 0: 24 h
	OnAdvance     func(p *Partition)               // called without locks after HW or LSO moved: wakes fetches. It must be quick and must not append
	OnError       func(id ID, err error)           // a partition went offline; called once for each, without locks
	CleanInterval time.Duration                    // retention and compaction; 0: 15 s
	CleanerBytes  int64                            // memory of the cleaner's offset map; 0: 32 MiB
	TailBytes     int64                            // memory for recently appended batches of all partitions; 0: 64 MiB
	Logf          func(format string, args ...any) // nil: nothing is logged
}

// effective returns c with its defaults filled in.
func (c Config) effective() Config {
	if c.Clock == nil {
		c.Clock = systemClock{}
	}
	if c.WALBytes <= 0 {
		c.WALBytes = 64 << 20
	}
	c.WALBytes = max(c.WALBytes, 2*walHeaderSize)
	if c.ProducerTTL <= 0 {
		c.ProducerTTL = 24 * time.Hour
	}
	if c.OnAdvance == nil {
		c.OnAdvance = func(*Partition) {}
	}
	if c.OnError == nil {
		c.OnError = func(ID, error) {}
	}
	if c.CleanInterval <= 0 {
		c.CleanInterval = 15 * time.Second
	}
	if c.CleanerBytes <= 0 {
		c.CleanerBytes = 32 << 20
	}
	if c.TailBytes <= 0 {
		c.TailBytes = 64 << 20
	}
	if c.Logf == nil {
		c.Logf = func(string, ...any) {}
	}
	return c
}

// FlushPolicy says what WaitDurable waits for.
type FlushPolicy int

const (
	// FlushCommit is fdatasync of the WAL by group commit.
	FlushCommit FlushPolicy = iota
	// FlushInterval leaves it to the operating system: durable is what was written; the WAL is synced every second.
	FlushInterval
)

// String returns the policy's name.
func (f FlushPolicy) String() string {
	switch f {
	case FlushCommit:
		return "commit"
	case FlushInterval:
		return "interval"
	}
	return fmt.Sprintf("FlushPolicy(%d)", int(f))
}
