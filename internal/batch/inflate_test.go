package batch

import (
	"bytes"
	stdflate "compress/flate"
	stdgzip "compress/gzip"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/gzip"
)

// inflated decompresses src in pieces of random sizes, of which only what a match may refer to is kept.
func inflated(u *inflater, src []byte, limit int, rng *rand.Rand) ([]byte, error) {
	if err := u.start(src); err != nil {
		return nil, err
	}
	var all, win []byte
	for {
		if keep := min(len(win), inflateHistory); keep < len(win) && rng.IntN(4) > 0 {
			win = win[:copy(win, win[len(win)-keep:])]
		}
		if rng.IntN(2) == 0 { // little room, but as much as makes no call grow it
			win = append(make([]byte, 0, len(win)+inflateRoom+rng.IntN(600)), win...)
		}
		had, pos, n := len(win), u.pos, u.n
		var err error
		win, err = u.next(win, limit-len(all))
		all = append(all, win[had:]...)
		if err == io.EOF {
			if len(win) != had {
				return all, errors.New("a piece beside io.EOF")
			}
			return all, nil
		}
		if err != nil {
			return all, err
		}
		if len(win) == had && pos == u.pos && n == u.n {
			return all, errors.New("a call without progress")
		}
	}
}

// reference decompresses with compress/gzip.
func reference(src []byte, limit int) ([]byte, error) {
	r, err := stdgzip.NewReader(bytes.NewReader(src))
	if err != nil {
		return nil, err
	}
	return io.ReadAll(io.LimitReader(r, int64(limit)))
}

// alike fails unless src is decompressed, or refused, as compress/gzip does.
func alike(t *testing.T, u *inflater, src []byte, rng *rand.Rand) {
	t.Helper()
	const most = 1 << 20
	want, wantErr := reference(src, most+1)
	got, err := inflated(u, src, most, rng)
	switch {
	case len(want) > most:
		if !errors.Is(err, ErrTooLarge) {
			t.Fatalf("%d bytes: %v, want %v", len(got), err, ErrTooLarge)
		}
	case err != nil && !errors.Is(err, ErrCorrupt):
		t.Fatalf("%v is not %v", err, ErrCorrupt)
	case err != nil && wantErr == nil:
		if s := err.Error(); !strings.Contains(s, "blocks in") && !strings.Contains(s, "reserved flags") {
			t.Fatalf("%v, compress/gzip gives %d bytes; source %x", err, len(want), src)
		}
	case (err == nil) != (wantErr == nil):
		t.Fatalf("%v, compress/gzip says %v; source %x", err, wantErr, src)
	case err == nil && !bytes.Equal(got, want):
		t.Fatalf("%d bytes that are not those of compress/gzip, %d; source %x", len(got), len(want), src)
	}
}

// seeded returns a source of random numbers that says what it began with.
func seeded(t *testing.T) *rand.Rand {
	seed := uint64(time.Now().UnixNano())
	t.Log("seed", seed)
	return rand.New(rand.NewPCG(seed, 0))
}

// gzipSamples are data of many kinds.
func gzipSamples(rng *rand.Rand) map[string][]byte {
	random := make([]byte, 150_000)
	for i := range random {
		random[i] = byte(rng.Uint32())
	}
	skewed := make([]byte, 100_000) // codes of all lengths
	for i := range skewed {
		skewed[i] = byte(rng.ExpFloat64() * 12)
	}
	period := func(n int) []byte { return bytes.Repeat(random[:n], 90_000/n) }
	mixed := bytes.Join([][]byte{random[:70_000], period(5), textOf(rng, 50_000), random[:9000]}, nil)
	return map[string][]byte{
		"nothing": nil, "byte": {7}, "zeros": make([]byte, 200_000), "random": random, "skewed": skewed,
		"text": textOf(rng, 200_000), "json": jsonOf(rng, 200_000), "mixed": mixed,
		"period 2": period(2), "period 3": period(3), "period 7": period(7), "period 8": period(8), "period 13": period(13),
		"period 32768": append(bytes.Clone(random[:32768]), random[:32768]...),
	}
}

