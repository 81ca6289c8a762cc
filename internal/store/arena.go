package store

import "encoding/binary"

// arena keeps the bytes of keys too long for a slot. Pieces are freed into lists by size class and used again; a key
// of more than pieceMax bytes has a block of its own.
//
// A reference is block(24 bits) | offset(16) | length(24).
type arena struct {
	blocks [][]byte
	open   int      // the block pieces are cut from, -1: none
	used   int      // bytes of it
	free   []uint64 // by class: the first free piece, chained through the pieces' first 8 bytes
	empty  []int    // indices of freed blocks
	bytes  int64    // held
}

const (
	arenaBlock = 64 << 10
	pieceUnit  = 16
	pieceMax   = 1024
	noPiece    = ^uint64(0)
)

func (a *arena) get(ref uint64) []byte {
	block, off, n := ref>>40, ref>>24&0xffff, ref&0xffffff
	return a.blocks[block][off : off+n : off+n]
}

func (a *arena) put(key []byte) (ref uint64) {
	n := len(key)
	if n > pieceMax {
		i := a.block(n)
		copy(a.blocks[i], key)
		return uint64(i)<<40 | uint64(n)
	}
	class := (n + pieceUnit - 1) / pieceUnit
	if a.free == nil {
		a.free = make([]uint64, pieceMax/pieceUnit+1)
		for i := range a.free {
			a.free[i] = noPiece
		}
		a.open = -1
	}
	at := a.free[class]
	if at != noPiece {
		a.free[class] = binary.LittleEndian.Uint64(a.piece(at))
	} else {
		if a.open < 0 || a.used+class*pieceUnit > arenaBlock {
			a.open, a.used = a.block(arenaBlock), 0
		}
		at = uint64(a.open)<<40 | uint64(a.used)<<24
		a.used += class * pieceUnit
	}
	copy(a.piece(at), key)
	return at | uint64(n)
}

func (a *arena) drop(ref uint64) {
	n := int(ref & 0xffffff)
	if n > pieceMax {
		i := int(ref >> 40)
		a.bytes -= int64(len(a.blocks[i]))
		a.blocks[i] = nil
		a.empty = append(a.empty, i)
		return
	}
	at, class := ref&^0xffffff, (n+pieceUnit-1)/pieceUnit
	binary.LittleEndian.PutUint64(a.piece(at), a.free[class])
	a.free[class] = at
}

// piece returns the block's bytes from at on.
func (a *arena) piece(at uint64) []byte { return a.blocks[at>>40][at>>24&0xffff:] }

// block makes a block of n bytes and returns its index.
func (a *arena) block(n int) int {
	a.bytes += int64(n)
	b := make([]byte, n)
	if m := len(a.empty); m > 0 {
		i := a.empty[m-1]
		a.empty = a.empty[:m-1]
		a.blocks[i] = b
		return i
	}
	if len(a.blocks) == 1<<24 {
		panic("store: key arena is full") // 2^24 blocks: a terabyte of keys
	}
	a.blocks = append(a.blocks, b)
	return len(a.blocks) - 1
}
