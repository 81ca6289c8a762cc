package log

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
)

// hold keeps all files as they are, or lets the next release have them again. Appends wait where held files add up.
func (w *wal) hold(on bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.held = on
}

// between returns the files with the frames from low to cut, in order, each as if its last frame were at most cut. The frames
// are on disk, and the files are held.
func (w *wal) between(low, cut uint64) (all []*walFile) {
	if low > cut {
		return nil
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	part := func(f *walFile, last uint64) {
		if last >= low && f.first <= last {
			all = append(all, &walFile{slot: f.slot, salt: f.salt, first: f.first, last: last})
		}
	}
	for _, f := range w.files {
		part(f, min(f.last, cut))
	}
	if n := len(w.files); n == 0 || w.files[n-1] != w.cur {
		part(w.cur, cut)
	}
	return all
}

// frames copies a file up to its last frame. The committer may be writing behind it.
func (c *copier) frames(w *wal, f *walFile) (err error) {
	name := walName(f.slot)
	src, err := w.fs.Open(w.fs.PathJoin(w.dir, name))
	if err != nil {
		return err
	}
	defer src.Close()
	dst, err := c.fs.Create(c.fs.PathJoin(c.to, walDir, name), category)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, dst.Close()) }()
	r := bufio.NewReaderSize(io.NewSectionReader(src, 0, math.MaxInt64), copyChunk)
	out := bufio.NewWriterSize(dst, copyChunk)
	if _, err = io.CopyN(out, r, walHeaderSize); err != nil {
		return err
	}
	var b []byte
	for lsn := f.first; lsn <= f.last; lsn++ {
		b, err = readFrame(r, b, f.salt, lsn)
		if err == nil {
			_, err = out.Write(b)
		}
		if err = errors.Join(err, c.ctx.Err()); err != nil {
			return err
		}
		c.done.Bytes += int64(len(b))
	}
	if err = out.Flush(); err != nil {
		return err
	}
	return dst.Sync()
}

// readFrame reads the next frame, which has to be lsn, into b, which it returns.
func readFrame(r *bufio.Reader, b []byte, salt, lsn uint64) ([]byte, error) {
	head, err := r.Peek(frameHeader)
	if err == nil && binary.BigEndian.Uint32(head[frameKind:])&0xffffff != frameCheck(head, salt) {
		err = fmt.Errorf("%w: entry %d does not pass", ErrCorrupt, lsn)
	}
	if err != nil {
		return b, err
	}
	size := frameSize(int(binary.BigEndian.Uint32(head)))
	if cap(b) < size {
		b = make([]byte, size)
	}
	b = b[:size]
	if _, err := io.ReadFull(r, b); err != nil {
		return b, err
	}
	f, ok := decodeFrame(b, salt)
	if !ok || f.lsn != lsn {
		return b, fmt.Errorf("%w: entry %d, of %d bytes, does not pass", ErrCorrupt, lsn, size)
	}
	return b, nil
}