func textOf(rng *rand.Rand, n int) []byte {
	var b []byte
	words := strings.Fields("a the of stream log broker offset record partition leader group commit segment index batch of " +
		"compression throughput latency replica fetch produce consumer position when behind between before they were said")
	for len(b) < n {
		w := words[int(float64(len(words))*rng.Float64()*rng.Float64())]
		b = append(b, w...)
		if b = append(b, ' '); rng.IntN(12) == 0 {
			b = fmt.Appendf(b, "%d\n", rng.IntN(100_000))
		}
	}
	return b[:n]
}

func jsonOf(rng *rand.Rand, n int) []byte {
	var b []byte
	for i := 0; len(b) < n; i++ {
		b = fmt.Appendf(b, `{"id":%d,"user":"user-%05d","time":"2026-03-%02dT%02d:%02d:00Z",`+
			`"amount":%.2f,"tags":["a%d","b"],"hash":"%016x"}`+"\n",
			i, rng.IntN(5000), 1+rng.IntN(28), rng.IntN(24), rng.IntN(60), rng.Float64()*1000, rng.IntN(10), rng.Uint64())
	}
	return b[:n]
}

// gzipWriter is what both libraries have.
type gzipWriter interface {
	io.WriteCloser
	Flush() error
}

// gzipped returns data as level of a library compresses it, flushed at some places.
func gzipped(t testing.TB, data []byte, level int, std bool, flushes int) []byte {
	t.Helper()
	var out bytes.Buffer
	var w gzipWriter
	var err error
	if std {
		w, err = stdgzip.NewWriterLevel(&out, level)
	} else {
		w, err = gzip.NewWriterLevel(&out, level)
	}
	for n := len(data)/(flushes+1) + 1; err == nil && len(data) > n; data = data[n:] {
		if _, err = w.Write(data[:n]); err == nil {
			err = w.Flush()
		}
	}
	if err == nil {
		_, err = w.Write(data)
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func TestInflateGivesWhatWasDeflated(t *testing.T) {
	rng := seeded(t)
	var u inflater
	for name, data := range gzipSamples(rng) {
		for level := stdgzip.HuffmanOnly; level <= stdgzip.BestCompression; level++ {
			for i := range 4 {
				src := gzipped(t, data, level, i&1 == 0, i/2*(1+rng.IntN(40)))
				got, err := inflated(&u, src, len(data), rng)
				if err != nil || !bytes.Equal(got, data) {
					t.Fatalf("%s, level %d, writer %d: %d bytes of %d, %v", name, level, i, len(got), len(data), err)
				}
			}
		}
	}
}

func TestInflateMembers(t *testing.T) {
	rng := seeded(t)
	var u inflater
	var src, want []byte
	for name, data := range gzipSamples(rng) {
		var out bytes.Buffer
		w := stdgzip.NewWriter(&out)
		w.Name, w.Comment, w.Extra = name, "as \u00e9", []byte(name)
		if _, err := w.Write(data); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		src, want = append(src, out.Bytes()...), append(want, data...)
		src = append(src, gzipped(t, nil, 6, true, 0)...)
		got, err := inflated(&u, src, len(want), rng)
		if err != nil || !bytes.Equal(got, want) {
			t.Fatalf("%d bytes of %d, %v", len(got), len(want), err)
		}
	}
	for _, garbage := range []string{"\x00", "garbage and more", "\x1f\x8b\x08\x00"} {
		if _, err := inflated(&u, append(bytes.Clone(src), garbage...), len(want), rng); !errors.Is(err, ErrCorrupt) {
			t.Errorf("behind the last member is %q: %v", garbage, err)
		}
	}
}

// withHeader returns src, which begins with the smallest header, with another.
func withHeader(src []byte, flags byte, fields ...byte) []byte {
	b := append(bytes.Clone(src[:10]), fields...)
	b[3] = flags
	return append(b, src[10:]...)
}

func TestInflateHeaders(t *testing.T) {
	rng := seeded(t)
	var u inflater
	src := gzipped(t, []byte("some data"), 6, true, 0)
	long := bytes.Repeat([]byte{'n'}, gzipMost)
	headers := [][]byte{
		src,
		withHeader(src, 1),
		withHeader(src, gzipExtra, 3, 0, 1, 2, 3),
		withHeader(src, gzipExtra, 0xff, 0xff, 1, 2, 3),
		withHeader(src, gzipExtra|gzipName|gzipComment, 1, 0, 7, 'n', 0, 'c', 0),
		withHeader(src, gzipName, append(long[:gzipMost-1:gzipMost-1], 0)...),
		withHeader(src, gzipName, append(long[:gzipMost:gzipMost], 0)...),
		withHeader(src, gzipComment, 0),
		withHeader(src, gzipCRC, 1, 2),
		nil,
		src[:9],
		append([]byte{0x1f, 0x8c}, src[2:]...),
	}
	for _, b := range headers {
		alike(t, &u, b, rng)
		alike(t, &u, append(bytes.Clone(src), b...), rng)
	}
	good := withHeader(src, gzipCRC)
	sum := binary.LittleEndian.AppendUint16(nil, uint16(crc32.ChecksumIEEE(good[:10])))
	alike(t, &u, withHeader(src, gzipCRC, sum...), rng)
	if got, err := inflated(&u, withHeader(src, gzipCRC, sum...), 100, rng); err != nil || string(got) != "some data" {
		t.Errorf("with a checksum of the header: %q, %v", got, err)
	}
	if _, err := inflated(&u, withHeader(src, 0x40), 100, rng); !errors.Is(err, ErrCorrupt) {
		t.Errorf("with a flag that means nothing: %v", err)
	}
}

// TestInflateRefusesWhatEndsEarly cuts a stream of two members, which is whole between them.
func TestInflateRefusesWhatEndsEarly(t *testing.T) {
	rng := seeded(t)
	var u inflater
	for _, level := range []int{stdgzip.HuffmanOnly, stdgzip.NoCompression, stdgzip.BestSpeed, stdgzip.BestCompression} {
		first := gzipped(t, jsonOf(rng, 900), level, true, 2)
		src := append(bytes.Clone(first), gzipped(t, textOf(rng, 300), level, false, 0)...)
		for n := range src {
			if _, err := inflated(&u, src[:n], 1<<20, rng); n != len(first) && !errors.Is(err, ErrCorrupt) {
				t.Fatalf("level %d, %d bytes of %d: %v", level, n, len(src), err)
			}
		}
	}
}

func TestInflateRefusesWhatTheLibraryRefuses(t *testing.T) {
	rng := seeded(t)
	var u inflater
	var sources [][]byte
	for _, data := range gzipSamples(rng) {
		data = data[:min(len(data), 3000)]
		for level := stdgzip.HuffmanOnly; level <= stdgzip.BestCompression; level += 2 {
			sources = append(sources, gzipped(t, data, level, level&4 == 0, rng.IntN(3)))
		}
	}
	rounds := 40_000
	if testing.Short() {
		rounds = 4000
	}
	for range rounds {
		src := bytes.Clone(sources[rng.IntN(len(sources))])
		for range 1 + rng.IntN(3) {
			at := rng.IntN(len(src))
			if rng.IntN(2) == 0 { // where the codes are
				at = rng.IntN(min(len(src), 90))
			}
			src[at] ^= 1 << rng.IntN(8)
		}
		alike(t, &u, mended(src), rng)
	}
}

// mended returns src with the trailer that what it decompresses to needs, if that is known: else no change would get as far.
func mended(src []byte) []byte {
	if len(src) < 18 || src[3] != 0 {
		return src
	}
	in := bytes.NewReader(src[10:])
	data, err := io.ReadAll(io.LimitReader(stdflate.NewReader(in), 1<<20))
	if at := len(src) - in.Len(); err == nil && at+8 <= len(src) {
		binary.LittleEndian.PutUint32(src[at:], crc32.ChecksumIEEE(data))
		binary.LittleEndian.PutUint32(src[at+4:], uint32(len(data)))
	}
	return src
}

func TestInflateStopsAtTheLimit(t *testing.T) {
	rng := seeded(t)
	var u inflater
	for _, n := range []int{1, 257, 5000, 200_000} {
		for _, data := range [][]byte{make([]byte, n), textOf(rng, n)} {
			for _, level := range []int{0, 6} {
				src := gzipped(t, data, level, true, 0)
				for _, limit := range []int{0, n / 2, n - 1} {
					got, err := inflated(&u, src, limit, rng)
					if !errors.Is(err, ErrTooLarge) || len(got) > limit {
						t.Fatalf("%d bytes of %d, at most %d: %v", len(got), n, limit, err)
					}
				}
				if got, err := inflated(&u, src, n, rng); err != nil || len(got) != n {
					t.Fatalf("%d bytes of %d: %v", len(got), n, err)
				}
			}
		}
	}
}

func TestInflateAllocatesNothing(t *testing.T) {
	rng := seeded(t)
	var u inflater
	src := gzipped(t, jsonOf(rng, 300_000), 6, true, 3)
	win := make([]byte, 0, 2*pieceSize)
	n := testing.AllocsPerRun(20, func() {
		win = win[:0]
		for err := u.start(src); err != io.EOF; {
			win = win[:copy(win, win[len(win)-min(len(win), inflateHistory):])]
			if win, err = u.next(win, 1<<20); err != nil && err != io.EOF {
				t.Fatal(err)
			}
		}
	})
	if n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func FuzzInflate(f *testing.F) {
	rng := rand.New(rand.NewPCG(1, 2))
	for _, data := range gzipSamples(rng) {
		for _, level := range []int{stdgzip.HuffmanOnly, 0, 1, 6} {
			f.Add(gzipped(f, data[:min(len(data), 2000)], level, true, 1), uint64(level))
		}
	}
	for _, w := range oddBlocks() {
		if b := w.trailer(); len(b) < 1000 {
			f.Add(b, uint64(1))
		}
	}
	var u inflater
	f.Fuzz(func(t *testing.T, src []byte, seed uint64) {
		rng := rand.New(rand.NewPCG(seed, 0))
		alike(t, &u, src, rng)
		alike(t, &u, mended(bytes.Clone(src)), rng)
	})
}

func BenchmarkInflate(b *testing.B) {
	rng := rand.New(rand.NewPCG(1, 2))
	const size = 256 << 10
	random := make([]byte, size)
	for i := range random {
		random[i] = byte(rng.Uint32() & 0x7f) // which compresses a little
	}
	for _, data := range []struct {
		name string
		b    []byte
	}{
		{"text", textOf(rng, size)}, {"json", jsonOf(rng, size)}, {"zeros", make([]byte, size)}, {"random", random},
		{"small", jsonOf(rng, 700)},
	} {
		src := gzipped(b, data.b, 6, false, 0)
		dst := make([]byte, 0, len(data.b)+1+inflateRoom)
		run := func(name string, f func() (int, error)) {
			b.Run(data.name+"/"+name, func(b *testing.B) {
				b.SetBytes(int64(len(data.b)))
				for b.Loop() {
					if n, err := f(); n != len(data.b) || err != nil {
						b.Fatal(n, err)
					}
				}
			})
		}
		var in bytes.Reader
		var std stdgzip.Reader
		run("std", func() (int, error) {
			in.Reset(src)
			if err := std.Reset(&in); err != nil {
				return 0, err
			}
			return readAll(&std, dst[:cap(dst)])
		})
		var klauspost gzip.Reader
		run("klauspost", func() (int, error) {
			in.Reset(src)
			if err := klauspost.Reset(&in); err != nil {
				return 0, err
			}
			return readAll(&klauspost, dst[:cap(dst)])
		})
		var u inflater
		run("inflater", func() (int, error) {
			err := u.start(src)
			out := dst
			for err == nil {
				out, err = u.next(out, size)
			}
			if err == io.EOF {
				err = nil
			}
			return len(out), err
		})
	}
}

// readAll reads into b, which has more room than is needed.
func readAll(r io.Reader, b []byte) (int, error) {
	n := 0
	for {
		k, err := r.Read(b[n:])
		if n += k; err == io.EOF {
			return n, nil
		} else if err != nil {
			return n, err
		}
	}
}

func BenchmarkInflateTables(b *testing.B) {
	rng := rand.New(rand.NewPCG(1, 2))
	src := gzipped(b, jsonOf(rng, 20_000), 6, true, 0)
	var u inflater
	if err := u.start(src); err != nil {
		b.Fatal(err)
	}
	pos := u.pos
	for b.Loop() {
		u.pos, u.bits, u.n, u.tables = pos, 0, 0, 0
		if err := u.block(0); err != nil {
			b.Fatal(err)
		}
	}
}
