package serde

import (
	"bytes"
	"compress/flate"
	"errors"
	"fmt"
	"io"
	"sync"
)

// Compressed wraps s: what it writes is compressed with DEFLATE (RFC 1951) where that makes it smaller. A byte before it
// says which, 0 as it is, 1 compressed. Topics are better compressed by the producer, which sees whole batches; this is
// for single large values, and for what lies in stores. What unpacks to more than 8 MiB and a hundred times its size is
// refused.
func Compressed[T any](s Serde[T]) Serde[T] { return compressed[T]{s} }

type compressed[T any] struct{ of Serde[T] }

const (
	compressPlain   = 0
	compressDeflate = 1
	compressLeast   = 64 // bytes: below, DEFLATE gains nothing

	inflateLeast = 8 << 20
	inflateTimes = 100
)

// deflater packs, inflater unpacks; both are dear to make and are kept.
type (
	deflater struct {
		in  []byte
		out bytes.Buffer
		w   *flate.Writer
	}
	inflater struct {
		in  bytes.Reader
		out bytes.Buffer
		r   io.ReadCloser
	}
)

var (
	deflaters = sync.Pool{New: func() any {
		d := &deflater{in: make([]byte, 0, 512)}
		d.w, _ = flate.NewWriter(&d.out, flate.DefaultCompression) // the level is a constant that exists
		return d
	}}
	inflaters = sync.Pool{New: func() any {
		i := &inflater{}
		i.r = flate.NewReader(&i.in)
		return i
	}}
)

func (s compressed[T]) String() string      { return "compressed " + Name(s.of) }
func (s compressed[T]) Parts() []any        { return []any{s.of} }
func (s compressed[T]) At(p Place) Serde[T] { return compressed[T]{At(s.of, p)} }
func (s compressed[T]) nullable() bool      { return TakesNull(s.of) }

func (s compressed[T]) Append(dst []byte, v T) ([]byte, error) {
	d := deflaters.Get().(*deflater)
	defer deflaters.Put(d)
	b, err := s.of.Append(d.in[:0], v)
	if err != nil || b == nil {
		return nil, err
	}
	d.in = b
	if len(b) >= compressLeast {
		d.out.Reset()
		d.w.Reset(&d.out)
		if _, err := d.w.Write(b); err != nil {
			return nil, fmt.Errorf("serde: compress: %w", err)
		}
		if err := d.w.Close(); err != nil {
			return nil, fmt.Errorf("serde: compress: %w", err)
		}
		if d.out.Len() < len(b) {
			return append(append(dst, compressDeflate), d.out.Bytes()...), nil
		}
	}
	return append(append(dst, compressPlain), b...), nil
}

func (s compressed[T]) Decode(data []byte) (v T, err error) {
	switch {
	case data == nil:
		return s.of.Decode(nil)
	case len(data) == 0:
		return v, errors.New("serde: compressed value of no bytes")
	case data[0] == compressPlain:
		return s.of.Decode(data[1:len(data):len(data)])
	case data[0] != compressDeflate:
		return v, fmt.Errorf("serde: compression %d, want 0 or 1", data[0])
	}
	i := inflaters.Get().(*inflater)
	defer inflaters.Put(i)
	b, err := i.inflate(data[1:])
	if err != nil {
		return v, err
	}
	return s.of.Decode(b)
}

// inflate returns what data unpacks to, which lasts until the next call.
func (i *inflater) inflate(data []byte) ([]byte, error) {
	i.in.Reset(data)
	if err := i.r.(flate.Resetter).Reset(&i.in, nil); err != nil {
		return nil, fmt.Errorf("serde: decompress: %w", err)
	}
	i.out.Reset()
	most := max(inflateLeast, inflateTimes*len(data))
	n, err := io.Copy(&i.out, io.LimitReader(i.r, int64(most)+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("serde: decompress: %w", err)
	case n > int64(most):
		return nil, fmt.Errorf("serde: %d bytes unpack to more than %d", len(data), most)
	case i.in.Len() > 0:
		return nil, fmt.Errorf("serde: %d bytes after the compressed value", i.in.Len())
	}
	b := i.out.Bytes()
	if b == nil {
		b = []byte{}
	}
	return b, nil
}
