package log

import (
	"fmt"
	"io"

	"github.com/thalweg/thalweg/internal/batch"
)

// walkWindow is how much a walker reads at a time to look at headers, in bytes.
const walkWindow = 8 << 10

// walker goes over the batches of a segment file by their headers. The zero buffer grows to walkWindow.
type walker struct {
	f    io.ReaderAt
	pos  int64 // of the next batch
	size int64 // end of the batches

	at  int64 // of the current batch
	h   batch.Header
	err error

	buf   []byte // [start, start+len(buf)) of the file
	start int64
}

// next moves to the next batch; false at the end or at an error, which is then in err.
func (w *walker) next() bool {
	if w.err != nil || w.pos >= w.size {
		return false
	}
	b, err := w.window()
	if err == nil {
		w.h, err = batch.ParseHeader(b)
	}
	if err == nil && int64(w.h.Size()) > w.size-w.pos {
		err = fmt.Errorf("%w: batch of %d bytes, %d left", batch.ErrCorrupt, w.h.Size(), w.size-w.pos)
	}
	if err != nil {
		w.err = fmt.Errorf("%w: at byte %d: %w", ErrCorrupt, w.pos, err)
		return false
	}
	w.at = w.pos
	w.pos += int64(w.h.Size())
	return true
}

// window returns the bytes at pos, at least a header.
func (w *walker) window() ([]byte, error) {
	if off := w.pos - w.start; off >= 0 && off+batch.HeaderSize <= int64(len(w.buf)) {
		return w.buf[off:], nil
	}
	if cap(w.buf) < walkWindow {
		w.buf = make([]byte, walkWindow)
	}
	n := min(int64(walkWindow), w.size-w.pos)
	w.buf, w.start = w.buf[:n], w.pos
	if err := readFull(w.f, w.buf, w.pos); err != nil {
		return nil, err
	}
	return w.buf, nil
}

// read appends the current batch to dst, which the result may alias.
func (w *walker) read(dst []byte) ([]byte, error) {
	return readInto(w.f, dst, w.at, int64(w.h.Size()))
}

// check reads the current batch into scratch, which it returns, and verifies its checksum.
func (w *walker) check(scratch []byte) ([]byte, error) {
	b, err := w.read(scratch[:0])
	if err == nil {
		err = batch.CheckCRC(b)
	}
	if err != nil {
		return b, fmt.Errorf("%w: batch at offset %d, byte %d: %w", ErrCorrupt, w.h.BaseOffset, w.at, err)
	}
	return b, nil
}
