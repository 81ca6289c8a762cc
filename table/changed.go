package table

import "github.com/thalweg/thalweg/internal/edge"

// Changed drops updates that leave the row as it was: equal values, and deletions of what was not there. equal must not
// change its arguments.
//
//	in     (a 1) (a 1) (a 2) (b deleted)
//	equal  ==
//	out    (a 1)       (a 2)
func (t Table[K, V]) Changed[_ edge.Called](equal func(a, b V) bool) Table[K, V] {
	if !given(t, "Changed", equal == nil) {
		return Table[K, V]{}
	}
	t.view.Old(true)
	out := t.out.Apply[K, Change[V]](tableOp("KTABLE-CHANGED", edge.Need{Val: true}),
		func(_ edge.Place, next edge.Emit[K, Change[V]]) (edge.Emit[K, Change[V]], error) {
			return func(m *edge.Meta, k K, c Change[V]) error {
				if c.New.OK == c.Old.OK && (!c.New.OK || equal(c.Old.Value, c.New.Value)) {
					return nil
				}
				return next(m, k, c)
			}, nil
		})
	return Table[K, V]{out, t.view}
}
