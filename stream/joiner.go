package stream

import (
	"math"

	"github.com/thalweg/thalweg/internal/edge"
	"github.com/thalweg/thalweg/internal/hashed"
	"github.com/thalweg/thalweg/internal/store"
	"github.com/thalweg/thalweg/serde"
	"github.com/thalweg/thalweg/state"
	"github.com/thalweg/thalweg/window"
)

// joiner is a stream-stream join in one task.
type joiner[K, V, V2, R any] struct {
	streamJoin[V, V2, R]
	at                   edge.Place
	next                 edge.Emit[K, R]
	keys                 *edge.Keyer[K]
	thisSide             *store.Join[V]
	otherSide            *store.Join[V2] // nil: a self join
	self                 func(V) V2
	alone                *alone[K, V, V2, R] // nil: an inner join
	before, after, grace int64
	noKey, noValue       *int64
	idling               // the highest time of either side that has come here
}

func openJoin[K, V, V2, R any](at edge.Place, next edge.Emit[K, R], rows *joinRows[K, V, V2], w window.Join, kind streamJoin[V, V2, R], every edge.Millis) (edge.Emit[K, sided[V, V2]], error) {
	before, after := w.Reach()
	j := &joiner[K, V, V2, R]{streamJoin: kind, at: at, next: next, keys: edge.NewKeyer(at, rows.key), self: rows.self,
		before: int64(before), after: int64(after), grace: int64(w.GracePeriod()),
		noKey: at.Drop("null-key"), noValue: at.Drop("null-value")}
	j.observed = at.Keep(rows.name + kind.this + " observed")
	h, err := at.Store(rows.name + kind.this)
	if err != nil {
		return nil, err
	}
	j.thisSide = h.(*store.Join[V])
	if j.self != nil {
		return j.receiveSelf, nil
	}
	if h, err = at.Store(rows.name + kind.other); err != nil {
		return nil, err
	}
	j.otherSide = h.(*store.Join[V2])
	if kind.alone != "" {
		h, err := at.Store(rows.name + kind.alone)
		if err != nil {
			return nil, err
		}
		kv := state.RawKeyValue[[]byte, waiting[V, V2]](h.(state.KeyValue[[]byte, waiting[V, V2]]))
		j.alone = openAlone(j, rows.name+kind.alone, kv, serde.Single(rows.key), int64(every))
		j.alone.closeIdle(w.Idle())
	}
	return j.receive, nil
}

func (j *joiner[K, V, V2, R]) receive(m *edge.Meta, k K, x sided[V, V2]) error {
	j.see(m.Time)
	outer := j.left
	if !x.left {
		outer = j.right
	}
	switch {
	case m.NoKey && outer && !x.null:
		return j.single(m, k, x)
	case m.NoKey:
		*j.noKey++
		return nil
	case x.null:
		*j.noValue++
		return nil
	}
	own, err := j.keys.Key(m, k)
	if err != nil {
		return err
	}
	var key hashed.Key
	key.Set(own)
	if j.alone != nil && m.Time == *j.observed {
		if err := j.alone.expire(m, x.left); err != nil {
			return err
		}
	}
	n := 0
	if x.left {
		n, err = j.meetRight(m, k, key, x.v)
	} else {
		n, err = j.meetLeft(m, k, key, x.v2)
	}
	if err != nil {
		return err
	}
	if n == 0 && outer {
		look := j.after
		if !x.left {
			look = j.before
		}
		if m.Time+look < *j.observed {
			err = j.single(m, k, x)
		} else {
			err = j.alone.wait(key, m.Time, x)
		}
		if err != nil {
			return err
		}
	}
	if x.left {
		return j.thisSide.Put(key, x.v, m.Time)
	}
	return j.otherSide.Put(key, x.v2, m.Time)
}

// single passes on a record without a partner.
func (j *joiner[K, V, V2, R]) single(m *edge.Meta, k K, x sided[V, V2]) error {
	return j.next(m, k, j.f(serde.Opt[V]{Value: x.v, OK: x.left}, serde.Opt[V2]{Value: x.v2, OK: !x.left}))
}

// meetRight joins a left record with its partners, and reports how many there are.
func (j *joiner[K, V, V2, R]) meetRight(m *edge.Meta, k K, key hashed.Key, v V) (int, error) {
	partners, err := j.otherSide.Fetch(key, m.Time-j.before, m.Time+j.after)
	if err != nil {
		return 0, err
	}
	t := m.Time
	for i := range partners {
		p := &partners[i]
		if j.right {
			if err := j.alone.matched(key, p.At, false); err != nil {
				return 0, err
			}
		}
		m.Time = max(t, p.At)
		err := j.next(m, k, j.f(serde.Some(v), serde.Some(p.V)))
		if m.Time = t; err != nil {
			return 0, err
		}
	}
	return len(partners), nil
}

// meetLeft joins a right record with its partners, and reports how many there are.
func (j *joiner[K, V, V2, R]) meetLeft(m *edge.Meta, k K, key hashed.Key, v2 V2) (int, error) {
	partners, err := j.thisSide.Fetch(key, m.Time-j.after, m.Time+j.before)
	if err != nil {
		return 0, err
	}
	t := m.Time
	for i := range partners {
		p := &partners[i]
		if j.left {
			if err := j.alone.matched(key, p.At, true); err != nil {
				return 0, err
			}
		}
		m.Time = max(t, p.At)
		err := j.next(m, k, j.f(serde.Some(p.V), serde.Some(v2)))
		if m.Time = t; err != nil {
			return 0, err
		}
	}
	return len(partners), nil
}

// receiveSelf joins a record of a stream that is joined with itself: as the left side, as the right one, and with
// itself in between, in the order that two stores would give.
func (j *joiner[K, V, V2, R]) receiveSelf(m *edge.Meta, k K, x sided[V, V2]) error {
	switch {
	case m.NoKey:
		*j.noKey++
		return nil
	case x.null:
		*j.noValue++
		return nil
	}
	j.see(m.Time)
	own, err := j.keys.Key(m, k)
	if err != nil {
		return err
	}
	var key hashed.Key
	key.Set(own)
	t := m.Time
	emit := func(l V, r V2, at int64) error {
		m.Time = max(t, at)
		err := j.next(m, k, j.f(serde.Some(l), serde.Some(r)))
		m.Time = t
		return err
	}
	partners, err := j.thisSide.Fetch(key, t-j.before, t+j.after)
	for i := 0; i < len(partners) && err == nil; i++ {
		err = emit(x.v, j.self(partners[i].V), partners[i].At)
	}
	if err != nil {
		return err
	}
	// A late record has to be newer than Kafka Streams' retention; that of a window of 0 or 1 ms would keep none at all.
	alone := j.before >= 0 && j.after >= 0 && (t == *j.observed || t > *j.observed-(j.before+j.after+j.grace)+1)
	partners, err = j.thisSide.Fetch(key, t-j.after, t+j.before)
	for i := 0; i < len(partners) && err == nil; i++ {
		if alone && partners[i].At > t {
			alone = false
			if err = emit(x.v, j.self(x.v), t); err != nil {
				break
			}
		}
		err = emit(partners[i].V, j.self(x.v), partners[i].At)
	}
	if err == nil && alone {
		err = emit(x.v, j.self(x.v), t)
	}
	if err != nil {
		return err
	}
	return j.thisSide.Put(key, x.v, t)
}

const never = math.MaxInt64
