package store

import (
	"encoding/binary"
	"fmt"

	"github.com/thalweg/thalweg/serde"
)

// miss answers for a key that the table does not hold. What is found below enters the table, if there is room.
func (t *table[V]) miss(k *Key) (v V, at int64, ok bool, err error) {
	if t.scan != nil {
		t.adopt(false)
	}
	if !t.mayBelow(k.Hash) {
		return v, 0, false, nil
	}
	t.key = append(append(t.key[:0], t.prefix...), k.Bytes...)
	raw, c, err := t.env.DB.e.get(t.key)
	if err != nil {
		return v, 0, false, err
	}
	if raw == nil {
		t.fruitless()
		return v, 0, false, nil
	}
	defer c.Close()
	if v, at, err = t.decode(k.Bytes, raw); err != nil {
		return v, 0, false, err
	}
	t.adoptRow(k, v, at)
	return v, at, true, nil
}

// fruitless notes that a read below has found nothing: after some, a filter is worth its scan.
func (t *table[V]) fruitless() {
	if t.filter != nil || t.scan != nil {
		return
	}
	if t.absent++; t.absent >= t.env.DB.lim.scanAfter {
		t.absent = 0
		t.startScan()
	}
}

// room reports whether there is room for a row that needs not be in memory.
func (t *table[V]) room(k *Key) bool {
	e := t.home(k.Hash)
	return e.seg.count < full(len(e.slots)) || len(e.slots) < t.pool.slots || !t.short() || t.evict(e.seg)
}

// adoptRow puts a row that is below into the table, clean, unless there is no room.
func (t *table[V]) adoptRow(k *Key, v V, at int64) {
	if !t.room(k) {
		return
	}
	e, i := t.insert(k)
	s := &e.slots[i]
	s.flags |= flagLive | flagBelow
	s.v, s.at = v, at
}

// decode reads a row as the database has it: time(8) | value.
func (t *table[V]) decode(key, raw []byte) (v V, at int64, err error) {
	return decodeRow(t.serde, key, raw)
}

func decodeRow[V any](s serde.Serde[V], key, raw []byte) (v V, at int64, err error) {
	if len(raw) < 8 {
		return v, 0, fmt.Errorf("%w: row of key %q has %d bytes", ErrCorrupt, key, len(raw))
	}
	v, err = s.Decode(raw[8:])
	if err != nil {
		return v, 0, fmt.Errorf("store: decode the value of key %q: %w", key, err)
	}
	return v, int64(binary.BigEndian.Uint64(raw)), nil
}
