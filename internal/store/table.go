package store

import (
	"fmt"
	"reflect"

	"github.com/thalweg/thalweg/serde"
)

// table is the segment table: rows by key, with undo, generations and a tier below. A KV is one, a Window has one for
// each start. One goroutine uses it.
type table[V any] struct {
	dir   []entry[V]
	shift uint8 // 63 less the directory's depth
	env   *Env
	serde serde.Serde[V]
	pool  *pool[V]
	arena arena

	inner  inner[V] // what rows have inside; nil: they are as they look
	prefix []byte   // of its rows in the database
	lead   int      // bytes there between the prefix and the key
	suffix []byte   // of its keys in the changelog

	segs    int
	rows    int // slots used
	live    int64
	settled int64 // live rows as of the last commit
	pending int   // rows of the current generation
	cur     int   // the current generation; the other is the frozen one
	lists   [lists][]*segment[V]
	undo    []undoRow[V]

	complete bool    // every row is here
	filter   *filter // of what is only below; nil: unknown
	absent   int     // reads below that found nothing, while there is no filter
	scan     *scan   // builds a filter; nil: none under way
	part     *part   // of the checkpoint under way
	views    []*view[V]
	order    order

	pointers  bool    // V has pointers: what they lead to is estimated
	meanValue float64 // encoded bytes, running
	held      int64   // bytes accounted for in the budget, but for the pool
	value     []byte  // scratch
	key       []byte  // scratch
	changed   bool    // is on its window store's list of changed tables
	swept     uint64  // the directory's place where the sweep of expired rows goes on
	sweep     uint64  // the directory's place where relief goes on
	sink      uint64
}

// inner is what a table has to know of rows with an inside of their own: see ring.
type inner[V any] interface {
	copyOut(seg *segment[V], i uint64) // in place of the table's own
	restore(s *slot[V])                // a row gets back what it had inside
	left(v V)                          // a row has left the table
	thaw(below bool)                   // a checkpoint ends
}

func newTable[V any](env *Env, s serde.Serde[V], p *pool[V]) *table[V] {
	t := &table[V]{env: env, serde: s, pool: p, pointers: hasPointers(reflect.TypeFor[V]()),
		value: make([]byte, 0, 64), key: make([]byte, 0, 64), meanValue: 16}
	if p.slots = segmentSlots; env.DB != nil {
		p.slots = env.DB.lim.segment
	}
	t.start()
	return t
}

// start makes the table empty.
func (t *table[V]) start() {
	seg := &segment[V]{slots: t.pool.take(firstSlots)}
	t.dir = []entry[V]{{seg.slots, seg}}
	t.shift, t.segs, t.rows = 63, 1, 0
}

// get returns the row of k, from below if it must.
func (t *table[V]) get(k *Key) (v V, at int64, ok bool, err error) {
	e, i, found := t.find(k)
	if !found {
		if t.complete {
			return v, 0, false, nil
		}
		return t.miss(k)
	}
	s := &e.slots[i]
	if s.flags&refMask != refMask {
		s.flags += flagRef
	}
	if s.flags&flagLive == 0 {
		return v, 0, false, nil
	}
	return s.v, s.at, true, nil
}

// Place is where the row of a key stands until the next change of its store, or the next read of another key.
type Place[V any] struct {
	e *entry[V] // nil: it has none
	i uint64
}

// put makes v the value of k.
func (t *table[V]) put(k *Key, v V, at int64) error {
	e, i, had := t.find(k)
	if !had {
		if len(k.Bytes) >= keyMax {
			return errKeyLong(k)
		}
		e, i = t.insert(k)
		if t.mayBelow(k.Hash) {
			e.slots[i].flags |= flagBelow
			t.live-- // taken for an overwrite
		}
	}
	s := &e.slots[i]
	t.touch(e.seg, i, s, had)
	if s.flags&flagLive == 0 {
		s.flags |= flagLive
		t.live++
	}
	s.v, s.at = v, at
	return nil
}

func errKeyLong(k *Key) error {
	return fmt.Errorf("store: key of %d bytes, at most %d are possible", len(k.Bytes), keyMax-1)
}

// delete makes k absent. at becomes the time of its tombstone.
func (t *table[V]) delete(k *Key, at int64) error {
	e, i, had := t.find(k)
	if !had {
		if !t.mayBelow(k.Hash) || len(k.Bytes) >= keyMax {
			return nil
		}
		e, i = t.insert(k)
		e.slots[i].flags |= flagBelow
		t.live--
	}
	s := &e.slots[i]
	if had && s.flags&flagLive == 0 {
		return nil
	}
	t.touch(e.seg, i, s, had)
	t.bury(e.seg, s)
	s.at = at
	return nil
}

// bury makes a row a tombstone.
func (t *table[V]) bury(seg *segment[V], s *slot[V]) {
	if s.flags&flagLive != 0 {
		s.flags &^= flagLive
		t.live--
	}
	var zero V
	s.v = zero
	seg.dead = true
}

// load reads one word of each slot that find looks at first.
func (t *table[V]) load(hash uint64) {
	e := t.home(hash)
	mask := uint64(len(e.slots) - 1)
	t.sink ^= e.slots[hash&mask].lo ^ e.slots[(hash+1)&mask].hi
}

// encode returns the encoding of v in the table's scratch, nil for null.
func (t *table[V]) encode(v V) ([]byte, error) {
	b, err := t.serde.Append(t.value[:0], v)
	if err != nil {
		return nil, err
	}
	if b != nil {
		t.value = b
	}
	return b, nil
}

// hasPointers reports whether values of type r lead to memory of their own.
func hasPointers(r reflect.Type) bool {
	switch r.Kind() {
	case reflect.Array:
		return r.Len() > 0 && hasPointers(r.Elem())
	case reflect.Struct:
		for f := range r.Fields() {
			if hasPointers(f.Type) {
				return true
			}
		}
		return false
	case reflect.Chan, reflect.Func, reflect.Interface, reflect.Map, reflect.Pointer, reflect.Slice, reflect.String,
		reflect.UnsafePointer:
		return true
	}
	return false
}
