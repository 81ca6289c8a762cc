package batch

import (
	"errors"
	"fmt"
	"io"
	"math"
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

// sink is a compressing writer that is reused.
type sink interface {
	io.WriteCloser
	Reset(w io.Writer)
}

// newSink returns a writer for a codec, nil if c is none that compresses.
func newSink(c Codec) sink {
	switch c {
	case Gzip:
		return gzip.NewWriter(nil)
	case Snappy:
		return &snappyFrames{}
	case LZ4:
		w := lz4.NewWriter(nil)
		if err := w.Apply(lz4.BlockSizeOption(lz4.Block64Kb)); err != nil { // as Kafka's; larger ones take megabytes
			panic(fmt.Sprintf("batch: lz4 options: %v", err)) // constant options
		}
		return w
	case Zstd:
		e, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithWindowSize(1<<20), zstd.WithEncoderCRC(false))
		if err != nil {
			panic(fmt.Sprintf("batch: zstd options: %v", err)) // constant options
		}
		return e
	}
	return nil
}

var sinks = pools(func(c Codec) any { return newSink(c) }, Gzip, LZ4, Zstd)

// pools returns a pool of what make makes for each codec.
func pools(make func(Codec) any, codecs ...Codec) map[Codec]*sync.Pool {
	all := map[Codec]*sync.Pool{}
	for _, c := range codecs {
		all[c] = &sync.Pool{New: func() any { return make(c) }}
	}
	return all
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
	out := appender{b: dst, most: math.MaxInt}
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
type appender struct {
	b    []byte
	most int // length of b at most
}

func (a *appender) Write(p []byte) (int, error) {
	if len(p) > a.most-len(a.b) {
		return 0, fmt.Errorf("%w: more than %d bytes", ErrTooLarge, a.most)
	}
	a.b = append(a.b, p...)
	return len(p), nil
}
