package batch

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/klauspost/compress/snappy"
)

// codecs are all there are.
var codecs = []Codec{None, Gzip, Snappy, LZ4, Zstd}

// want is a record as a test put it into a builder.
type want struct {
	time       int64
	key, value []byte
	headers    []KV
}

func randomRecords(rng *rand.Rand, n int) []want {
	out := make([]want, n)
	data := func(max int) []byte {
		if rng.IntN(6) == 0 {
			return nil
		}
		b := make([]byte, rng.IntN(max))
		for i := range b {
			b[i] = byte(rng.IntN(4))
		}
		return b
	}
	at := rng.Int64N(1 << 41)
	for i := range out {
		at += rng.Int64N(2000) - 500
		out[i] = want{time: at, key: data(40), value: data(400)}
		for range rng.IntN(3) {
			out[i].headers = append(out[i].headers, KV{fmt.Sprint("h", rng.IntN(9)), data(20)})
		}
	}
	return out
}

func build(t testing.TB, records []want, s Seal) []byte {
	t.Helper()
	var b Builder
	for _, r := range records {
		var raw []byte
		if len(r.headers) > 0 {
			raw = AppendHeaders(nil, r.headers)
		}
		b.Append(r.time, r.key, r.value, raw)
	}
	out, err := b.Finish(s)
	if err != nil {
		t.Fatal(err)
	}
	if s.Codec == None && b.Bytes() != len(out) {
		t.Fatalf("Bytes %d, batch %d", b.Bytes(), len(out))
	}
	return bytes.Clone(out)
}

func same(a, b []byte) bool { return (a == nil) == (b == nil) && bytes.Equal(a, b) }

func check(t *testing.T, b []byte, base int64, records []want) {
	t.Helper()
	var r Reader
	if err := CheckCRC(b); err != nil {
		t.Fatal(err)
	}
	if err := r.Reset(b); err != nil {
		t.Fatal(err)
	}
	var rec Record
	for i, w := range records {
		if !r.Next(&rec) {
			t.Fatalf("record %d of %d: %v", i, len(records), r.Err())
		}
		if rec.Offset != base+int64(i) || rec.Timestamp != w.time || !same(rec.Key, w.key) || !same(rec.Value, w.value) {
			t.Fatalf("record %d: got %+v, want %+v", i, rec, w)
		}
		h, err := Headers(rec.Headers)
		if err != nil || len(h) != len(w.headers) {
			t.Fatalf("record %d: headers %v, %v; want %v", i, h, err, w.headers)
		}
		for j := range h {
			if h[j].Key != w.headers[j].Key || !same(h[j].Value, w.headers[j].Value) {
				t.Fatalf("record %d: header %d is %v, want %v", i, j, h[j], w.headers[j])
			}
		}
	}
	if r.Next(&rec) || r.Err() != nil {
		t.Fatalf("after the last record: %+v, %v", rec, r.Err())
	}
}

func TestRoundTrip(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 0))
	for i := range 200 {
		records := randomRecords(rng, 1+rng.IntN(50))
		s := Seal{ProducerID: int64(i), ProducerEpoch: 3, BaseSequence: 77, Transactional: i%2 == 0, Codec: codecs[i%len(codecs)],
			BaseOffset: rng.Int64N(1 << 40), LeaderEpoch: 5}
		b := build(t, records, s)
		check(t, b, s.BaseOffset, records)
		h, err := Parse(b)
		if err != nil {
			t.Fatal(err)
		}
		if h.ProducerID != s.ProducerID || h.ProducerEpoch != 3 || h.BaseSequence != 77 || h.Codec() != s.Codec || h.LeaderEpoch != 5 ||
			h.Transactional() != s.Transactional || h.Control() || h.Size() != len(b) || h.LastOffset() != s.BaseOffset+int64(len(records))-1 {
			t.Fatalf("header %+v, sealed as %+v", h, s)
		}
	}
}

// The bytes were checked against another implementation's decoder when they were taken down.
func TestFormat(t *testing.T) {
	var b Builder
	b.Append(1000, []byte("key"), []byte("value"), AppendHeaders(nil, []KV{{Key: "h", Value: []byte("x")}, {Key: "n"}}))
	b.Append(990, nil, []byte("v2"), nil)
	b.Append(1<<40, []byte{}, nil, nil)
	out, err := b.Finish(Seal{ProducerID: 7, ProducerEpoch: 1, BaseSequence: 4, Transactional: true, BaseOffset: 100, LeaderEpoch: 3})
	if err != nil {
		t.Fatal(err)
	}
	const want = "00000000000000640000005c0000000302d20f08d000100000000200000000000003e80000010000000000000000000000000700010000000400000003" +
		"2a000000066b65790a76616c75650402680278026e011000130201047632001600b0f0ffffff3f04000100"
	if got := fmt.Sprintf("%x", out); got != want {
		t.Fatalf("got\n%s\nwant\n%s", got, want)
	}
}

