package stream

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/thalweg/thalweg/internal/batch"
	"github.com/thalweg/thalweg/internal/edge"
	"github.com/thalweg/thalweg/internal/hashed"
	"github.com/thalweg/thalweg/internal/store"
	"github.com/thalweg/thalweg/serde"
	"github.com/thalweg/thalweg/state"
	"github.com/thalweg/thalweg/topology"
)

// buffer holds the records of a stream-table join for the length of its grace. Keys of its store are
// 0 time(8) key seq(4): by time, key, and as they came.
type buffer[K, V any] struct {
	name  string
	grace int64
	key   serde.Serde[K]
	val   serde.Serde[V]
}

func (x *buffer[K, V]) resolve(b *topology.Builder, k serde.Serde[K], in edge.Serdes) (err error) {
	x.key = k
	x.val, err = topology.SerdeFor[V](b, in.Val)
	return err
}

func (x *buffer[K, V]) pending() edge.Pending {
	return edge.PendingOf(x.name, func() state.Spec[state.KeyValue[[]byte, heldRecord[V]]] {
		return state.NewKeyValue(x.name, serde.Bytes, serde.Serde[heldRecord[V]](heldSerde[V]{x.val}))
	})
}

// heldRecord is a record that waits, with all that it came with.
type heldRecord[V any] struct {
	v         V
	time      int64
	offset    int64
	topic     string
	partition int32
	headers   []batch.KV
}

// heldSerde writes what Kafka Streams' buffers hold: time(8) offset(8) topic partition(4) headers, then the values
// prior (-1: none), old (-1), new, and the time of the buffer (0). Texts and values have their length(4) before them.
type heldSerde[V any] struct{ of serde.Serde[V] }

func (s heldSerde[V]) String() string { return "held " + serde.Name(s.of) }
func (s heldSerde[V]) Parts() []any   { return []any{s.of} }

func (s heldSerde[V]) At(p serde.Place) serde.Serde[heldRecord[V]] {
	return heldSerde[V]{serde.At(s.of, p)}
}

const noBytes = 1<<32 - 1 // the length of null

func (s heldSerde[V]) Append(dst []byte, r heldRecord[V]) ([]byte, error) {
	be := binary.BigEndian
	dst = be.AppendUint64(be.AppendUint64(dst, uint64(r.time)), uint64(r.offset))
	dst = append(be.AppendUint32(dst, uint32(len(r.topic))), r.topic...)
	dst = be.AppendUint32(be.AppendUint32(dst, uint32(r.partition)), uint32(len(r.headers)))
	for _, h := range r.headers {
		dst = append(be.AppendUint32(dst, uint32(len(h.Key))), h.Key...)
		if h.Value == nil {
			dst = be.AppendUint32(dst, noBytes)
			continue
		}
		dst = append(be.AppendUint32(dst, uint32(len(h.Value))), h.Value...)
	}
	dst = be.AppendUint32(be.AppendUint32(dst, noBytes), noBytes)
	at := len(dst)
	out, err := s.of.Append(be.AppendUint32(dst, 0), r.v)
	if err != nil {
		return nil, err
	}
	if out == nil {
		return nil, errors.New("stream: a record that waits is written as null")
	}
	be.PutUint32(out[at:], uint32(len(out)-at-4))
	return be.AppendUint64(out, 0), nil
}

func (s heldSerde[V]) Decode(data []byte) (r heldRecord[V], err error) {
	d := heldReader{data: data}
	r.time, r.offset = int64(d.long()), int64(d.long())
	r.topic, r.partition = string(d.bytes()), int32(d.int())
	for n := d.int(); n > 0 && !d.short; n-- {
		r.headers = append(r.headers, batch.KV{Key: string(d.bytes()), Value: d.bytes()})
	}
	d.bytes()
	d.bytes()
	v := d.bytes()
	if d.short || v == nil {
		return r, fmt.Errorf("stream: a record that waits ends early, after %d bytes", len(data))
	}
	r.v, err = s.of.Decode(v)
	return r, err
}

// heldReader takes data apart.
type heldReader struct {
	data  []byte
	short bool
}

