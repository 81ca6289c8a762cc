package stream

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"slices"

	"github.com/thalweg/thalweg/internal/edge"
	"github.com/thalweg/thalweg/internal/kafka"
	"github.com/thalweg/thalweg/internal/runtime"
	"github.com/thalweg/thalweg/state"
	"github.com/thalweg/thalweg/topology"
)

// Ask implements state.Client. It answers from the partitions of this instance and, with Config.Ops.Queries, asks the
// instances that have the others; without, a key of another gives state.ErrNotLocal.
func (a *App) Ask(ctx context.Context, q state.Question) iter.Seq2[state.Answer, error] {
	return func(yield func(state.Answer, error) bool) {
		if err := a.ask(ctx, q, func(x state.Answer) bool { return yield(x, nil) }); err != nil {
			yield(state.Answer{}, err)
		}
	}
}

// asking is one question under way.
type asking struct {
	a     *App
	in    *runtime.Instance
	s     *edge.Store
	q     state.Question
	parts []int32 // of the store, ascending: those that can have rows
}

func (a *App) ask(ctx context.Context, q state.Question, yield func(state.Answer) bool) error {
	a.mu.Lock()
	in := a.instance
	a.mu.Unlock()
	if in == nil {
		return state.ErrRebalancing
	}
	select {
	case <-in.Prepared():
	default:
		return state.ErrRebalancing
	}
	s, err := in.Store(q.Store)
	if err != nil {
		return known(err)
	}
	if err := state.Fits(q, state.PlanOf(s.Spec.(state.AnySpec))); err != nil {
		return err
	}
	if q.After != "" {
		if err := a.WaitFor(ctx, q.After); err != nil {
			return err
		}
		q.After = "" // for those who are asked in turn as well
	}
	k := &asking{a: a, in: in, s: s, q: q}
	if in.Global(q.Store) {
		return k.global(ctx, yield)
	}
	for _, p := range in.Partitions(s, state.QueryOf(q)) {
		if (q.Partitions == nil || slices.Contains(q.Partitions, p)) && (q.Past == nil || p >= q.PastIn) {
			k.parts = append(k.parts, p)
		}
	}
	switch {
	case q.Op == "owner":
		return k.owner(ctx, yield)
	case q.Op == "watch":
		k.q.Stale = false // copies do not know what commits change
		return k.watch(ctx, yield)
	}
	return k.rows(ctx, yield)
}

// known turns the runtime's errors into those that users know.
func known(err error) error {
	switch {
	case errors.Is(err, runtime.ErrNoStore):
		return state.ErrNoStore
	case errors.Is(err, runtime.ErrMoving):
		return state.ErrRebalancing
	case errors.Is(err, runtime.ErrElsewhere):
		return state.ErrNotLocal
	}
	return err
}

// global answers from a store that every instance has.
func (k *asking) global(ctx context.Context, yield func(state.Answer) bool) error {
	q := k.behind(0)
	switch q.Op {
	case "owner":
		return fmt.Errorf("stream: store %q is global: every instance has all rows", q.Store)
	case "watch":
		return known(k.in.WatchGlobal(ctx, q.Store, q.Key, func(r row) bool { return yield(state.AnswerOf(r)) }))
	}
	for r, err := range k.in.AskGlobal(q.Store, state.QueryOf(q)) {
		if err != nil || !yield(state.AnswerOf(r)) {
			return known(err)
		}
	}
	return nil
}

// owner answers with the instance that has the key.
func (k *asking) owner(ctx context.Context, yield func(state.Answer) bool) error {
	for _, src := range k.s.Sub.Sources {
		if src.Topic.Partitioned {
			return fmt.Errorf("stream: topic %q is written with a partitioner of its own: a key's owner is not known by its bytes", src.Topic.Name)
		}
	}
	owners, err := k.in.Owners(ctx, k.s)
	if err != nil {
		return err
	}
	h := state.Host{Partition: topology.PartitionOf(k.s, k.q.Key, k.in.TasksOf(k.s))}
	o, ok := owners[h.Partition]
	if !ok {
		return state.ErrRebalancing
	}
	h.Addr = o.Addr
	standbys, err := k.in.Standbys(ctx, k.s, h.Partition)
	if err != nil {
		return err
	}
	for _, p := range standbys {
		if p.Addr != "" {
			h.Standbys = append(h.Standbys, p.Addr)
		}
	}
	text, err := json.Marshal(h)
	if err == nil {
		yield(state.Answer{Value: text, Partition: h.Partition})
	}
	return err
}

// share is what one instance has of the partitions that are asked.
type share struct {
	addr  string // "": this instance
	parts []int32
}

// shares says who is asked for what, in the order of the partitions.
func (k *asking) shares(ctx context.Context) (ss []share, err error) {
	here := k.in.Here(k.s)
	var owners map[int32]kafka.Peer
	for _, p := range k.parts {
		addr := ""
		if !here[p] && !(k.q.Stale && k.in.Copied(k.s, p)) {
			if k.q.Local && k.q.Partitions == nil && !k.keyed() {
				continue // this instance's rows alone are asked for
			}
			if k.q.Local || k.a.peer == nil {
				return nil, state.ErrNotLocal
			}
			if owners == nil {
				if owners, err = k.in.Owners(ctx, k.s); err != nil {
					return nil, err
				}
			}
			if addr, err = k.addr(owners, p); err != nil && k.q.Stale {
				addr, err = k.standby(ctx, p, err)
			}
			if err != nil {
				return nil, err
			}
		}
		if n := len(ss); n > 0 && ss[n-1].addr == addr {
			ss[n-1].parts = append(ss[n-1].parts, p)
			continue
		}
		ss = append(ss, share{addr, []int32{p}})
	}
	return ss, nil
}