func TestSealTwice(t *testing.T) {
	var b Builder
	b.Append(5, []byte("k"), []byte("v"), nil)
	first, err := b.Finish(Seal{ProducerID: 1, ProducerEpoch: 1})
	if err != nil {
		t.Fatal(err)
	}
	if h, _ := Parse(first); h.ProducerEpoch != 1 {
		t.Fatalf("epoch %d", h.ProducerEpoch)
	}
	second, err := b.Finish(Seal{ProducerID: 1, ProducerEpoch: 2})
	if err != nil {
		t.Fatal(err)
	}
	check(t, second, 0, []want{{time: 5, key: []byte("k"), value: []byte("v")}})
	if h, _ := Parse(second); h.ProducerEpoch != 2 {
		t.Fatalf("epoch %d", h.ProducerEpoch)
	}
	b.Reset()
	if _, err = b.Finish(Seal{}); !errors.Is(err, ErrEmpty) {
		t.Fatalf("empty batch: %v", err)
	}
}

func TestPatchesKeepTheChecksum(t *testing.T) {
	records := randomRecords(rand.New(rand.NewPCG(1, 2)), 9)
	b := build(t, records, Seal{ProducerID: -1, ProducerEpoch: -1, BaseSequence: -1})
	SetBaseOffset(b, 1234)
	SetLeaderEpoch(b, 9)
	check(t, b, 1234, records)
	SetTimestampType(b, true, 99)
	if err := CheckCRC(b); err != nil {
		t.Fatal(err)
	}
	var r Reader
	var rec Record
	if err := r.Reset(b); err != nil {
		t.Fatal(err)
	}
	for r.Next(&rec) {
		if rec.Timestamp != 99 {
			t.Fatalf("append time 99, record says %d", rec.Timestamp)
		}
	}
	if h := r.Header(); !h.LogAppendTime() || h.BaseTimestamp != records[0].time {
		t.Fatalf("header %+v", h)
	}
}

func TestMarker(t *testing.T) {
	for _, m := range []Marker{{Commit: true, CoordinatorEpoch: 3}, {CoordinatorEpoch: 1 << 20}} {
		b := AppendMarker([]byte("before"), m, 100, 5555, 42, 6)[len("before"):]
		if err := CheckCRC(b); err != nil {
			t.Fatal(err)
		}
		h, err := Parse(b)
		if err != nil || !h.Control() || !h.Transactional() || h.ProducerID != 42 || h.ProducerEpoch != 6 || h.BaseSequence != -1 || h.LastOffset() != 100 {
			t.Fatalf("%+v, %v", h, err)
		}
		if got, err := ParseMarker(b); err != nil || got != m {
			t.Fatalf("%+v, %v; want %+v", got, err, m)
		}
	}
	if _, err := ParseMarker(build(t, []want{{}}, Seal{})); err == nil {
		t.Fatal("data taken for a marker")
	}
}

func TestFilter(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 0))
	var r Reader
	for i := range 60 {
		records := randomRecords(rng, 1+rng.IntN(20))
		b := build(t, records, Seal{BaseOffset: 1000, ProducerID: 9, ProducerEpoch: 2, BaseSequence: 30, Codec: codecs[i%len(codecs)]})
		horizon := int64(-1)
		if i%3 == 0 {
			horizon = 1 << 42
		}
		left := map[int64]want{}
		out, n, err := Filter([]byte{1, 2, 3}, b, &r, horizon, func(rec *Record) bool {
			if rng.IntN(2) == 0 {
				return false
			}
			left[rec.Offset] = records[rec.Offset-1000]
			return true
		})
		if err != nil || n != len(left) {
			t.Fatalf("kept %d of %d: %v", n, len(left), err)
		}
		out = out[3:]
		if err := CheckCRC(out); err != nil {
			t.Fatal(err)
		}
		if err := r.Reset(out); err != nil {
			t.Fatal(err)
		}
		h := r.Header()
		if at, ok := h.DeleteHorizon(); ok != (horizon >= 0) || ok && at != horizon {
			t.Fatalf("horizon %d %v, want %d", at, ok, horizon)
		}
		if h.BaseOffset != 1000 || h.LastOffset() != 1000+int64(len(records))-1 || h.BaseSequence != 30 || h.ProducerID != 9 {
			t.Fatalf("header %+v", h)
		}
		for rec := (Record{}); r.Next(&rec); {
			w, ok := left[rec.Offset]
			if !ok || w.time != rec.Timestamp || !same(w.key, rec.Key) || !same(w.value, rec.Value) {
				t.Fatalf("%+v, want %+v (%v)", rec, w, ok)
			}
			delete(left, rec.Offset)
		}
		if r.Err() != nil || len(left) > 0 {
			t.Fatalf("%d records missing, %v", len(left), r.Err())
		}
	}
}

