package meta

import (
	"slices"
	"strings"

	"github.com/thalweg/thalweg/internal/batch"
)

// Rules are a topic's settings as far as they bear on admitting a batch.
type Rules struct {
	MaxMessageBytes   int32
	LogAppendTime     bool
	Compact           bool
	Codec             batch.Codec // to store with, unless AsSent
	AsSent            bool
	TimestampAfterMs  int64
	TimestampBeforeMs int64
}

var codecs = map[string]batch.Codec{
	"uncompressed": batch.None, "gzip": batch.Gzip, "snappy": batch.Snappy, "lz4": batch.LZ4, "zstd": batch.Zstd,
}

// Rules returns the rules of t; they are worked out once.
func (t *Topic) Rules() Rules {
	if r := t.rules.Load(); r != nil {
		return *r
	}
	r := &Rules{
		MaxMessageBytes:   int32(t.long("max.message.bytes")),
		LogAppendTime:     t.Value("message.timestamp.type") == "LogAppendTime",
		Compact:           slices.Contains(strings.Split(t.Value("cleanup.policy"), ","), "compact"),
		TimestampAfterMs:  t.long("message.timestamp.after.max.ms"),
		TimestampBeforeMs: t.long("message.timestamp.before.max.ms"),
	}
	if kind := t.Value("compression.type"); kind == "producer" {
		r.AsSent = true
	} else {
		r.Codec = codecs[kind]
	}
	t.rules.Store(r)
	return *r
}

// Recompress reports whether a batch sent with codec c is stored with another.
func (r *Rules) Recompress(c batch.Codec) bool { return !r.AsSent && c != r.Codec }

// Opened reports whether a batch sent with codec c must be looked into.
func (r *Rules) Opened(c batch.Codec) bool {
	return r.Compact || r.Recompress(c) || r.TimestampBeforeMs != forever && !r.LogAppendTime
}
