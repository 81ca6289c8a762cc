package batch

import "fmt"

// defaultLimit is the most bytes a compressed batch may decompress to if Reader.Limit is 0.
const defaultLimit = 64 << 20

// minRecord is the size of the smallest record: length, attributes, two deltas, null key, null value, no headers.
const minRecord = 7

// Record is one record of a batch. Its slices alias the batch, or the reader's buffer if the batch is compressed:
// they live until the reader is reset.
type Record struct {
	Offset    int64
	Timestamp int64  // milliseconds
	Key       []byte // nil: null
	Value     []byte // nil: null
	Headers   []byte // raw: varint count and what follows, for Headers and Builder.Append; nil: none
}

// Reader walks the records of one batch. The zero Reader is ready; it may be reset again and again and then
// allocates nothing for uncompressed batches. It is for one goroutine at a time.
type Reader struct {
	Limit int // most bytes a compressed batch may decompress to; 0: 64 MiB

	h        Header
	data     []byte // records, uncompressed
	at       int    // of the next record in data
	left     int32  // records to come
	base     int64  // timestamps are base plus delta&timeMask: all the same under log append time
	timeMask int64
	last     int64  // offset of the previous record
	buf      []byte // decompression; kept from batch to batch
	err      error
}

// Reset begins with the batch b, whose CRC is the caller's business. b must not change while it is read.
func (r *Reader) Reset(b []byte) error {
	r.data, r.at, r.left, r.err = nil, 0, 0, nil
	h, err := Parse(b)
	if err != nil {
		r.err = err
		return err
	}
	data := b[HeaderSize:h.Size()]
	if h.Codec() != None && len(data) > 0 {
		limit := r.Limit
		if limit <= 0 {
			limit = defaultLimit
		}
		if r.buf, err = Decompress(r.buf[:0], data, h.Codec(), limit); err != nil {
			r.err = err
			return err
		}
		data = r.buf
	}
	if int64(h.Count)*minRecord > int64(len(data)) {
		r.err = fmt.Errorf("%w: %d records in %d bytes", ErrCorrupt, h.Count, len(data))
		return r.err
	}
	r.h, r.data, r.left = h, data, h.Count
	r.last = h.BaseOffset - 1
	r.base, r.timeMask = h.BaseTimestamp, -1
	if h.LogAppendTime() {
		r.base, r.timeMask = h.MaxTimestamp, 0
	}
	return nil
}

// Header returns the header of the batch the reader was reset to.
func (r *Reader) Header() *Header { return &r.h }

// Bytes returns the size of the records of the batch the reader was reset to, decompressed.
func (r *Reader) Bytes() int { return len(r.data) }

// Next decodes the next record into rec. It returns false at the end or at an error; see Err.
func (r *Reader) Next(rec *Record) bool {
	if r.left == 0 {
		if r.at != len(r.data) && r.err == nil {
			r.fail("bytes after the last record")
		}
		return false
	}
	size, at := varint(r.data, r.at)
	if at < 0 || size < minRecord-1 || size > int64(len(r.data)-at) {
		return r.fail("record length")
	}
	end := at + int(size)
	b := r.data[:end]
	delta, at := varint(b, at+1) // one byte of attributes, none of them in use
	if at < 0 {
		return r.fail("timestamp")
	}
	rec.Timestamp = r.base + delta&r.timeMask
	if delta, at = varint(b, at); at < 0 || delta < 0 || delta > int64(r.h.LastOffsetDelta) {
		return r.fail("offset")
	}
	rec.Offset = r.h.BaseOffset + delta
	if rec.Offset <= r.last {
		return r.fail("offset order")
	}
	if rec.Key, at = bytesField(b, at); at < 0 {
		return r.fail("key")
	}
	if rec.Value, at = bytesField(b, at); at < 0 {
		return r.fail("value")
	}
	switch {
	case at+1 == end && b[at] == 0:
		rec.Headers = nil
	case at == end:
		return r.fail("headers")
	default:
		rec.Headers = b[at:end:end]
	}
	r.last = rec.Offset
	r.at = end
	r.left--
	return true
}

// bytesField decodes a length and as many bytes; length -1 is null. next is -1 if they do not fit.
func bytesField(b []byte, at int) (field []byte, next int) {
	n, at := varint(b, at)
	if at < 0 || n > int64(len(b)-at) || n < -1 {
		return nil, -1
	}
	if n < 0 {
		return nil, at
	}
	end := at + int(n)
	return b[at:end:end], end
}

func (r *Reader) fail(what string) bool {
	r.err = fmt.Errorf("%w: %s at byte %d of the records, %d left", ErrCorrupt, what, r.at, r.left)
	r.left, r.at = 0, len(r.data)
	return false
}

// Err returns what ended Next early: malformed varints, lengths, counts.
func (r *Reader) Err() error { return r.err }

// KV is a key and value beside a record's own.
type KV struct {
	Key   string
	Value []byte // nil: null
}

// Headers decodes raw record headers, as in Record.Headers. Values alias raw.
func Headers(raw []byte) ([]KV, error) {
	if len(raw) == 0 {
		return nil, nil
	}
	count, at := varint(raw, 0)
	if at < 0 || count < 0 || count > int64(len(raw)-at)/2 {
		return nil, fmt.Errorf("%w: header count %d in %d bytes", ErrCorrupt, count, len(raw))
	}
	if count == 0 && at == len(raw) {
		return nil, nil
	}
	h := make([]KV, 0, min(count, 64))
	for range count {
		key, next := bytesField(raw, at)
		if next < 0 || key == nil {
			return nil, fmt.Errorf("%w: header key at byte %d", ErrCorrupt, at)
		}
		value, end := bytesField(raw, next)
		if end < 0 {
			return nil, fmt.Errorf("%w: header value at byte %d", ErrCorrupt, next)
		}
		h = append(h, KV{Key: string(key), Value: value})
		at = end
	}
	if at != len(raw) {
		return nil, fmt.Errorf("%w: %d bytes after the last header", ErrCorrupt, len(raw)-at)
	}
	return h, nil
}

// AppendHeaders appends the raw form of headers (varint count first) to dst.
func AppendHeaders(dst []byte, h []KV) []byte {
	dst = appendVarint(dst, int64(len(h)))
	for i := range h {
		dst = appendVarint(dst, int64(len(h[i].Key)))
		dst = append(dst, h[i].Key...)
		if h[i].Value == nil {
			dst = appendVarint(dst, -1)
			continue
		}
		dst = appendVarint(dst, int64(len(h[i].Value)))
		dst = append(dst, h[i].Value...)
	}
	return dst
}
