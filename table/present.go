package table

import (
	"github.com/thalweg/thalweg/internal/edge"
	"github.com/thalweg/thalweg/serde"
)

// Present deletes the rows whose value is absent: after a MapValues or a joiner that may say no. A function, by the law
// that a method never wraps its own type parameters.
//
//	in   (a some 1) (b some 2) (a absent)
//	out  (a 1)      (b 2)      (a deleted)
func Present[K, V any](t Table[K, serde.Opt[V]]) Table[K, V] {
	if !given(t, "Present", false) {
		return Table[K, V]{}
	}
	return convert(t, edge.Need{}, func(_ K, v serde.Opt[V]) serde.Opt[V] { return v })
}
