package batch

import (
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/klauspost/compress/zstd"
)

// zstdWindow is the largest window a zstd frame may ask for, in bytes.
const zstdWindow = 8 << 20

// history is how far back what is compressed can refer to what came before it: 64 KiB in LZ4, 32 KiB in gzip.
const history = 64 << 10

// pieceSize is how much is decompressed at once where there is a choice.
const pieceSize = 64 << 10

// unpacker decompresses, piece by piece, and is reused.
type unpacker interface {
	// start begins with src, which must not change.
	start(src []byte) error
	// next appends a piece to dst, of a size that fits into it if the format leaves the choice. Of what it has appended
	// before, dst must still end with history bytes. more is how many bytes may come: beyond them is ErrTooLarge.
	// io.EOF comes behind the last piece.
	next(dst []byte, more int) ([]byte, error)
	// blocks returns how many blocks the pieces so far were made of, or about how many.
	blocks() int
}

// newUnpacker returns an unpacker for a codec, nil if c is none that compresses.
func newUnpacker(c Codec) unpacker {
	switch c {
	case Gzip:
		return &inflater{}
	case Snappy:
		return &snappyUnpacker{}
	case LZ4:
		return &lz4Unpacker{}
	case Zstd:
		d, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(zstdWindow))
		if err != nil {
			panic(fmt.Sprintf("batch: zstd options: %v", err)) // constant options
		}
		return &zstdUnpacker{d: d}
	}
	return nil
}

// zstdUnpacker is also the reader of its source. The decoder, which swallows any number of blocks to give out one byte, reads
// the header of each and then what is in it.
type zstdUnpacker struct {
	d     *zstd.Decoder
	src   []byte
	taken int // bytes of src
	reads int
	out   int // bytes so far
}

func (u *zstdUnpacker) start(src []byte) error {
	u.src, u.taken, u.reads, u.out = src, 0, 0, 0
	return u.d.Reset(u)
}

// Read implements io.Reader.
func (u *zstdUnpacker) Read(p []byte) (int, error) {
	if u.taken == len(u.src) {
		return 0, io.EOF
	}
	if u.reads++; tooManyBlocks(2*u.blocks(), u.taken, u.out) { // they have twice the tables of gzip's
		return 0, fmt.Errorf("%w: zstd: %d blocks in %d bytes", ErrCorrupt, u.blocks(), u.taken)
	}
	n := copy(p, u.src[u.taken:])
	u.taken += n
	return n, nil
}

func (u *zstdUnpacker) next(dst []byte, more int) ([]byte, error) {
	had := len(dst)
	dst, err := readPiece(u.d, dst, more)
	u.out += len(dst) - had
	return dst, err
}

func (u *zstdUnpacker) blocks() int { return u.reads / 2 }

// readPiece is next of what comes from a reader.
func readPiece(r io.Reader, dst []byte, more int) ([]byte, error) {
	if len(dst) == cap(dst) {
		dst = slices.Grow(dst, min(more, pieceSize-1)+1)
	}
	at := len(dst)
	room := cap(dst) - at
	if more < room {
		room = more + 1
	}
	n, err := r.Read(dst[at : at+room])
	dst = dst[:at+n]
	if n > more {
		return dst, ErrTooLarge
	}
	if n > 0 && err == io.EOF {
		err = nil // it comes again
	}
	return dst, err
}

var unpackers = pools(func(c Codec) any { return newUnpacker(c) }, Gzip, Snappy, LZ4, Zstd)

// Decompress appends the decompressed form of src to dst, at most limit bytes: what is more is ErrTooLarge. Snappy may be a
// block, or Java's framing of many.
func Decompress(dst, src []byte, c Codec, limit int) ([]byte, error) {
	pool := unpackers[c]
	if pool == nil {
		return dst, fmt.Errorf("%w %d", ErrCodec, c)
	}
	u := pool.Get().(unpacker)
	defer pool.Put(u)
	if err := u.start(src); err != nil {
		return dst, unpackError(err, c, len(src), limit)
	}
	from := len(dst)
	if c != Snappy { // which says how long it is
		dst = slices.Grow(dst, min(4*len(src), limit)+1)
	}
	for {
		var err error
		dst, err = u.next(dst, limit-(len(dst)-from))
		if err == io.EOF {
			return dst, nil
		}
		if err != nil {
			return dst, unpackError(err, c, len(src), limit)
		}
		if c != Snappy && len(dst) == cap(dst) {
			dst = slices.Grow(dst, min(len(dst), limit-(len(dst)-from)+1))
		}
	}
}

// unpackError is why size bytes could not be decompressed.
func unpackError(err error, c Codec, size, limit int) error {
	switch {
	case errors.Is(err, ErrTooLarge):
		return fmt.Errorf("%w: %v batch of %d bytes decompresses to more than %d", ErrTooLarge, c, size, limit)
	case errors.Is(err, ErrCorrupt):
		return err
	}
	return fmt.Errorf("%w: %v: %w", ErrCorrupt, c, err)
}
