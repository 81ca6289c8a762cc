package log

import (
	"encoding/binary"
	"fmt"
	"sort"
)

// abortedTxn is an aborted transaction whose marker is at offset last.
type abortedTxn struct {
	producer    int64
	first, last int64
	stable      int64 // last stable offset once the transaction was over: no later one of this list begins below it
}

const abortedSize = 4 * 8

// ended is a transaction that is over but whose marker is not durable yet: readers still take it for open.
type ended struct{ first, marker int64 }

// appendAborted appends to dst the aborted transactions of the segments, which are in order, that overlap [from, to).
func appendAborted(dst []Aborted, segments []*segment, from, to int64) []Aborted {
	for _, s := range segments {
		list := s.aborted
		i := sort.Search(len(list), func(i int) bool { return list[i].last >= from })
		for _, t := range list[i:] {
			if t.first < to {
				dst = append(dst, Aborted{t.producer, t.first})
			}
			if t.stable >= to {
				return dst
			}
		}
	}
	return dst
}

// encodeAborted returns the content of a segment's .txn file.
func encodeAborted(list []abortedTxn) []byte {
	be := binary.BigEndian
	b := make([]byte, 0, len(list)*abortedSize+8)
	b = be.AppendUint32(b, uint32(len(list)))
	for i := range list {
		t := &list[i]
		b = be.AppendUint64(b, uint64(t.producer))
		b = be.AppendUint64(b, uint64(t.first))
		b = be.AppendUint64(b, uint64(t.last))
		b = be.AppendUint64(b, uint64(t.stable))
	}
	return seal(b)
}

// loadAborted reads the segment's .txn file, of which the first n entries count: later ones belong to a future that
// recovery writes anew.
func (s *segment) loadAborted(n int) error {
	if n == 0 {
		return nil
	}
	b, err := readFile(s.fs, s.path(txnExt), maxSegmentBytes)
	if err != nil {
		return fmt.Errorf("log: %s: %w", s.path(txnExt), err)
	}
	if b, err = unseal(b); err != nil {
		return fmt.Errorf("%s: %w", s.path(txnExt), err)
	}
	d := decoder{b: b}
	if have := d.count(abortedSize); have < n {
		return fmt.Errorf("%w: %s holds %d entries, expected %d", ErrCorrupt, s.path(txnExt), have, n)
	}
	s.aborted = make([]abortedTxn, n)
	for i := range s.aborted {
		s.aborted[i] = abortedTxn{d.i64(), d.i64(), d.i64(), d.i64()}
	}
	return nil
}
