package streamtest

import (
	"reflect"
	"slices"

	"github.com/thalweg/thalweg/internal/batch"
	"github.com/thalweg/thalweg/internal/edge"
	"github.com/thalweg/thalweg/serde"
	"github.com/thalweg/thalweg/topology"
	"github.com/thalweg/thalweg/window"
)

// Topic writes records to a topic and reads what is committed in it.
type Topic[K, V any] struct {
	d    *Driver
	t    topology.Topic[K, V]
	log  *log
	read []int64 // how far each partition has been read
}

// Topic returns a typed hold on a topic, to write and to read. A topic that the topology does not name is made.
func (d *Driver) Topic[K, V any](t topology.Topic[K, V]) *Topic[K, V] {
	d.t.Helper()
	if t.Pattern != nil {
		d.t.Fatalf("streamtest: a hold on the pattern %q: give the topic a Name that matches", t.Pattern)
	}
	l := d.topics[t.Name]
	if l == nil {
		l = newLog(d.opts.Partitions)
		d.topics[t.Name] = l
		d.partitions[t.Name] = int32(d.opts.Partitions)
		d.found(t.Name)
	}
	return &Topic[K, V]{d: d, t: t.InPlace(), log: l, read: make([]int64, len(l.parts))}
}

// Put writes one record at the driver's time, and runs the topology until it is idle.
func (t *Topic[K, V]) Put(k K, v V) {
	t.d.t.Helper()
	t.PutAt(t.d.Now(), k, v)
}

// PutAt is Put at another time.
func (t *Topic[K, V]) PutAt(at window.Instant, k K, v V) {
	t.d.t.Helper()
	t.PutRecord(topology.Record[K, V]{Key: k, Value: v, Time: at})
}

// Delete writes a null value.
func (t *Topic[K, V]) Delete(k K) {
	t.d.t.Helper()
	key, err := t.t.Key.Append([]byte{}, k)
	if err != nil {
		t.d.t.Fatalf("streamtest: %s: key %v: %v", t.t.Name, k, err)
	}
	t.put(t.partition(key, -1), raw{time: int64(t.d.Now()), key: key})
	t.d.run()
}

// PutRecord writes a record as it is, and runs the topology until it is idle.
func (t *Topic[K, V]) PutRecord(r topology.Record[K, V]) {
	t.d.t.Helper()
	t.PutAll(r)
}

// PutAll writes many records before anything runs.
func (t *Topic[K, V]) PutAll(rs ...topology.Record[K, V]) {
	t.d.t.Helper()
	for _, r := range rs {
		t.write(r)
	}
	t.d.run()
}

func (t *Topic[K, V]) write(r topology.Record[K, V]) {
	t.d.t.Helper()
	out := raw{time: int64(r.Time)}
	var err error
	if !r.NoKey {
		if out.key, err = t.t.Key.Append([]byte{}, r.Key); err != nil {
			t.d.t.Fatalf("streamtest: %s: key %v: %v", t.t.Name, r.Key, err)
		}
	}
	if out.value, err = t.t.Value.Append([]byte{}, r.Value); err != nil {
		t.d.t.Fatalf("streamtest: %s: value %v: %v", t.t.Name, r.Value, err)
	}
	var m edge.Meta
	r.SetMeta(&m)
	out.headers = m.AppendRaw(nil)
	p := -1
	if t.t.Partition != nil {
		p = t.t.Partition(r, len(t.log.parts))
	}
	t.put(t.partition(out.key, p), out)
}

// PutBytes writes raw bytes at the driver's time: for what cannot be decoded.
func (t *Topic[K, V]) PutBytes(k, v []byte) {
	t.d.t.Helper()
	t.put(t.partition(k, -1), raw{time: int64(t.d.Now()), key: k, value: v})
	t.d.run()
}

