package batch

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"runtime"
	"testing"

	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"
)

// scan returns what a scanner tells of b, and the bytes it passes on.
func scan(s *Scanner, b []byte, limit int) (all []Outline, raw []byte, err error) {
	var tee bytes.Buffer
	if err := s.Reset(b, limit, &tee); err != nil {
		return nil, nil, err
	}
	for o := (Outline{}); s.Next(&o); {
		all = append(all, o)
	}
	return all, tee.Bytes(), s.Err()
}

// agree checks that a scanner says of b what a reader says.
func agree(t *testing.T, s *Scanner, r *Reader, b []byte) {
	t.Helper()
	all, raw, err := scan(s, b, r.Limit)
	want := r.Reset(b)
	if want != nil {
		if err == nil {
			t.Fatalf("the reader says %v, the scanner nothing", want)
		}
		return
	}
	n := 0
	for rec := (Record{}); r.Next(&rec); n++ {
		o := Outline{Offset: rec.Offset, Timestamp: rec.Timestamp, NullKey: rec.Key == nil}
		if n < len(all) && all[n] != o || n >= len(all) && err == nil {
			t.Fatalf("record %d is %+v, of %d scanned", n, o, len(all))
		}
	}
	if (err == nil) != (r.Err() == nil) || n != len(all) && err == nil {
		t.Fatalf("%d records, %v; want %d, %v", len(all), err, n, r.Err())
	}
	sought(t, s, r, b)
	if err == nil && !bytes.Equal(raw, r.data) {
		t.Fatalf("%d bytes passed on, want %d", len(raw), len(r.data))
	}
	if got := s.Stream.Opened(); err == nil && r.h.Codec() != None && got != len(r.data) {
		t.Fatalf("opened %d bytes, want %d", got, len(r.data))
	}
}

// sought checks that a scanner decodes what a reader does, from some record on.
func sought(t *testing.T, s *Scanner, r *Reader, b []byte) {
	t.Helper()
	_, _, _ = s.Reset(b, r.Limit, nil), r.Reset(b), r.h
	from := r.h.BaseOffset + int64(r.h.LastOffsetDelta)/3
	n := s.Reach(from)
	var got Record
	for rec := (Record{}); r.Next(&rec); {
		if rec.Offset < from {
			continue
		}
		if n == 0 || !s.Record(&got) {
			if s.Err() == nil {
				t.Fatalf("no record where %d is", rec.Offset)
			}
			return
		}
		if got.Offset != rec.Offset || got.Timestamp != rec.Timestamp || !same(got.Key, rec.Key) || !same(got.Value, rec.Value) || !same(got.Headers, rec.Headers) {
			t.Fatalf("record %+v, want %+v", got, rec)
		}
		n = s.Reach(0)
	}
	if n > 0 && s.Record(&got) {
		t.Fatalf("a record behind the last: %+v", got)
	}
	if (s.Err() == nil) != (r.Err() == nil) {
		t.Fatalf("%v, want %v", s.Err(), r.Err())
	}
}

func TestScannerTellsWhatReaderTells(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 0))
	var s Scanner
	r := Reader{Limit: 64 << 20}
	for i := range 200 {
		records := randomRecords(rng, 1+rng.IntN(50))
		for j := range rng.IntN(4) { // beyond a window, and across the edges of it
			long := make([]byte, rng.IntN(300<<10))
			for k := range long {
				long[k] = byte(rng.IntN(1 + j*80))
			}
			records[rng.IntN(len(records))].value = long
			records[rng.IntN(len(records))].key = long[:len(long)/2]
		}
		b := build(t, records, Seal{Codec: codecs[i%len(codecs)], BaseOffset: int64(i)})
		agree(t, &s, &r, b)
		if i%3 == 0 {
			SetTimestampType(b, true, 99)
			agree(t, &s, &r, b)
		}
		for range 20 {
			broken := bytes.Clone(b)
			broken[HeaderSize+rng.IntN(len(b)-HeaderSize)] ^= byte(1 << rng.IntN(8))
			agree(t, &s, &r, broken)
		}
		s.Stream.Release()
	}
}

