package state

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"reflect"
	"strconv"
	"time"

	"github.com/thalweg/thalweg/internal/store"
	"github.com/thalweg/thalweg/serde"
)

// Options of a store. The zero value is a store on disk with a changelog.
//
// The changelog of windows has cleanup.policy=compact,delete and keeps rows for the store's retention and a day. Apache Kafka
// counts that from the rows' own timestamps by its clock: a program that reads the past there sets "retention.ms" in Changelog
// to reach back as far, or a store that moves comes back without the rows Kafka has deleted. The bundled engine counts from
// when a row was written.
type Options struct {
	InMemory    bool              // no disk below the hot table; a restart restores all of it
	Backend     Backend           // a tier of the caller's own instead of Pebble; nil: stream.Config's
	NoChangelog bool              // the store is empty after a move or the loss of the disk
	Changelog   map[string]string // topic settings over the defaults, as Kafka names them
	TTL         time.Duration     // rows not written for so long, in event time, are deleted
	Retention   time.Duration     // windows: how long they stay, at least what the definition needs
	Bootstrap   bool              // tables from a topic: read it to its end before the task's streams begin
	Coalesce    bool              // tables: pass on the last update of a row per commit, not every one
	History     time.Duration     // tables: keep versions so far back, and answer joins as of the record's time
}

// additional is how much longer than the store a changelog keeps windows, for clocks that differ.
const additional = 24 * time.Hour

// plan returns what a topology must know of a store that is not of windows.
func plan(kind, name, key, value string, opts []Options) store.Plan {
	p := planAny(kind, name, key, value, opts)
	if len(opts) > 0 && opts[0].Retention != 0 {
		p.Err = errors.Join(p.Err, fmt.Errorf("state: %q: Retention is for stores of windows: leave it out, or set TTL", name))
	}
	return p
}

// planWindows is plan for stores of windows or sessions, which stay for retention, in ms. shape says which windows there
// are.
func planWindows(kind, name, key, value, shape string, size, retention int64, opts []Options) store.Plan {
	p := planAny(kind, name, key+" in "+shape, value, opts)
	if len(opts) > 0 {
		retention = max(retention, opts[0].Retention.Milliseconds())
	}
	p.Size, p.Retention = size, retention
	if size < 0 || retention < size || retention < 1 {
		p.Err = errors.Join(p.Err, fmt.Errorf("state: %q keeps windows of %d ms for %d ms: want a size of 0 or more, kept for as long at least", name, size, retention))
	}
	p.Settings["cleanup.policy"] = "compact,delete"
	p.Settings["retention.ms"] = strconv.FormatInt(plus(p.Retention, additional.Milliseconds()), 10)
	if len(opts) > 0 {
		maps.Copy(p.Settings, opts[0].Changelog)
	}
	return p
}

func planAny(kind, name, key, value string, opts []Options) store.Plan {
	var o Options
	p := store.Plan{Name: name, Schema: store.Schema{Kind: kind, Key: key, Value: value}}
	if len(opts) > 1 {
		p.Err = fmt.Errorf("state: %q is given %d Options, want one at most", name, len(opts))
	}
	if len(opts) > 0 {
		o = opts[0]
	}
	p.InMemory, p.Changelog, p.Below = o.InMemory, !o.NoChangelog, Below(o.Backend)
	if v := reflect.ValueOf(o.Backend); v.Kind() == reflect.Pointer && v.IsNil() {
		p.Err = errors.Join(p.Err, fmt.Errorf("state: %q: its Backend is a nil %T: give one that is open, or none for Pebble", name, o.Backend))
	}
	p.Settings = map[string]string{"cleanup.policy": "compact", "message.timestamp.type": "CreateTime"}
	if o.History != 0 && kind != store.KindVersioned {
		p.Err = errors.Join(p.Err, fmt.Errorf("state: %q: History is for tables: declare a processor's store with NewVersioned", name))
	}
	if p.TTL = o.TTL.Milliseconds(); o.TTL != 0 {
		switch {
		case kind != store.KindKV && kind != store.KindTimestampedKV:
			p.Err = errors.Join(p.Err, fmt.Errorf("state: %q: TTL is for maps and tables: leave it out, windows and versions have their retention", name))
		case o.TTL < time.Millisecond || o.TTL%time.Millisecond != 0:
			p.Err = errors.Join(p.Err, fmt.Errorf("state: %q: a TTL of %v, want whole milliseconds, at least one", name, o.TTL))
		}
	}
	switch {
	case o.Bootstrap:
		p.Table = "Bootstrap"
	case o.Coalesce:
		p.Table = "Coalesce"
	}
	if p.Table != "" && kind != store.KindTimestampedKV && kind != store.KindTimestampedWindow && kind != store.KindSession && kind != store.KindVersioned {
		p.Err = errors.Join(p.Err, fmt.Errorf("state: %q: %s is for tables: leave it out", name, p.Table))
	}
	if name == "" {
		p.Err = errors.Join(p.Err, errors.New("state: a store without a name: give one"))
	}
	if o.NoChangelog && o.Changelog != nil {
		p.Err = errors.Join(p.Err, fmt.Errorf("state: %q has settings of a changelog, and NoChangelog: leave one of the two out", name))
	}
	maps.Copy(p.Settings, o.Changelog)
	return p
}

// planOwn is plan for a store of the user's own kind S.
func planOwn[S any](name string, open func(Env) (S, error), opts []Options) store.Plan {
	p := plan(store.KindCustom, name, "bytes", reflect.TypeFor[S]().String(), opts)
	if open == nil {
		p.Err = errors.Join(p.Err, fmt.Errorf("state: %q: New without a function that opens the store: give one", name))
	}
	t := reflect.TypeFor[S]()
	if p.Changelog && t.Kind() != reflect.Interface && !t.Implements(reflect.TypeFor[Restorer]()) {
		p.Err = errors.Join(p.Err, noRestore(name, t))
	}
	return p
}

// noRestore is the mistake of a store that cannot be told what its changelog says.
func noRestore(name string, t reflect.Type) error {
	return fmt.Errorf("state: %q: a %v has no method Restore(key, value []byte) error, by which it would be filled from its changelog: give it one, or set NoChangelog", name, t)
}

// plus adds without overflow.
func plus(a, b int64) int64 {
	if a > math.MaxInt64-b {
		return math.MaxInt64
	}
	return a + b
}

// typeName names a type and its serde in a schema.
func typeName[T any](s serde.Serde[T]) string {
	t := reflect.TypeFor[T]().String()
	if s == nil {
		return t
	}
	if n := serde.Name(s); n != t {
		return t + " as " + n
	}
	return t
}

// given checks the serdes of a declaration.
func given[K, V any](p *store.Plan, k serde.Serde[K], v serde.Serde[V]) {
	if k == nil || v == nil {
		p.Err = errors.Join(p.Err, fmt.Errorf("state: %q has no serde for its keys or values: give both", p.Name))
		return
	}
	for i, s := range []any{k, v} {
		if err := serde.Fault(s); err != nil {
			p.Err = errors.Join(p.Err, fmt.Errorf("state: %q: %s: %w", p.Name, [...]string{"keys", "values"}[i], err))
		}
	}
}
