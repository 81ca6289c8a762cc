package state_test

import (
	"fmt"
	"time"

	"github.com/thalweg/thalweg/internal/store"
	"github.com/thalweg/thalweg/serde"
	"github.com/thalweg/thalweg/state"
)

// A processor gets its store from its context, ctx.Store(prices). Here it is opened by hand.
func ExampleNewVersioned() {
	prices := state.NewVersioned("prices", time.Second, serde.String, serde.Int64)

	h, _, err := state.Open(prices, store.Env{})
	if err != nil {
		fmt.Println(err)
		return
	}
	s := h.(state.Versioned[string, int64])
	fmt.Println(s.Put("apple", 2, 100))
	fmt.Println(s.Put("apple", 3, 500))
	until, accepted, err := s.Put("apple", 9, 300) // late: holds until what is there already
	fmt.Println(int64(until), accepted, err)
	v, ok, err := s.AsOf("apple", 250)
	fmt.Println(v.Value, int64(v.From), int64(v.Until), ok, err)
	for v := range s.Versions("apple", 0, 1000) {
		fmt.Print(v.Value, " ")
	}
	fmt.Println()
	// Output:
	// 292278994-08-17T07:12:55.807Z true <nil>
	// 292278994-08-17T07:12:55.807Z true <nil>
	// 500 true <nil>
	// 2 100 300 true <nil>
	// 2 9 3
}