// A batch of 1 MiB may decompress to a gigabyte: opening it must not take memory for more than a window of it.
func TestScannerOpensBombsInAWindow(t *testing.T) {
	const size = 64 << 20
	record := []byte{12, 0, 0, 0, 1, 1, 0}
	data := bytes.Repeat(record, size/len(record))
	for _, c := range []Codec{Gzip, LZ4, Zstd} { // a block of snappy is its own limit
		packed, err := Compress(make([]byte, HeaderSize), data, c)
		if err != nil {
			t.Fatal(err)
		}
		putHeader(packed, &Header{Attributes: int16(c), Count: 1 << 30, LastOffsetDelta: 1<<30 - 1})
		var s Scanner
		_, _, _ = scan(&s, packed, size) // has its memory now
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		err = s.Reset(packed, size/2, nil)
		for o := (Outline{}); err == nil && s.Next(&o); {
			s.last = -1
		}
		runtime.ReadMemStats(&after)
		if s.Err() != nil {
			err = s.Err()
		}
		if !errors.Is(err, ErrTooLarge) {
			t.Errorf("%v of %d bytes under a limit of half of that: %v", c, size, err)
		}
		if n := after.TotalAlloc - before.TotalAlloc; n > 256<<10 || cap(s.Stream.buf) > 5<<20 {
			t.Errorf("%v: took %d bytes more, and a window of %d", c, n, cap(s.Stream.buf))
		}
		if n := s.Stream.Opened(); n > size/2+1 {
			t.Errorf("%v: opened %d bytes under a limit of %d", c, n, size/2)
		}
	}
}

func TestPackerMakesTheBatchOfAnother(t *testing.T) {
	rng := rand.New(rand.NewPCG(9, 10))
	var s Scanner
	var p Packer
	for _, from := range codecs {
		for _, to := range codecs {
			records := randomRecords(rng, 30)
			records[7].value = make([]byte, 200<<10)
			b := build(t, records, Seal{Codec: from, ProducerID: 7, ProducerEpoch: 2, BaseSequence: 5, Transactional: true})
			p.Reset(to, 1<<20)
			if err := s.Reset(b, 1<<20, &p); err != nil {
				t.Fatal(err)
			}
			for o := (Outline{}); s.Next(&o); {
			}
			if s.Err() != nil {
				t.Fatal(s.Err())
			}
			out, err := p.Finish(s.h)
			if err != nil {
				t.Fatal(err)
			}
			h, err := Parse(out)
			if err != nil || h.Codec() != to || h.ProducerID != 7 || h.ProducerEpoch != 2 || h.BaseSequence != 5 || !h.Transactional() {
				t.Fatalf("%v to %v: %+v, %v", from, to, h, err)
			}
			check(t, out, 0, records)
		}
	}
	noise := make([]byte, 1<<20)
	for i := range noise {
		noise[i] = byte(rng.Uint32())
	}
	for _, to := range codecs {
		p.Reset(to, 1<<19)
		_, err := p.Write(noise)
		if err == nil {
			_, err = p.Finish(Header{})
		}
		if !errors.Is(err, ErrTooLarge) {
			t.Errorf("%v: a megabyte in a batch of half of that: %v", to, err)
		}
	}
}

// What writes frames of LZ4 may choose the size of blocks, whether they refer to each other, and which sums they carry.
func TestLZ4Frames(t *testing.T) {
	rng := rand.New(rand.NewPCG(11, 12))
	data := make([]byte, 600<<10)
	for i := range data {
		data[i] = "abcd"[rng.IntN(4)]
		if i > 1<<16 && rng.IntN(3) > 0 {
			data[i] = data[i-(1<<16-1)]
		}
	}
	var all, packed []byte
	for _, size := range []lz4.BlockSize{lz4.Block64Kb, lz4.Block256Kb, lz4.Block1Mb, lz4.Block4Mb} {
		for _, sums := range []bool{false, true} {
			for _, length := range []int{0, 1, 1000, len(data)} {
				var out bytes.Buffer
				w := lz4.NewWriter(&out)
				if err := w.Apply(lz4.BlockSizeOption(size), lz4.BlockChecksumOption(sums), lz4.ChecksumOption(sums), lz4.SizeOption(uint64(length))); err != nil {
					t.Fatal(err)
				}
				if _, err := w.Write(data[:length]); err != nil {
					t.Fatal(err)
				}
				if err := w.Close(); err != nil {
					t.Fatal(err)
				}
				got, err := Decompress(nil, out.Bytes(), LZ4, length)
				if err != nil || !bytes.Equal(got, data[:length]) {
					t.Fatalf("%d bytes in blocks of %v: %d, %v", length, size, len(got), err)
				}
				if length > 0 {
					if _, err := Decompress(nil, out.Bytes(), LZ4, length-1); !errors.Is(err, ErrTooLarge) {
						t.Fatalf("%d bytes under a limit of one less: %v", length, err)
					}
				}
				for range 20 {
					if _, err := Decompress(nil, out.Bytes()[:rng.IntN(out.Len())], LZ4, length); !errors.Is(err, ErrCorrupt) {
						t.Fatalf("a frame that is cut off: %v", err)
					}
				}
				all, packed = append(all, data[:length]...), append(packed, out.Bytes()...)
			}
		}
	}
	if got, err := Decompress(nil, packed, LZ4, len(all)); err != nil || !bytes.Equal(got, all) {
		t.Fatalf("frames one after the other: %d bytes of %d, %v", len(got), len(all), err)
	}
}

