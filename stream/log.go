package stream

import (
	"fmt"
	"log/slog"
	"os"

	"github.com/thalweg/thalweg/internal/edge"
	"github.com/thalweg/thalweg/topology"
)

// Log logs each record at level Info, with its key, value and event time, and passes it on.
//
//	in   (a 1) (b 2)
//	out  (a 1) (b 2)
//	log  msg key=a value=1 at=…   msg key=b value=2 at=…
func (s Stream[K, V]) Log[_ edge.Called](l *slog.Logger, msg string) Stream[K, V] {
	if !s.given("Log", l == nil) {
		return Stream[K, V]{}
	}
	return s.Peek(func(r topology.Record[K, V]) { l.Info(msg, "key", keyText(r), "value", r.Value, "at", r.Time) })
}

// Print writes "label: key value" to standard output for each record and passes it on; - is no key.
//
//	in      (a 1) (b 2)
//	out     (a 1) (b 2)
//	stdout  label: a 1
//	        label: b 2
func (s Stream[K, V]) Print[_ edge.Called](label string) Stream[K, V] {
	return s.Peek(func(r topology.Record[K, V]) { fmt.Fprintf(os.Stdout, "%s: %v %v\n", label, keyText(r), r.Value) })
}

// keyText is the key of r for people.
func keyText[K, V any](r topology.Record[K, V]) any {
	if r.NoKey {
		return "-"
	}
	return r.Key
}
