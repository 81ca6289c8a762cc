package log

import (
	"encoding/binary"
	"hash/crc32"
	"math"
	"sort"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// entry is one line of an index: where a batch is, and the greatest timestamp of the segment before it.
type entry struct {
	offset int64 // of the batch's first record
	pos    int64 // of the batch in the segment file
	before int64 // greatest timestamp of all batches before it; noTime: there is none
}

// noTime is before all timestamps.
const noTime = math.MinInt64

const entrySize = 4 + 4 + 8 + 4

// index is the sparse index of one segment, sorted by all three fields. Its first entry is the segment's first batch.
type index []entry

// atOffset returns the position of the last entry at or before offset, or of the segment's start.
func (x index) atOffset(offset int64) entry {
	n := sort.Search(len(x), func(i int) bool { return x[i].offset > offset })
	return x.upTo(n)
}

// after returns the first entry behind offset, or the last of all.
func (x index) after(offset int64) entry {
	n := sort.Search(len(x), func(i int) bool { return x[i].offset > offset })
	return x.upTo(min(n+1, len(x)))
}

// atTime returns the last entry before which all timestamps are below ts.
func (x index) atTime(ts int64) entry {
	n := sort.Search(len(x), func(i int) bool { return x[i].before >= ts })
	return x.upTo(n)
}

func (x index) upTo(n int) entry {
	if n == 0 {
		return entry{before: noTime}
	}
	return x[n-1]
}

// encode appends entries as they stand in the file of a segment with the given base.
func (x index) encode(dst []byte, base int64) []byte {
	be := binary.BigEndian
	for _, e := range x {
		at := len(dst)
		dst = be.AppendUint32(dst, uint32(e.offset-base))
		dst = be.AppendUint32(dst, uint32(e.pos))
		dst = be.AppendUint64(dst, uint64(e.before))
		dst = be.AppendUint32(dst, crc32.Checksum(dst[at:], castagnoli))
	}
	return dst
}

// decodeIndex returns the valid entries at the start of b that lie below size, none after a gap in the order.
func decodeIndex(b []byte, base, size int64) index {
	x := make(index, 0, len(b)/entrySize)
	last := entry{offset: -1, pos: -1, before: noTime}
	for ; len(b) >= entrySize; b = b[entrySize:] {
		if binary.BigEndian.Uint32(b[16:]) != crc32.Checksum(b[:16], castagnoli) {
			break
		}
		d := decoder{b: b}
		e := entry{offset: base + int64(uint32(d.i32())), pos: int64(uint32(d.i32())), before: d.i64()}
		if e.offset <= last.offset || e.pos <= last.pos || e.before < last.before || e.pos >= size || len(x) == 0 && e.pos != 0 {
			break
		}
		x = append(x, e)
		last = e
	}
	return x
}

// saveIndex makes the entries from saved on durable in path.
func saveIndex(fs vfs.FS, path string, base int64, x index, saved int) error {
	f, err := fs.OpenReadWrite(path, category)
	if err != nil {
		return err
	}
	defer f.Close()
	if _, err = f.WriteAt(x[saved:].encode(nil, base), int64(saved)*entrySize); err != nil {
		return err
	}
	return f.Sync()
}
