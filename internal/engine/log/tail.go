package log

import "sync/atomic"

const (
	tailChunkMin  = 16 << 10 // first chunk of a partition
	tailChunkMax  = 256 << 10
	tailPartition = 1 << 20 // most a partition keeps
	tailBatchMax  = 16 << 10
)

// chunk is a range of a segment's bytes in memory: whole batches. Bytes are only ever added.
type chunk struct {
	seg *segment
	pos int64
	buf []byte
}

// tail holds the batches appended last, so that readers at the end do not read files for a few records each. Batches above
// tailBatchMax are not held: memory for the copy costs more than a read from the page cache. It is guarded by the
// partition's lock; what readers got stays valid without.
type tail struct {
	total  *atomic.Int64 // bytes held by all partitions' tails
	limit  int64         // of total
	chunks []chunk
	held   int64 // of total, by this tail
	idle   bool  // no append since the last sweep
}

// add keeps a copy of batch b, which was written to seg at pos.
func (t *tail) add(seg *segment, pos int64, b []byte) {
	t.idle = false
	if len(b) > tailBatchMax {
		return
	}
	if n := len(t.chunks); n > 0 {
		c := &t.chunks[n-1]
		if c.seg == seg && c.pos+int64(len(c.buf)) == pos && len(b) <= cap(c.buf)-len(c.buf) {
			c.buf = append(c.buf, b...)
			return
		}
	}
	size := min(max(int(t.held), tailChunkMin), tailChunkMax)
	for len(t.chunks) > 0 && t.held+int64(size) > tailPartition {
		t.drop(1)
	}
	if t.total.Load()+int64(size) > t.limit {
		t.drop(len(t.chunks))
		if t.total.Load()+int64(size) > t.limit {
			return
		}
	}
	t.total.Add(int64(size))
	t.held += int64(size)
	t.chunks = append(t.chunks, chunk{seg, pos, append(make([]byte, 0, size), b...)})
}

// drop lets go of the oldest n chunks.
func (t *tail) drop(n int) {
	for i := range n {
		size := int64(cap(t.chunks[i].buf))
		t.held -= size
		t.total.Add(-size)
		t.chunks[i] = chunk{}
	}
	t.chunks = append(t.chunks[:0], t.chunks[n:]...)
	clear(t.chunks[len(t.chunks):cap(t.chunks)])
}

// sweep drops the tail of a partition that had no append since the last sweep.
func (t *tail) sweep() {
	if t.idle {
		t.drop(len(t.chunks))
	}
	t.idle = true
}

// from appends to dst the bytes of seg from pos on, in pieces of whole batches if pos is the start of one, until there
// are max bytes or no more. It returns dst unchanged if pos is not held.
func (t *tail) from(dst [][]byte, seg *segment, pos, max int64) [][]byte {
	for i := range t.chunks {
		c := &t.chunks[i]
		if c.seg != seg || pos < c.pos || pos >= c.pos+int64(len(c.buf)) {
			continue
		}
		piece := c.buf[pos-c.pos:]
		dst = append(dst, piece[:len(piece):len(piece)])
		pos += int64(len(piece))
		if max -= int64(len(piece)); max <= 0 {
			break
		}
	}
	return dst
}
