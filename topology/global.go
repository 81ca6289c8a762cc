package topology

import (
	"reflect"

	"github.com/thalweg/thalweg/state"
)

// GlobalStore fills spec on every instance from the whole of a topic, through fill: all partitions, before any record is
// processed, and then as records come, without regard to the time of others. Processors that are given spec read it; a
// write of theirs is an error. A store of it has no changelog, its topic is that, and lives in memory. spec must be of
// state.NewKeyValue or state.NewTimestamped.
func GlobalStore[S, K, V any](b *Builder, t Topic[K, V], spec state.Spec[S], fill func(S, Record[K, V]) error) {
	if fill == nil {
		b.Fail(0, "GlobalStore %q without a function: give one", spec.Name())
		return
	}
	if !state.Shared(spec) {
		b.Fail(0, "GlobalStore %q is a %v: a global store is a map, declare it with NewKeyValue or NewTimestamped", spec.Name(), reflect.TypeFor[S]())
		return
	}
	if state.PlanOf(spec).TTL > 0 {
		b.Fail(0, "GlobalStore %q with a TTL: its topic says what is there, leave it out", spec.Name())
		return
	}
	if state.PlanOf(spec).Below != nil {
		b.Fail(0, "GlobalStore %q with a Backend: a global store lives in memory, leave it out", spec.Name())
		return
	}
	src, ok := GlobalSource(b, t)
	if !ok {
		return
	}
	src.Process(spec.Name()+"-fill", func(ctx *Context[K, V]) (Processor[K, V], error) {
		s := ctx.Store(spec)
		return ProcessorFunc[K, V](func(r Record[K, V]) error { return fill(s, r) }), nil
	}, spec)
	b.Global(spec.Name(), src.n)
}

// GlobalSource reads a topic for a global store, and nothing else may read it. It is for the library's own use.
func GlobalSource[K, V any](b *Builder, t Topic[K, V]) (Output[K, V], bool) {
	if !named(b, "A global table or store", t) {
		return Output[K, V]{}, false
	}
	for _, o := range b.topics {
		if o.Name == t.Name && o.Source != nil {
			b.Fail(0, "topic %q is read already (%s): one topic cannot be both global and the input of tasks, choose one", t.Name, o.Source.Pos)
			return Output[K, V]{}, false
		}
	}
	src := Source(b, t)
	if !src.ok() {
		return src, false
	}
	src.n.Topic.Global = true
	return src, true
}
