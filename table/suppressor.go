package table

import (
	"encoding/binary"
	"fmt"
	"math"

	"github.com/thalweg/thalweg/internal/edge"
	"github.com/thalweg/thalweg/internal/hashed"
	"github.com/thalweg/thalweg/internal/store"
	"github.com/thalweg/thalweg/serde"
)

// suppressor is a Suppress in one task.
type suppressor[K, V any] struct {
	*buffer[K, V]
	at       edge.Place
	next     edge.Emit[K, Change[V]]
	rows     *store.KV[held[V]] // in the order in which they are due
	keys     *edge.Keyer[K]
	dec      serde.Serde[K] // of this goroutine
	observed *int64         // the highest time seen; -1: none
	// Where they are limited: how many updates are held, and their bytes.
	records, bytes *int64
	scratch        []byte
}

func (x *suppressor[K, V]) receive(m *edge.Meta, k K, c Change[V]) error {
	*x.observed = max(*x.observed, m.Time)
	if err := x.hold(m, k, c); err != nil {
		return err
	}
	if x.wait != forever {
		if err := x.pass(m, *x.observed-x.wait, false); err != nil {
			return err
		}
	}
	if !x.full() {
		return nil
	}
	if x.until.Full == Stop {
		return x.at.Failed(fmt.Errorf("%w: %s holds %d records, %d bytes", errFull, x.name, *x.records, *x.bytes))
	}
	return x.pass(m, math.MaxInt64, true)
}

func (x *suppressor[K, V]) full() bool {
	return x.until.MaxRecords > 0 && *x.records > int64(x.until.MaxRecords) || x.until.MaxBytes > 0 && *x.bytes > x.until.MaxBytes
}

// hold puts an update into the buffer: in place of an earlier one of the key, whose place in the order it keeps.
func (x *suppressor[K, V]) hold(m *edge.Meta, k K, c Change[V]) error {
	key, err := x.keys.Key(m, k)
	if err != nil {
		return err
	}
	h, _, there, err := x.rows.Get(key)
	if err != nil {
		return err
	}
	if there {
		if err := x.count(key.Bytes, h, -1); err != nil {
			return err
		}
	} else {
		h.due, h.prior = x.due(k, m.Time), c.Old
	}
	h.value, h.time, h.topic, h.partition, h.offset = c.New, m.Time, m.Topic, m.Partition, m.Offset
	h.headers = m.AppendRaw(nil)
	if err := x.count(key.Bytes, h, 1); err != nil {
		return err
	}
	return x.rows.Put(key, h, m.Time)
}

// count adds an update to what the buffer holds, or takes it off.
func (x *suppressor[K, V]) count(key []byte, h held[V], sign int64) error {
	if x.until.MaxRecords > 0 || x.until.MaxBytes > 0 {
		*x.records = max(*x.records, 0) + sign
	}
	if x.until.MaxBytes == 0 {
		return nil
	}
	b, err := heldSerde[V]{x.val}.Append(x.scratch[:0], h)
	if err != nil {
		return err
	}
	x.scratch = b
	*x.bytes = max(*x.bytes, 0) + sign*int64(len(key)+len(b))
	return nil
}

// pass passes on the updates that are due up to a time, by time and then key bytes; or just until the buffer is not full.
func (x *suppressor[K, V]) pass(m *edge.Meta, limit int64, full bool) error {
	at := m.Time
	return x.rows.Due(limit, 0, func(key hashed.Key, h held[V], _ int64) error {
		m.Time = at
		if err := x.count(key.Bytes, h, -1); err != nil {
			return err
		}
		if h.value.OK || !x.until.UntilClose { // else it was deleted before it was ever passed on
			if err := x.emit(m, key.Bytes, h); err != nil {
				return err
			}
		}
		if full && !x.full() {
			return store.ErrEnough
		}
		return nil
	})
}

func (x *suppressor[K, V]) emit(m *edge.Meta, key []byte, h held[V]) error {
	k, err := x.dec.Decode(key)
	if err != nil {
		return err
	}
	saved := *m
	m.SetKey(key)
	m.NoKey, m.Val = false, nil
	m.Time, m.Headers, m.RawHeaders = h.time, nil, h.headers
	m.Topic, m.Partition, m.Offset = h.topic, h.partition, h.offset
	err = x.next(m, k, Change[V]{Old: h.prior, New: h.value})
	*m = saved
	return err
}

// heldSerde writes a held update: due(8) time(8) offset(8) partition(4), then topic, headers, prior and value, each with
// its length + 1 in front, 0 for none.
type heldSerde[V any] struct{ of serde.Serde[V] }

const heldHead = 28

func (s heldSerde[V]) Append(dst []byte, h held[V]) ([]byte, error) {
	for _, n := range []int64{h.due, h.time, h.offset} {
		dst = binary.BigEndian.AppendUint64(dst, uint64(n))
	}
	dst = binary.BigEndian.AppendUint32(dst, uint32(h.partition))
	dst = appendPart(appendPart(dst, []byte(h.topic)), h.headers)
	for _, v := range []serde.Opt[V]{h.prior, h.value} {
		var b []byte
		var err error
		if v.OK {
			if b, err = s.of.Append([]byte{}, v.Value); err != nil {
				return nil, err
			}
		}
		dst = appendPart(dst, b)
	}
	return dst, nil
}

func appendPart(dst, b []byte) []byte {
	if b == nil {
		return append(dst, 0)
	}
	return append(binary.AppendUvarint(dst, uint64(len(b))+1), b...)
}

func (s heldSerde[V]) Decode(data []byte) (h held[V], err error) {
	if len(data) < heldHead {
		return h, fmt.Errorf("table: a held update of %d bytes", len(data))
	}
	h.due, h.time = int64(binary.BigEndian.Uint64(data)), int64(binary.BigEndian.Uint64(data[8:]))
	h.offset, h.partition = int64(binary.BigEndian.Uint64(data[16:])), int32(binary.BigEndian.Uint32(data[24:]))
	data = data[heldHead:]
	var parts [4][]byte
	for i := range parts {
		n, w := binary.Uvarint(data)
		if w <= 0 || n > uint64(len(data)-w)+1 {
			return h, fmt.Errorf("table: a held update ends early")
		}
		if data = data[w:]; n > 0 {
			parts[i] = append([]byte{}, data[:n-1]...)
			data = data[n-1:]
		}
	}
	h.topic, h.headers = string(parts[0]), parts[1]
	for i, v := range []*serde.Opt[V]{&h.prior, &h.value} {
		if parts[2+i] == nil {
			continue
		}
		if v.Value, err = s.of.Decode(parts[2+i]); err != nil {
			return h, err
		}
		v.OK = true
	}
	return h, nil
}
