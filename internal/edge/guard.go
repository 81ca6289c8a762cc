package edge

import (
	"bytes"
	"fmt"

	"github.com/thalweg/thalweg/serde"
)

// Guard returns f, under test with a check that f leaves the aggregate it is given alone: undo and old values stand on
// that.
func Guard[K, V, A any](at Place, s serde.Serde[A], f func(K, V, serde.Opt[A]) serde.Opt[A]) func(K, V, serde.Opt[A]) serde.Opt[A] {
	if !at.Strict() {
		return f
	}
	return func(k K, v V, a serde.Opt[A]) serde.Opt[A] {
		before, err := s.Append([]byte{}, a.Value)
		out := f(k, v, a)
		if !a.OK || err != nil {
			return out
		}
		if after, err := s.Append([]byte{}, a.Value); err == nil && !bytes.Equal(before, after) {
			panic(fmt.Sprintf("%s: %s: the callback changed the aggregate it was given: return a changed copy instead; was %.200q, is %.200q",
				at.Node.Pos, at.Node.Name, before, after))
		}
		return out
	}
}
