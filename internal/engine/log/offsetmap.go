package log

import (
	"hash/maphash"
)

// offsetMap holds the last offset of each key, in bounded memory: of a key it keeps 128 bits of hash, by two seeds
// nobody outside knows, so that two keys do not meet by accident or by design.
type offsetMap struct {
	seeds [2]maphash.Seed
	slots []offsetSlot
	used  int
}

type offsetSlot struct {
	a, b   uint64
	offset int64 // plus one; 0: empty
}

const offsetSlotSize = 24

// newOffsetMap returns a map of at most size bytes, no larger than what the given number of keys needs.
func newOffsetMap(size int64, keys int64) *offsetMap {
	n := int64(64)
	for n < 2*keys && 2*n*offsetSlotSize <= size {
		n *= 2
	}
	return &offsetMap{seeds: [2]maphash.Seed{maphash.MakeSeed(), maphash.MakeSeed()}, slots: make([]offsetSlot, n)}
}

// slot returns the place of key: its slot, or the empty one where it would be.
func (m *offsetMap) slot(key []byte) (*offsetSlot, uint64, uint64) {
	a, b := maphash.Bytes(m.seeds[0], key), maphash.Bytes(m.seeds[1], key)
	mask := uint64(len(m.slots) - 1)
	for i := a & mask; ; i = (i + 1) & mask {
		if s := &m.slots[i]; s.offset == 0 || s.a == a && s.b == b {
			return s, a, b
		}
	}
}

// room returns how many keys may still come.
func (m *offsetMap) room() int { return len(m.slots)*3/4 - m.used }

// put notes that key has a record at offset, larger than all before. There must be room.
func (m *offsetMap) put(key []byte, offset int64) {
	s, a, b := m.slot(key)
	if s.offset == 0 {
		m.used++
	}
	*s = offsetSlot{a, b, offset + 1}
}

// last returns the last offset of key, -1 if there is none.
func (m *offsetMap) last(key []byte) int64 {
	s, _, _ := m.slot(key)
	return s.offset - 1
}
