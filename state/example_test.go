package state_test

import (
	"fmt"

	"github.com/thalweg/thalweg/internal/store"
	"github.com/thalweg/thalweg/serde"
	"github.com/thalweg/thalweg/state"
)

// A processor gets its store from its context, ctx.Store(visits). Here it is opened by hand.
func ExampleNewKeyValue() {
	visits := state.NewKeyValue("visits", serde.String, serde.Int64)

	h, _, err := state.Open(visits, store.Env{})
	if err != nil {
		fmt.Println(err)
		return
	}
	s := h.(state.KeyValue[string, int64])
	for _, who := range []string{"bob", "alice", "bob"} {
		n, _, err := s.Get(who)
		if err == nil {
			err = s.Put(who, n+1)
		}
		if err != nil {
			fmt.Println(err)
			return
		}
	}
	for who, n := range s.All() {
		fmt.Println(who, n)
	}
	// Output:
	// alice 1
	// bob 2
}
