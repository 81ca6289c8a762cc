package table

import (
	"bytes"

	"github.com/thalweg/thalweg/internal/edge"
	"github.com/thalweg/thalweg/internal/hashed"
	"github.com/thalweg/thalweg/internal/store"
	"github.com/thalweg/thalweg/serde"
	"github.com/thalweg/thalweg/state"
	"github.com/thalweg/thalweg/topology"
)

// Index is a table's rows by something else than their key, to be queried from outside.
type Index[I, K, V any] struct{ x *index[I, K, V] }

// Index keeps the rows findable by something else than their key, in a store and changelog of that name. by must be pure.
//
//	rows   (a red) (b red) (a blue)
//	by     v
//	index  red: a  red: a b  red: b, blue: a
func (t Table[K, V]) Index[I any](name string, by func(K, V) I) Index[I, K, V] {
	if !given(t, "Index", by == nil) || !t.out.Builder().Own("Index", name) {
		return Index[I, K, V]{}
	}
	t.view.Old(true)
	x := &index[I, K, V]{name: name, by: by}
	b := t.out.Builder()
	op := edge.Op{Kind: "KTABLE-INDEX", Label: name, Reads: edge.Need{Key: true, Val: true},
		Stores: []any{edge.PendingOf(name, func() state.Spec[state.Timestamped[[]byte, V]] {
			return state.NewTimestamped(name, serde.Bytes, x.val)
		})},
		Resolve: func(_ *edge.Node, in edge.Serdes) (_ edge.Serdes, err error) {
			k, v := t.view.Serdes()
			if x.key, err = topology.SerdeFor[K](b, any(k)); err != nil {
				return edge.Serdes{}, err
			}
			if x.val, err = topology.SerdeFor[V](b, any(v)); err != nil {
				return edge.Serdes{}, err
			}
			x.index, err = topology.SerdeFor[I](b, nil)
			return edge.Serdes{}, err
		},
	}
	t.out.Apply[K, Change[V]](op, func(at edge.Place, _ edge.Emit[K, Change[V]]) (edge.Emit[K, Change[V]], error) {
		h, err := at.Store(name)
		if err != nil {
			return nil, err
		}
		kv := state.RawKV[[]byte, V](h.(state.Timestamped[[]byte, V]))
		return (&indexer[I, K, V]{index: x, at: at, kv: kv, keys: edge.NewKeyer(at, x.key)}).receive, nil
	})
	return Index[I, K, V]{x}
}

// Query reads the index from outside.
func (x Index[I, K, V]) Query[_ edge.Called](c state.Client) state.IndexRows[I, K, V] {
	if x.x == nil {
		return state.IndexRows[I, K, V]{}
	}
	return state.IndexRowsOf(c, x.x.name, x.x.index, x.x.key, x.x.val)
}

// index is what an index is made of. Serdes are known after Build.
type index[I, K, V any] struct {
	name  string
	by    func(K, V) I
	index serde.Serde[I]
	key   serde.Serde[K]
	val   serde.Serde[V]
}

// indexer is an index in one task.
type indexer[I, K, V any] struct {
	*index[I, K, V]
	at       edge.Place
	kv       *store.KV[V]
	keys     *edge.Keyer[K]
	asked    hashed.Key // what storeKey returned
	old, new []byte
	buf      []byte
}

// entry returns the key of the entry of a row, in buf.
func (x *indexer[I, K, V]) entry(k K, key []byte, v V, buf []byte) ([]byte, error) {
	b, err := x.index.index.Append(append(x.buf[:0], 0), x.by(k, v))
	if err != nil || b == nil {
		return nil, err // a row indexed under null is in no place
	}
	x.buf = b
	return append(state.AppendIndex(buf[:0], b[1:]), key...), nil
}

// storeKey returns the key of an entry, until the next call.
func (x *indexer[I, K, V]) storeKey(entry []byte) *hashed.Key {
	x.asked.Bytes = entry
	x.at.Hash(&x.asked)
	return &x.asked
}

func (x *indexer[I, K, V]) receive(m *edge.Meta, k K, c Change[V]) error {
	if m.Stale {
		return nil
	}
	keyed, err := x.keys.Key(m, k)
	if err != nil {
		return err
	}
	var old, now []byte
	if c.Old.OK {
		if old, err = x.entry(k, keyed.Bytes, c.Old.Value, x.old); err != nil {
			return err
		}
		x.old = old
	}
	if c.New.OK {
		if now, err = x.entry(k, keyed.Bytes, c.New.Value, x.new); err != nil {
			return err
		}
		x.new = now
	}
	if old != nil && !bytes.Equal(old, now) {
		if err := x.kv.Delete(x.storeKey(old), m.Time); err != nil {
			return err
		}
	}
	if now == nil {
		return nil
	}
	return x.kv.Put(x.storeKey(now), c.New.Value, m.Time)
}