func TestJavaSnappyFraming(t *testing.T) {
	records := randomRecords(rand.New(rand.NewPCG(3, 4)), 30)
	plain := build(t, records, Seal{Codec: None})
	b := append(bytes.Clone(plain[:HeaderSize]), xerial...)
	b = append(b, 0, 0, 0, 1, 0, 0, 0, 1)
	for data := plain[HeaderSize:]; len(data) > 0; {
		n := min(len(data), 1000)
		block := snappy.Encode(nil, data[:n])
		b = binary.BigEndian.AppendUint32(b, uint32(len(block)))
		b = append(b, block...)
		data = data[n:]
	}
	h, err := Parse(plain)
	if err != nil {
		t.Fatal(err)
	}
	h.Attributes |= int16(Snappy)
	putHeader(b, &h)
	check(t, b, 0, records)
}

// A batch that claims much must cost little: neither memory nor time beyond its own size and the limit.
func TestHostileBatches(t *testing.T) {
	bomb := func(c Codec) []byte {
		var b Builder
		b.Append(0, nil, make([]byte, 8<<20), nil)
		out, err := b.Finish(Seal{Codec: c})
		if err != nil {
			t.Fatal(err)
		}
		return bytes.Clone(out)
	}
	for _, c := range codecs[1:] {
		r := Reader{Limit: 1 << 20}
		if err := r.Reset(bomb(c)); !errors.Is(err, ErrTooLarge) {
			t.Errorf("%v bomb of 8 MiB under a limit of 1 MiB: %v", c, err)
		}
		if cap(r.buf) > 6<<20 { // a block of LZ4 is of 4 MiB
			t.Errorf("%v bomb made a buffer of %d bytes", c, cap(r.buf))
		}
	}
	patch := func(at int, v uint32) []byte {
		b := build(t, []want{{value: []byte("value")}}, Seal{})
		binary.BigEndian.PutUint32(b[at:], v)
		return b
	}
	var r Reader
	for name, b := range map[string][]byte{
		"count":          patch(posCount, 1<<30),
		"negative count": patch(posCount, 1<<31),
		"length":         patch(posLength, 1<<30),
		"small length":   patch(posLength, 48),
		"negative delta": patch(posLastOffsetDelta, 1<<31),
		"codec":          patch(posAttributes, 7<<16),
		"cut":            patch(posCount, 1)[:70],
		"nothing":        nil,
	} {
		if err := r.Reset(b); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	if _, err := Headers([]byte{0xfe, 0xff, 0xff, 0xff, 0x0f}); err == nil {
		t.Error("a header count without headers was accepted")
	}
}

func TestReadingAndBuildingAllocateNothing(t *testing.T) {
	records := randomRecords(rand.New(rand.NewPCG(5, 6)), 100)
	data := build(t, records, Seal{})
	var r Reader
	var rec Record
	if n := testing.AllocsPerRun(100, func() {
		if err := r.Reset(data); err != nil {
			t.Fatal(err)
		}
		for r.Next(&rec) {
		}
	}); n != 0 {
		t.Errorf("reading a batch: %v allocations", n)
	}
	var b Builder
	if n := testing.AllocsPerRun(100, func() {
		b.Reset()
		for i := range records {
			b.Append(records[i].time, records[i].key, records[i].value, nil)
		}
		if _, err := b.Finish(Seal{}); err != nil {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("building a batch: %v allocations", n)
	}
}

func FuzzReader(f *testing.F) {
	rng := rand.New(rand.NewPCG(7, 8))
	for _, c := range codecs {
		f.Add(build(f, randomRecords(rng, 5), Seal{Codec: c, BaseOffset: 3}))
	}
	f.Add(AppendMarker(nil, Marker{Commit: true}, 0, 0, 1, 1))
	r := Reader{Limit: 1 << 20}
	f.Fuzz(func(t *testing.T, b []byte) {
		if err := r.Reset(b); err != nil {
			return
		}
		n := 0
		last := r.Header().BaseOffset - 1
		for rec := (Record{}); r.Next(&rec); n++ {
			if rec.Offset <= last || rec.Offset > r.Header().LastOffset() {
				t.Fatalf("offset %d after %d in a batch to %d", rec.Offset, last, r.Header().LastOffset())
			}
			last = rec.Offset
			_, _ = Headers(rec.Headers)
		}
		if r.Err() == nil && n != int(r.Header().Count) {
			t.Fatalf("%d records, header says %d", n, r.Header().Count)
		}
	})
}

func BenchmarkRead(b *testing.B) {
	data := benchBatch(b)
	var r Reader
	var rec Record
	for b.Loop() {
		if err := CheckCRC(data); err != nil {
			b.Fatal(err)
		}
		if err := r.Reset(data); err != nil {
			b.Fatal(err)
		}
		for r.Next(&rec) {
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/1000, "ns/record")
}

func BenchmarkBuild(b *testing.B) {
	var w Builder
	key, value := make([]byte, 16), make([]byte, 84)
	for b.Loop() {
		w.Reset()
		for i := range 1000 {
			w.Append(int64(i), key, value, nil)
		}
		if _, err := w.Finish(Seal{}); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/1000, "ns/record")
}

func benchBatch(t testing.TB) []byte {
	records := make([]want, 1000)
	for i := range records {
		records[i] = want{time: int64(i), key: make([]byte, 16), value: make([]byte, 84)}
	}
	return build(t, records, Seal{})
}
