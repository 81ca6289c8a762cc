package edge

import (
	"fmt"

	"github.com/thalweg/thalweg/internal/hashed"
	"github.com/thalweg/thalweg/serde"
)

// Keyer gives the bytes and the hash of a record's key, in one task of one node.
type Keyer[K any] struct {
	task  Task
	serde serde.Serde[K]
	mode  keyMode
	buf   []byte
	own   hashed.Key
}

// keyMode is where a Keyer takes the bytes from.
type keyMode int

const (
	keyRaw  keyMode = iota // the edge has them, by the same serde
	keyMake                // the edge has none: encode, and leave them in Meta for those below
	keyOwn                 // the edge has those of another serde, which must stay: encode apart
)

// NewKeyer returns the Keyer of the node at p that wants keys as s writes them. A node whose edge has no bytes of the
// key reads the typed one: see ReadsKey.
func NewKeyer[K any](p Place, s serde.Serde[K]) *Keyer[K] {
	return &Keyer[K]{task: p.Task, serde: s, mode: modeOf(p.Node.In.Key, s), buf: make([]byte, 0, 64)}
}

// ReadsKey reports whether a node that wants keys as s writes them has to read the typed key.
func ReadsKey[K any](in Serdes, s serde.Serde[K]) bool { return modeOf(in.Key, s) != keyRaw }

func modeOf[K any](in any, s serde.Serde[K]) keyMode {
	have, ok := in.(serde.Serde[K])
	switch {
	case !ok:
		return keyMake
	case serde.Same(have, s):
		return keyRaw
	}
	return keyOwn
}

// Key returns the record's key, hashed: that of m itself, or the Keyer's own. It holds until a record is passed on, the
// next Key, or the return of the call that brought m.
func (x *Keyer[K]) Key(m *Meta, k K) (*hashed.Key, error) {
	if x.mode == keyRaw && m.Hashed {
		return &m.Key, nil // apart from the rest it is inlined
	}
	return x.make(m, k)
}

func (x *Keyer[K]) make(m *Meta, k K) (*hashed.Key, error) {
	switch x.mode {
	case keyMake:
		b, err := x.encode(k)
		if err != nil {
			return nil, err
		}
		m.SetKey(b)
	case keyOwn:
		b, err := x.encode(k)
		if err != nil {
			return nil, err
		}
		x.own.Bytes = b
		x.task.Hash(&x.own)
		return &x.own, nil
	}
	if !m.Hashed {
		x.task.Hash(&m.Key)
		m.Hashed = true
	}
	return &m.Key, nil
}

func (x *Keyer[K]) encode(k K) ([]byte, error) {
	b, err := x.serde.Append(x.buf[:0], k)
	if err != nil {
		return nil, err
	}
	if b == nil {
		return nil, fmt.Errorf("edge: the key %v is written as null", k)
	}
	x.buf = b
	return b, nil
}

// View is how rows of a table are looked up, and what the table's node can be asked for while a topology is built.
type View[K, V any] struct {
	// Store is the name of the store that holds the rows, "" if they are computed from other views.
	Store func() string
	// Stores says that rows are needed, and returns the stores that a reader has to be connected with.
	Stores func() []any
	// Old asks for old values in the table's changes; without force only if that costs no store. It reports whether
	// they are on.
	Old func(force bool) bool
	// Serdes are those of the rows' bytes, known after Build.
	Serdes func() (serde.Serde[K], serde.Serde[V])
	// Open makes the lookup for the node at p.
	Open func(p Place) (Lookup[K, V], error)
	// OpenAsOf makes the lookup of rows as they were at the record's time; nil of a table that keeps no history.
	OpenAsOf func(p Place) (Lookup[K, V], error)
	// History is how far back OpenAsOf reaches, in ms.
	History int64
	// ReadsKey says that a lookup calls user code with the typed key, so that its bytes do not do.
	ReadsKey bool
	// Filtered says that rows which fail a filter come as deletions that may be useless: of rows never passed on.
	Filtered bool
	// Rows gives the state.Rows of a table that has no store, for a state.Client; nil if it has one.
	Rows func(client any) any
}

// Lookup returns the row of the record's key, and its time.
type Lookup[K, V any] = func(m *Meta, k K) (v V, at int64, ok bool, err error)