// partition is the one a record goes to: chosen, by key, or by chance.
func (t *Topic[K, V]) partition(key []byte, chosen int) int32 {
	switch n := len(t.log.parts); {
	case chosen >= 0:
		return int32(chosen)
	case key != nil:
		return topology.Partition(serde.PartitionKey(t.t.Key, key), int32(n))
	default:
		return int32(t.d.rng.IntN(n))
	}
}

func (t *Topic[K, V]) put(partition int32, r raw) {
	t.d.t.Helper()
	t.d.recording.put(t.t.Name, r)
	if err := t.log.parts[partition].append([]raw{r}); err != nil {
		t.d.t.Fatalf("streamtest: %s: %v", t.t.Name, err)
	}
}

// Read returns the records since the last Read, in partition order, and times of equal keys in order.
func (t *Topic[K, V]) Read() (rs []topology.Record[K, V]) {
	t.d.t.Helper()
	for i := range t.log.parts {
		err := t.log.parts[i].records(t.read[i], func(r *batch.Record) { rs = append(rs, t.decode(r)) })
		if err != nil {
			t.d.t.Fatalf("streamtest: %s: %v", t.t.Name, err)
		}
		t.read[i] = t.log.parts[i].end
	}
	return rs
}

func (t *Topic[K, V]) decode(r *batch.Record) (out topology.Record[K, V]) {
	t.d.t.Helper()
	var err error
	out.Time, out.NoKey = window.Instant(r.Timestamp), r.Key == nil
	if !out.NoKey {
		if out.Key, err = t.t.Key.Decode(r.Key); err != nil {
			t.d.t.Fatalf("streamtest: %s: key %q: %v", t.t.Name, r.Key, err)
		}
	}
	if out.Value, err = t.t.Value.Decode(r.Value); err != nil {
		t.d.t.Fatalf("streamtest: %s: value %q: %v (topology.Nullable reads null values)", t.t.Name, r.Value, err)
	}
	m := edge.Meta{RawHeaders: r.Headers}
	if out.Headers, err = topology.HeadersOf(&m); err != nil {
		t.d.t.Fatalf("streamtest: %s: headers: %v", t.t.Name, err)
	}
	return out
}

// Want fails the test unless Read gives these values under these keys, whatever the order between keys.
func (t *Topic[K, V]) Want(want ...Pair[K, V]) {
	t.d.t.Helper()
	left := slices.Clone(want)
	for _, r := range t.Read() {
		got := Pair[K, V]{r.Key, r.Value}
		// The first pair of that key is due.
		i := slices.IndexFunc(left, func(p Pair[K, V]) bool { return reflect.DeepEqual(p.Key, got.Key) })
		if i < 0 || !reflect.DeepEqual(left[i], got) {
			t.d.t.Errorf("%s: got (%v, %v), which was not wanted next of its key; wanted %v", t.t.Name, got.Key, got.Value, want)
			continue
		}
		left = slices.Delete(left, i, i+1)
	}
	for _, p := range left {
		t.d.t.Errorf("%s: (%v, %v) did not come", t.t.Name, p.Key, p.Value)
	}
}

// Pair is a key and a value.
type Pair[K, V any] struct {
	Key   K
	Value V
}

// KV returns a Pair.
func KV[K, V any](k K, v V) Pair[K, V] { return Pair[K, V]{k, v} }

// Latest reads a topic as a table: the last value of each key, deleted ones left out. It reads from the beginning.
func Latest[K comparable, V any](t *Topic[K, V]) map[K]V {
	t.d.t.Helper()
	rows := map[K]V{}
	for i := range t.log.parts {
		err := t.log.parts[i].records(0, func(r *batch.Record) {
			if r.Value != nil {
				out := t.decode(r)
				rows[out.Key] = out.Value
				return
			}
			k, err := t.t.Key.Decode(r.Key)
			if err != nil {
				t.d.t.Fatalf("streamtest: %s: key %q: %v", t.t.Name, r.Key, err)
			}
			delete(rows, k)
		})
		if err != nil {
			t.d.t.Fatalf("streamtest: %s: %v", t.t.Name, err)
		}
	}
	return rows
}
