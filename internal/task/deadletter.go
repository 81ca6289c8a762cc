package task

import (
	"fmt"
	"strconv"

	"github.com/thalweg/thalweg/internal/batch"
)

// Headers of a dead letter, beside those of the record itself.
const (
	headerTopic     = "thalweg.topic"
	headerPartition = "thalweg.partition"
	headerOffset    = "thalweg.offset"
	headerPhase     = "thalweg.phase"
	headerNode      = "thalweg.node"
	headerTask      = "thalweg.task"
	headerError     = "thalweg.error"
)

// errorLimit is how much of an error's text goes into a header: a stack can be long.
const errorLimit = 4096

// deadLetter writes the failed record, as it was read, into the dead-letter topic, within the open transaction.
func (t *Task) deadLetter(f Failure) error {
	out, err := t.env.Out(t.env.DeadLetter)
	if err != nil {
		return fmt.Errorf("task %s: dead letter: %w", t.id, err)
	}
	var kv []batch.KV
	if f.Headers != nil {
		kv = append(kv, f.Headers.KV...)
	}
	text := f.Err.Error()
	if len(text) > errorLimit {
		text = text[:errorLimit]
	}
	for _, h := range []struct{ key, value string }{
		{headerTopic, f.Topic}, {headerPartition, strconv.Itoa(int(f.Partition))}, {headerOffset, strconv.FormatInt(f.Offset, 10)},
		{headerPhase, f.Phase.String()}, {headerNode, f.Node}, {headerTask, f.Task}, {headerError, text},
	} {
		kv = append(kv, batch.KV{Key: h.key, Value: []byte(h.value)})
	}
	return out.Append(-1, max(f.Time, 0), f.Key, f.Value, batch.AppendHeaders(nil, kv))
}