func (d *heldReader) take(n int) []byte {
	if n > len(d.data) {
		d.short, d.data = true, nil
		return make([]byte, min(n, 8))
	}
	b := d.data[:n:n]
	d.data = d.data[n:]
	return b
}

func (d *heldReader) long() uint64 { return binary.BigEndian.Uint64(d.take(8)) }
func (d *heldReader) int() uint32  { return binary.BigEndian.Uint32(d.take(4)) }

// bytes returns a copy; nil for null.
func (d *heldReader) bytes() []byte {
	n := d.int()
	if n == noBytes || d.short {
		return nil
	}
	return append([]byte{}, d.take(int(n))...)
}

// open returns what holds a record and passes on those whose grace is over.
func (x *buffer[K, V]) open(at edge.Place, join edge.Emit[K, V]) (edge.Emit[K, V], error) {
	h, err := at.Store(x.name)
	if err != nil {
		return nil, err
	}
	b := &bufferTask[K, V]{buffer: x, at: at, join: join, keys: edge.NewKeyer(at, x.key), decode: serde.Single(x.key),
		kv:       state.RawKeyValue[[]byte, heldRecord[V]](h.(state.KeyValue[[]byte, heldRecord[V]])),
		observed: at.Keep(x.name + " observed"), seq: at.Keep(x.name + " last")}
	return b.receive, nil
}

// bufferTask is a buffer in one task.
type bufferTask[K, V any] struct {
	*buffer[K, V]
	at       edge.Place
	join     edge.Emit[K, V]
	keys     *edge.Keyer[K]
	decode   serde.Serde[K]
	kv       *store.KV[heldRecord[V]]
	buf      []byte
	asked    hashed.Key // what of returned
	seq      *int64     // of the last record held
	observed *int64     // the highest time held so far
}

// of returns the store's key; it lives until the next call.
func (b *bufferTask[K, V]) of(key []byte) *hashed.Key {
	b.asked.Bytes = key
	b.at.Hash(&b.asked)
	return &b.asked
}

func (b *bufferTask[K, V]) receive(m *edge.Meta, k K, v V) error {
	if m.Time < *b.observed-b.grace {
		return b.join(m, k, v)
	}
	key, err := b.keys.Key(m, k)
	if err != nil {
		return err
	}
	r := heldRecord[V]{v: v, time: m.Time, offset: m.Offset, topic: m.Topic, partition: m.Partition}
	list, err := m.List()
	if err != nil {
		return err
	}
	if list != nil {
		r.headers = list.KV
	}
	*b.seq = max(*b.seq, 0) + 1
	b.buf = append(binary.BigEndian.AppendUint64(append(b.buf[:0], 0), uint64(m.Time)), key.Bytes...)
	b.buf = binary.BigEndian.AppendUint32(b.buf, uint32(*b.seq))
	if err := b.kv.Put(b.of(b.buf), r, m.Time); err != nil {
		return err
	}
	*b.observed = max(*b.observed, m.Time)
	return b.release(m)
}

// release joins the records whose grace is over, each as it came.
func (b *bufferTask[K, V]) release(m *edge.Meta) error {
	end := *b.observed - b.grace
	if end < 0 {
		return nil
	}
	for e, err := range b.kv.Range(nil, binary.BigEndian.AppendUint64([]byte{0}, uint64(end)+1), false) {
		if err != nil {
			return err
		}
		r, key := &e.Value, e.Key[9:len(e.Key)-4]
		if r.time > end {
			break
		}
		k, err := b.decode.Decode(key)
		if err != nil {
			return err
		}
		saved := *m
		m.SetKey(key)
		m.Val, m.Time, m.RawHeaders = nil, r.time, nil
		m.Headers, m.Topic, m.Partition, m.Offset = &edge.Headers{KV: r.headers}, r.topic, r.partition, r.offset
		err = b.join(m, k, r.v)
		if *m = saved; err != nil {
			return err
		}
		if err := b.kv.Delete(b.of(e.Key), r.time); err != nil {
			return err
		}
	}
	return nil
}