// keyed reports whether one partition alone is asked, that of a key.
func (k *asking) keyed() bool {
	return k.q.Key != nil && k.q.Op != "range" && len(k.parts) == 1
}

// addr is where the owner of a partition answers.
func (k *asking) addr(owners map[int32]kafka.Peer, p int32) (string, error) {
	o, ok := owners[p]
	switch {
	case !ok || k.in.Itself(o): // nobody has it, or this instance had it, or is about to
		k.in.ForgetOwners()
		return "", state.ErrRebalancing
	case o.Addr == "":
		return "", fmt.Errorf("%w: instance %q has partition %d of %q and does not serve queries", state.ErrNotLocal, o.Instance, p, k.q.Store)
	case loopback(k.a.addr) && !loopback(o.Addr):
		return "", fmt.Errorf("%w: instance %q says it is at %q, beyond the loopback that this one is on", state.ErrNotLocal, o.Instance, o.Addr)
	}
	return o.Addr, nil
}

// standby is where a copy of a partition answers, if there is one; else why its owner does not.
func (k *asking) standby(ctx context.Context, p int32, why error) (string, error) {
	peers, err := k.in.Standbys(ctx, k.s, p)
	if err != nil {
		return "", err
	}
	for _, o := range peers {
		if !k.in.Itself(o) && o.Addr != "" && (!loopback(k.a.addr) || loopback(o.Addr)) {
			return o.Addr, nil
		}
	}
	return "", why
}

// rows passes on the rows of all partitions. What has moved since the owners were learnt is asked for once more, as long
// as nothing has been passed on.
func (k *asking) rows(ctx context.Context, yield func(state.Answer) bool) error {
	passed := false
	for again := false; ; again = true {
		err := k.once(ctx, func(a state.Answer) bool { passed = true; return yield(a) })
		if again || passed || k.q.Local || !errors.Is(err, state.ErrRebalancing) {
			return err
		}
		k.in.ForgetOwners()
	}
}

func (k *asking) once(ctx context.Context, yield func(state.Answer) bool) error {
	ss, err := k.shares(ctx)
	if err != nil {
		return err
	}
	for _, s := range ss {
		passed := false
		more, err := k.from(ctx, s, func(a state.Answer) bool { passed = true; return yield(a) })
		if k.q.Stale && !passed && errors.Is(err, state.ErrRebalancing) && !k.q.Local {
			more, err = k.standbys(ctx, s, err, yield)
		}
		if err != nil || !more {
			return err
		}
	}
	return nil
}

// from passes on the rows that one instance has.
func (k *asking) from(ctx context.Context, s share, yield func(state.Answer) bool) (more bool, err error) {
	if s.addr != "" {
		return k.remote(ctx, s, yield)
	}
	return k.local(ctx, s.parts, yield)
}

// standbys passes on the rows of a share whose instance does not answer, from copies of them.
func (k *asking) standbys(ctx context.Context, s share, why error, yield func(state.Answer) bool) (more bool, err error) {
	for _, p := range s.parts {
		addr, err := k.standby(ctx, p, why)
		if err != nil || addr == s.addr {
			return false, why
		}
		if more, err := k.remote(ctx, share{addr, []int32{p}}, yield); err != nil || !more {
			return more, err
		}
	}
	return true, nil
}

// local passes on the rows of partitions of this instance.
func (k *asking) local(ctx context.Context, parts []int32, yield func(state.Answer) bool) (more bool, err error) {
	for _, p := range parts {
		for r, err := range k.in.Ask(ctx, k.s, state.QueryOf(k.behind(p)), []int32{p}, k.q.Stale) {
			if err != nil || !yield(state.AnswerOf(r)) {
				return false, k.moved(known(err))
			}
		}
	}
	return true, nil
}

// moved says of a partition that was here a moment ago, and is not any more, that it is moving. Who asks for the local
// rows of a key, or of given partitions, has not looked before whether they are here.
func (k *asking) moved(err error) error {
	asked := k.q.Local && (k.q.Partitions != nil || k.keyed())
	if errors.Is(err, state.ErrNotLocal) && !asked {
		return state.ErrRebalancing
	}
	return err
}

// remote passes on the rows of partitions of another instance.
func (k *asking) remote(ctx context.Context, s share, yield func(state.Answer) bool) (more bool, err error) {
	q := k.q
	q.Local, q.Partitions = true, s.parts
	for a, err := range k.a.peer.Ask(ctx, s.addr, q) {
		if err != nil {
			return false, k.refused(ctx, s, err)
		}
		if !yield(a) {
			return false, nil
		}
	}
	return true, nil
}

// refused says what an instance's answer means here: what it does not have, or cannot say any more, is moving.
func (k *asking) refused(ctx context.Context, s share, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	k.in.ForgetOwners()
	if errors.Is(err, state.ErrNotLocal) || unreachable(err) {
		return fmt.Errorf("%w (%s: %w)", state.ErrRebalancing, s.addr, err)
	}
	return err
}

// behind is the question to one partition: where it is gone on with, behind the last key.
func (k *asking) behind(partition int32) state.Question {
	q := k.q
	if q.Past != nil && q.PastIn == partition {
		q.Op, q.Key = "range", append(slices.Clone(q.Past), 0)
	}
	return q
}
