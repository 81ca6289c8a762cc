package store

import "sync/atomic"

// Budget is the memory of an instance's hot tables, shared by its stores. Stores without a tier below are counted but
// cannot give anything back. It is safe for concurrent use.
type Budget struct {
	limit  int64
	used   atomic.Int64
	stores atomic.Int64
}

// NewBudget returns a budget of so many bytes.
func NewBudget(bytes int64) *Budget { return &Budget{limit: bytes} }

// Used returns the bytes accounted for.
func (b *Budget) Used() int64 { return b.used.Load() }

// Limit returns the bytes allowed.
func (b *Budget) Limit() int64 { return b.limit }

// short reports whether a store that holds so many bytes should not grow: the budget is used up, and the store has at
// least its share of it.
func (b *Budget) short(held int64) bool {
	return b != nil && b.used.Load() >= b.limit && held >= b.limit/max(1, b.stores.Load())
}

// account is what one store has in the budget.
type account struct {
	budget *Budget
	held   int64
}

func (a *account) open(b *Budget) {
	a.budget = b
	if b != nil {
		b.stores.Add(1)
	}
}

func (a *account) close() {
	a.set(0)
	if a.budget != nil {
		a.budget.stores.Add(-1)
	}
}

// set says that the store now holds so many bytes.
func (a *account) set(bytes int64) {
	if a.budget != nil {
		a.budget.used.Add(bytes - a.held)
	}
	a.held = bytes
}
