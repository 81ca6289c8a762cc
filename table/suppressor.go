package table

import (
	"bytes"
	"cmp"
	"container/heap"
	"encoding/binary"
	"fmt"

	"github.com/thalweg/thalweg/internal/edge"
	"github.com/thalweg/thalweg/internal/store"
	"github.com/thalweg/thalweg/serde"
)

// suppressor is a Suppress in one task.
type suppressor[K, V any] struct {
	*buffer[K, V]
	at       edge.Place
	next     edge.Emit[K, Change[V]]
	rows     *store.KV[held[V]]
	keys     *edge.Keyer[K]
	dec      serde.Serde[K] // of this goroutine
	observed *int64         // the highest time seen; -1: none
	queue    queue          // the held keys in the order in which they are due
	bytes    int64          // they and their updates take, where that is limited
	loaded   bool           // the queue is that of the store
	scratch  []byte
}

// queued is a held key.
type queued struct {
	due int64
	key []byte
}

// queue is a heap of held keys, by time and then key bytes.
type queue []queued

func (q queue) Len() int { return len(q) }
func (q queue) Less(i, j int) bool {
	return cmp.Or(cmp.Compare(q[i].due, q[j].due), bytes.Compare(q[i].key, q[j].key)) < 0
}
func (q queue) Swap(i, j int) { q[i], q[j] = q[j], q[i] }
func (q *queue) Push(x any)   { *q = append(*q, x.(queued)) }
func (q *queue) Pop() any {
	n := len(*q) - 1
	x := (*q)[n]
	(*q)[n] = queued{}
	*q = (*q)[:n]
	return x
}

func (x *suppressor[K, V]) receive(m *edge.Meta, k K, c Change[V]) error {
	if !x.loaded {
		if err := x.load(); err != nil {
			return err
		}
	}
	*x.observed = max(*x.observed, m.Time)
	if err := x.hold(m, k, c); err != nil {
		return err
	}
	for len(x.queue) > 0 && x.wait != forever && x.queue[0].due <= *x.observed-x.wait {
		if err := x.pass(m); err != nil {
			return err
		}
	}
	for x.full() {
		if x.until.Full == Stop {
			return x.at.Failed(fmt.Errorf("%w: %s holds %d records, %d bytes", errFull, x.name, len(x.queue), x.bytes))
		}
		if err := x.pass(m); err != nil {
			return err
		}
	}
	return nil
}

func (x *suppressor[K, V]) full() bool {
	return x.until.MaxRecords > 0 && len(x.queue) > x.until.MaxRecords || x.until.MaxBytes > 0 && x.bytes > x.until.MaxBytes
}

// hold puts an update into the buffer: in place of an earlier one of the key, whose place in the order it keeps.
func (x *suppressor[K, V]) hold(m *edge.Meta, k K, c Change[V]) error {
	hashed, err := x.keys.Key(m, k)
	if err != nil {
		return err
	}
	key := KeyOf(hashed)
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
		heap.Push(&x.queue, queued{h.due, bytes.Clone(key.Bytes)})
	}
	h.value, h.time, h.topic, h.partition, h.offset = c.New, m.Time, m.Topic, m.Partition, m.Offset
	h.headers = m.AppendRaw(nil)
	if err := x.count(key.Bytes, h, 1); err != nil {
		return err
	}
	return x.rows.Put(key, h, m.Time)
}

// count adds the size of an update to that of the buffer, or takes it off.
func (x *suppressor[K, V]) count(key []byte, h held[V], sign int64) error {
	if x.until.MaxBytes == 0 {
		return nil
	}
	b, err := heldSerde[V]{x.val}.Append(x.scratch[:0], h)
	if err != nil {
		return err
	}
	x.scratch = b
	x.bytes += sign * int64(len(key)+len(b))
	return nil
}

// pass passes on the update that is due first.
func (x *suppressor[K, V]) pass(m *edge.Meta) error {
	q := heap.Pop(&x.queue).(queued)
	probe := edge.Meta{Key: q.key}
	x.at.Hash(&probe)
	key := KeyOf(&probe)
	h, _, there, err := x.rows.Get(key)
	if err != nil || !there {
		return err
	}
	if err := x.count(q.key, h, -1); err != nil {
		return err
	}
	if err := x.rows.Delete(key, m.Time); err != nil {
		return err
	}
	if x.until.UntilClose && !h.value.OK {
		return nil // deleted before it was ever passed on
	}
	k, err := x.dec.Decode(q.key)
	if err != nil {
		return err
	}
	saved := *m
	m.Key, m.Hashed, m.NoKey, m.Val = q.key, false, false, nil
	m.Time, m.Headers, m.RawHeaders = h.time, nil, h.headers
	m.Topic, m.Partition, m.Offset = h.topic, h.partition, h.offset
	err = x.next(m, k, Change[V]{Old: h.prior, New: h.value})
	*m = saved
	return err
}

// load makes the queue that of the store: at the first record, and after an abort.
func (x *suppressor[K, V]) load() error {
	x.queue, x.bytes, x.loaded = x.queue[:0], 0, true
	for e, err := range x.rows.Range(nil, nil, false) {
		if err != nil {
			return err
		}
		x.queue = append(x.queue, queued{e.Value.due, bytes.Clone(e.Key)})
		if err := x.count(e.Key, e.Value, 1); err != nil {
			return err
		}
	}
	heap.Init(&x.queue)
	return nil
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
