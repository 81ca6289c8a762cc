package table

import (
	"github.com/thalweg/thalweg/internal/edge"
	"github.com/thalweg/thalweg/serde"
	"github.com/thalweg/thalweg/state"
	"github.com/thalweg/thalweg/topology"
)

// From reads a topic as a table: a null value deletes the row, a record without a key is dropped and counted. Offset
// order wins: a record with an earlier time than its row's replaces it all the same. Its store, if it needs one,
// restores from the topic itself, which must be compacted for that; with a TTL it has a changelog.
//
//	in    (a 1) (b 5) (a 7) (b null)
//	rows  a=1   a=1    a=7   a=7
//	            b=5    b=5
func From[K, V any](b *topology.Builder, t topology.Topic[K, V], opts ...state.Options) Table[K, V] {
	if t.Pattern != nil {
		b.Fail(0, "a table of the pattern %q: read it with stream.From and make a table of that, with ToTable", t.Pattern)
		return Table[K, V]{}
	}
	src := topology.Source(b, topology.Nullable(t))
	if src.Node() == nil {
		return Table[K, V]{}
	}
	f := &source[K, V]{b: b, src: src.Node(), rows: makeRows[K, V](b, t.Name, opts, true)}
	t = t.InPlace()
	f.topicKey = t.Key
	f.rows.Use(serde.At(t.Key, serde.Place{Topic: t.Name, Key: true, Changelog: true}), serde.At(t.Value, serde.Place{Topic: t.Name, Changelog: true}))
	f.out = src.Apply[K, Change[V]](edge.Op{
		Kind: "KTABLE-SOURCE", Keeps: edge.Need{Key: true}, Touch: true,
		Resolve: func(n *edge.Node, in edge.Serdes) (edge.Serdes, error) {
			// Changes carry typed values; their readers say whether they are looked at.
			n.Reads = edge.Need{Key: f.stored && edge.ReadsKey(in, f.rows.key), Val: true}
			return edge.Serdes{Key: in.Key}, nil
		},
	}, f.open)
	if len(opts) > 0 {
		f.store()
		src.Node().Topic.Bootstrap = src.Node().Topic.Bootstrap || opts[0].Bootstrap
	}
	view := f.rows.View()
	stores := view.Stores
	view.Stores = func() []any { f.store(); return stores() }
	view.Old = func(force bool) bool {
		if force {
			f.store()
		}
		f.rows.old = f.rows.old || f.stored
		return f.stored
	}
	view.Store = func() string {
		if f.stored {
			return f.rows.name
		}
		return ""
	}
	return Table[K, V]{f.rows.Coalesced(f.out), view}
}

// source is the node of a table read from a topic.
type source[K, V any] struct {
	b      *topology.Builder
	src    *edge.Node
	out    topology.Output[K, Change[V]]
	rows   *Rows[K, V]
	stored bool
	// topicKey reads the topic's keys. Where their bytes depend on who wrote them, as under a registry, the rows have
	// them written anew: two encodings of a key are one row.
	topicKey serde.Serde[K]
}

// store gives the node a store: somebody needs the rows.
func (f *source[K, V]) store() {
	if f.stored {
		return
	}
	f.stored = true
	f.out.Connect(f.rows.Pending())
	if f.rows.ttl() > 0 {
		return // rows go that the topic still has
	}
	f.b.RestoreFrom(f.rows.name, f.src, f.rekey())
}

func (f *source[K, V]) rekey() func(dst, key []byte) ([]byte, error) {
	if _, placed := f.topicKey.(serde.Placed[K]); !placed || serde.Same(f.topicKey, f.rows.key) {
		return nil
	}
	return func(dst, key []byte) ([]byte, error) {
		k, err := f.topicKey.Decode(key)
		if err != nil {
			return nil, err
		}
		return f.rows.key.Append(dst, k)
	}
}

func (f *source[K, V]) open(at edge.Place, next edge.Emit[K, Change[V]]) (edge.Emit[K, serde.Opt[V]], error) {
	noKey := at.Drop("null-key")
	if !f.stored {
		return func(m *edge.Meta, k K, v serde.Opt[V]) error {
			if m.NoKey {
				*noKey++
				return nil
			}
			return next(m, k, Change[V]{New: v})
		}, nil
	}
	put, err := f.rows.Writer(at, next, false)
	if err != nil {
		return nil, err
	}
	return Expiring(f.rows, at, next, func(m *edge.Meta, k K, v serde.Opt[V]) error {
		if m.NoKey {
			*noKey++
			return nil
		}
		return put(m, k, v)
	})
}
