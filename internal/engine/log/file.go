package log

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	iofs "io/fs"

	"github.com/cockroachdb/pebble/v2/vfs"
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// category labels this package's writes for file systems that count them.
const category = vfs.WriteCategoryUnspecified

// tmpSuffix marks a file that is being written; recovery removes them.
const tmpSuffix = ".tmp"

// syncDir makes the entries of a directory durable.
func syncDir(fs vfs.FS, dir string) error {
	d, err := fs.OpenDir(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// replaceFile makes name hold data, durably and atomically: after a crash it holds either the old content or the new.
func replaceFile(fs vfs.FS, dir, name string, data []byte) error {
	if err := renameIn(fs, dir, name, data); err != nil {
		return err
	}
	return syncDir(fs, dir)
}

// renameIn is replaceFile without the directory's sync: the content is durable, the name not yet.
func renameIn(fs vfs.FS, dir, name string, data []byte) error {
	path := fs.PathJoin(dir, name)
	f, err := fs.Create(path+tmpSuffix, category)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	return fs.Rename(path+tmpSuffix, path)
}

// readFile returns the content of a file, up to limit bytes.
func readFile(fs vfs.FS, path string, limit int64) ([]byte, error) {
	f, err := fs.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if info.Size() > limit {
		return nil, fmt.Errorf("%w: %s has %d bytes, at most %d were written", ErrCorrupt, path, info.Size(), limit)
	}
	b := make([]byte, info.Size())
	if err = readFull(f, b, 0); err != nil {
		return nil, err
	}
	return b, nil
}

// readFull fills b from f at pos; a file that ends before is io.ErrUnexpectedEOF.
func readFull(f io.ReaderAt, b []byte, pos int64) error {
	n, err := f.ReadAt(b, pos)
	if n == len(b) {
		return nil
	}
	if err == io.EOF || err == nil {
		return io.ErrUnexpectedEOF
	}
	return err
}

// missing reports whether err says that a file is not there.
func missing(err error) bool { return errors.Is(err, iofs.ErrNotExist) }

// seal appends the checksum of b to it.
func seal(b []byte) []byte {
	return binary.BigEndian.AppendUint32(b, crc32.Checksum(b, castagnoli))
}

// unseal checks and removes the checksum at the end of b.
func unseal(b []byte) ([]byte, error) {
	if len(b) < 4 {
		return nil, fmt.Errorf("%w: %d bytes", ErrCorrupt, len(b))
	}
	body := b[:len(b)-4]
	if got, want := crc32.Checksum(body, castagnoli), binary.BigEndian.Uint32(b[len(body):]); got != want {
		return nil, fmt.Errorf("%w: checksum %08x, want %08x", ErrCorrupt, got, want)
	}
	return body, nil
}

// decoder reads big-endian fields; after the first that is cut off, bad is set and all reads return 0.
type decoder struct {
	b   []byte
	bad bool
}

func (d *decoder) take(n int) []byte {
	if d.bad || len(d.b) < n {
		d.bad = true
		return zeros[:n]
	}
	out := d.b[:n]
	d.b = d.b[n:]
	return out
}

func (d *decoder) u8() byte   { return d.take(1)[0] }
func (d *decoder) i16() int16 { return int16(binary.BigEndian.Uint16(d.take(2))) }
func (d *decoder) i32() int32 { return int32(binary.BigEndian.Uint32(d.take(4))) }
func (d *decoder) i64() int64 { return int64(binary.BigEndian.Uint64(d.take(8))) }

// count reads a number of elements of at least size bytes each.
func (d *decoder) count(size int) int {
	n := int(d.i32())
	if n < 0 || n > len(d.b)/size {
		d.bad = true
		return 0
	}
	return n
}

// zeros is what fresh space is filled with.
var zeros [64 << 10]byte

// zeroFill writes zeros over [from, to) of f.
func zeroFill(f io.WriterAt, from, to int64) error {
	for from < to {
		n, err := f.WriteAt(zeros[:min(int64(len(zeros)), to-from)], from)
		if err != nil {
			return err
		}
		from += int64(n)
	}
	return nil
}