// linkedLZ4 returns a frame whose second block refers to its first.
func linkedLZ4() (frame, data []byte) {
	data = bytes.Repeat([]byte("thalweg."), 4)
	frame = binary.LittleEndian.AppendUint32(nil, lz4Magic)
	frame = append(frame, lz4Version, 4<<4, 0)
	block := func(stored uint32, b ...byte) {
		frame = binary.LittleEndian.AppendUint32(frame, uint32(len(b))|stored)
		frame = append(frame, b...)
	}
	block(lz4Stored, data[:8]...)
	block(0, 0x0f, 8, 0, 0, 0x50, 'l', 'w', 'e', 'g', '.') // 19 bytes from 8 before, then 5 of its own
	frame = append(frame, 0, 0, 0, 0)
	return frame, data
}

func TestLZ4BlocksReferToEachOther(t *testing.T) {
	frame, data := linkedLZ4()
	got, err := Decompress(nil, frame, LZ4, len(data))
	if err != nil || !bytes.Equal(got, data) {
		t.Fatalf("%q, %v; want %q", got, err, data)
	}
	frame[4] |= lz4Independent
	if _, err := Decompress(nil, frame, LZ4, len(data)); !errors.Is(err, ErrCorrupt) {
		t.Fatalf("a block that refers to another where none may: %v", err)
	}
}

// A block may refer to 64 KiB before it, which a reader in a window has long passed.
func TestLZ4BlocksReferBehindTheWindow(t *testing.T) {
	rng := rand.New(rand.NewPCG(15, 16))
	const fresh, back, match = 40_000, history - 1, 15 + 255*100 + 200 + 4
	frame := binary.LittleEndian.AppendUint32(nil, lz4Magic)
	frame = append(frame, lz4Version, 4<<4, 0)
	var data []byte
	for len(data) < 10<<20 {
		frame = binary.LittleEndian.AppendUint32(frame, fresh|lz4Stored)
		for range fresh {
			data = append(data, byte(rng.Uint32()))
		}
		frame = append(frame, data[len(data)-fresh:]...)
		if len(data) < back {
			continue
		}
		block := append([]byte{0x0f, back & 0xff, back >> 8}, bytes.Repeat([]byte{255}, 100)...)
		block = append(block, 200, 0x50, 1, 2, 3, 4, 5) // a block ends with bytes of its own
		frame = append(binary.LittleEndian.AppendUint32(frame, uint32(len(block))), block...)
		for range match {
			data = append(data, data[len(data)-back])
		}
		data = append(data, 1, 2, 3, 4, 5)
	}
	frame = append(frame, 0, 0, 0, 0)
	var s Stream
	for range 3 {
		if err := s.Reset(frame, LZ4, len(data), nil); err != nil {
			t.Fatal(err)
		}
		for at := 0; at < len(data); {
			n := min(rng.IntN(100_000), len(data)-at)
			if rng.IntN(2) == 0 {
				if got := s.Peek(n); len(got) < n || !bytes.Equal(got[:n], data[at:at+n]) {
					t.Fatalf("the %d bytes at %d are others, %v", n, at, s.Err())
				}
			}
			if !s.Skip(int64(n)) {
				t.Fatalf("%d bytes at %d: %v", n, at, s.Err())
			}
			at += n
		}
		if more := s.Peek(1); len(more) > 0 || s.Err() != nil {
			t.Fatalf("%d bytes behind the end, %v", len(more), s.Err())
		}
		if cap(s.buf) > len(data)/2 {
			t.Fatalf("void: a window of %d bytes for %d", cap(s.buf), len(data))
		}
	}
}

func FuzzScanner(f *testing.F) {
	rng := rand.New(rand.NewPCG(13, 14))
	for _, c := range codecs {
		f.Add(build(f, randomRecords(rng, 5), Seal{Codec: c, BaseOffset: 3}))
	}
	frame, _ := linkedLZ4()
	linked := append(make([]byte, HeaderSize), frame...)
	putHeader(linked, &Header{Attributes: int16(LZ4), Count: 1})
	f.Add(linked)
	e, err := zstd.NewWriter(nil, zstd.WithWindowSize(zstdWindow))
	if err != nil {
		f.Fatal(err)
	}
	wide := e.EncodeAll(make([]byte, 1<<20), make([]byte, HeaderSize))
	putHeader(wide, &Header{Attributes: int16(Zstd), Count: 1})
	f.Add(wide)
	var s Scanner
	r := Reader{Limit: 1 << 20}
	f.Fuzz(func(t *testing.T, b []byte) { agree(t, &s, &r, b) })
}

func BenchmarkScan(b *testing.B) {
	data := benchBatch(b)
	var s Scanner
	var o Outline
	for b.Loop() {
		if err := s.Reset(data, 0, nil); err != nil {
			b.Fatal(err)
		}
		for s.Next(&o) {
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/1000, "ns/record")
}
