package batch

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/snappy"
	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"
)

// Codec is a compression of the records of a batch.
type Codec int8

// The codecs of the format, by their numbers on the wire.
const (
	None Codec = iota
	Gzip
	Snappy
	LZ4
	Zstd
)

// ErrCodec says that a batch names a codec that does not exist.
var ErrCodec = errors.New("batch: unknown codec")

// Valid reports whether c is one of the codecs above.
func (c Codec) Valid() bool { return c >= None && c <= Zstd }

// String returns the codec's name as in Kafka's compression.type.
func (c Codec) String() string {
	if !c.Valid() {
		return fmt.Sprintf("codec %d", int8(c))
	}
	return [...]string{"none", "gzip", "snappy", "lz4", "zstd"}[c]
}

// zstdWindow is the largest window a zstd frame may ask for, in bytes.
const zstdWindow = 8 << 20

// snappyExpansion is the most by which a snappy block can grow: three bytes encode a copy of 64.
const snappyExpansion = 22

// xerial is the magic of the framing in which Java writes snappy; two int32 versions follow, then blocks, each behind
// its int32 length.
var xerial = []byte{0x82, 'S', 'N', 'A', 'P', 'P', 'Y', 0}

const xerialHeader = 16

// source is a reader of compressed bytes that is reused with its decoder.
type source interface {
	io.Reader
	reset(src *bytes.Reader) error
}

type gzipSource struct{ gzip.Reader }

func (s *gzipSource) reset(src *bytes.Reader) error { return s.Reset(src) }

type lz4Source struct{ *lz4.Reader }

func (s lz4Source) reset(src *bytes.Reader) error { s.Reset(src); return nil }

type zstdSource struct{ *zstd.Decoder }

func (s zstdSource) reset(src *bytes.Reader) error { return s.Reset(src) }

var sources = map[Codec]*sync.Pool{
	Gzip: {New: func() any { return &gzipSource{} }},
	LZ4:  {New: func() any { return lz4Source{lz4.NewReader(nil)} }},
	Zstd: {New: func() any {
		d, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(zstdWindow))
		if err != nil {
			panic(fmt.Sprintf("batch: zstd options: %v", err)) // constant options
		}
		return zstdSource{d}
	}},
}

// Decompress appends the decompressed form of src to dst, at most limit bytes: what is more is ErrTooLarge. Snappy may be a
// block, or Java's framing of many.
func Decompress(dst, src []byte, c Codec, limit int) ([]byte, error) {
	if c == Snappy {
		return unsnap(dst, src, limit)
	}
	pool := sources[c]
	if pool == nil {
		return dst, fmt.Errorf("%w %d", ErrCodec, c)
	}
	s := pool.Get().(source)
	defer pool.Put(s)
	if err := s.reset(bytes.NewReader(src)); err != nil {
		return dst, fmt.Errorf("%w: %v: %w", ErrCorrupt, c, err)
	}
	start := len(dst)
	dst = slices.Grow(dst, min(4*len(src), limit)+1)
	for {
		room := dst[len(dst):min(cap(dst), start+limit+1)]
		n, err := s.Read(room)
		dst = dst[:len(dst)+n]
		if len(dst)-start > limit {
			return dst, fmt.Errorf("%w: %v batch of %d bytes decompresses to more than %d", ErrTooLarge, c, len(src), limit)
		}
		if err == io.EOF {
			return dst, nil
		}
		if err != nil {
			return dst, fmt.Errorf("%w: %v: %w", ErrCorrupt, c, err)
		}
		if len(dst) == cap(dst) {
			dst = slices.Grow(dst, min(len(dst), start+limit+1-len(dst)))
		}
	}
}

// unsnap decompresses one raw snappy block, or Java's framing of many.
func unsnap(dst, src []byte, limit int) ([]byte, error) {
	if !bytes.HasPrefix(src, xerial) {
		return unsnapBlock(dst, src, limit)
	}
	if len(src) < xerialHeader {
		return dst, fmt.Errorf("%w: snappy frame of %d bytes", ErrCorrupt, len(src))
	}
	start := len(dst)
	for src = src[xerialHeader:]; len(src) > 0; {
		if len(src) < 4 {
			return dst, fmt.Errorf("%w: snappy frame ends inside a length", ErrCorrupt)
		}
		n := binary.BigEndian.Uint32(src)
		src = src[4:]
		if uint64(n) > uint64(len(src)) {
			return dst, fmt.Errorf("%w: snappy block of %d bytes, %d left", ErrCorrupt, n, len(src))
		}
		var err error
		if dst, err = unsnapBlock(dst, src[:n], limit-(len(dst)-start)); err != nil {
			return dst, err
		}
		src = src[n:]
	}
	return dst, nil
}

func unsnapBlock(dst, src []byte, limit int) ([]byte, error) {
	n, err := snappy.DecodedLen(src)
	if err != nil || n > snappyExpansion*len(src) {
		return dst, fmt.Errorf("%w: snappy block of %d bytes claims %d", ErrCorrupt, len(src), n)
	}
	if n > limit {
		return dst, fmt.Errorf("%w: snappy block of %d bytes, limit %d", ErrTooLarge, n, limit)
	}
	dst = slices.Grow(dst, n)
	if _, err = snappy.Decode(dst[len(dst):len(dst)+n], src); err != nil {
		return dst, fmt.Errorf("%w: snappy: %w", ErrCorrupt, err)
	}
	return dst[:len(dst)+n], nil
}

// sink is a compressing writer that is reused.
type sink interface {
	io.WriteCloser
	Reset(w io.Writer)
}

var sinks = map[Codec]*sync.Pool{
	Gzip: {New: func() any { return gzip.NewWriter(nil) }},
	LZ4:  {New: func() any { return lz4.NewWriter(nil) }},
	Zstd: {New: func() any {
		e, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithWindowSize(1<<20), zstd.WithEncoderCRC(false))
		if err != nil {
			panic(fmt.Sprintf("batch: zstd options: %v", err)) // constant options
		}
		return e
	}},
}

// Compress appends the compressed form of src to dst. Snappy is one block.
func Compress(dst, src []byte, c Codec) ([]byte, error) {
	if c == Snappy {
		n := len(dst)
		dst = slices.Grow(dst, snappy.MaxEncodedLen(len(src)))
		return dst[:n+len(snappy.Encode(dst[n:cap(dst)], src))], nil
	}
	pool := sinks[c]
	if pool == nil {
		return dst, fmt.Errorf("%w %d", ErrCodec, c)
	}
	w := pool.Get().(sink)
	defer pool.Put(w)
	out := appender{dst}
	w.Reset(&out)
	if _, err := w.Write(src); err != nil {
		return dst, fmt.Errorf("batch: %v: %w", c, err)
	}
	if err := w.Close(); err != nil {
		return dst, fmt.Errorf("batch: %v: %w", c, err)
	}
	return out.b, nil
}

// appender is a writer to a slice.
type appender struct{ b []byte }

func (a *appender) Write(p []byte) (int, error) {
	a.b = append(a.b, p...)
	return len(p), nil
}
