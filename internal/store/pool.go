package store

import "unsafe"

const freeSegments = 16 // segments' slots kept for the next, beside as many as are in use

// pool gives out slots for segments and takes them back, and keeps the account of the store's memory. The tables of a
// store share one.
type pool[V any] struct {
	slots int         // of a grown segment
	free  [][]slot[V] // of grown segments, cleared
	grown int         // grown segments' slots given out
	bytes int64       // allocated and not dropped

	tables  int64 // bytes of the tables beside slots
	account account
}

// settle brings the budget up to date.
func (p *pool[V]) settle() { p.account.set(p.bytes + p.tables) }

// take returns n empty slots.
func (p *pool[V]) take(n int) []slot[V] {
	if n < p.slots {
		p.bytes += int64(n) * slotBytes[V]()
		return make([]slot[V], n)
	}
	p.grown++
	if m := len(p.free); m > 0 {
		s := p.free[m-1]
		p.free[m-1] = nil
		p.free = p.free[:m-1]
		return s
	}
	p.bytes += int64(n) * slotBytes[V]()
	return make([]slot[V], n)
}

// give takes slots back, whatever they hold. It keeps at most as many as are in use, none if memory is short.
func (p *pool[V]) give(s []slot[V]) {
	if len(s) < p.slots {
		p.bytes -= int64(len(s)) * slotBytes[V]()
		return
	}
	p.grown--
	if len(p.free) >= p.grown+freeSegments || p.account.budget.short(p.account.held) {
		p.bytes -= int64(len(s)) * slotBytes[V]()
		return
	}
	clear(s)
	p.free = append(p.free, s)
}

func slotBytes[V any]() int64 { return int64(unsafe.Sizeof(slot[V]{})) }
