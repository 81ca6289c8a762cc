// Package statetest is a conformance suite for stores: what every handle of a kind must do, whatever lies below it; and for
// storage tiers of one's own, which [Tier] checks.
//
//	func TestMine(t *testing.T) {
//		statetest.KeyValue(t, func(t *testing.T) state.KeyValue[string, int64] { return open(t) })
//	}
package statetest

import (
	"iter"
	"slices"
	"testing"

	"github.com/thalweg/thalweg/state"
	"github.com/thalweg/thalweg/window"
)

// check is one rule of a kind of store.
type check[S any] struct {
	name string
	rule string // what a failure violates
	f    func(t *testing.T, s S)
}

func run[S any](t *testing.T, open func(*testing.T) S, checks []check[S]) {
	t.Helper()
	for _, c := range checks {
		t.Run(c.name, func(t *testing.T) {
			t.Cleanup(func() {
				if t.Failed() {
					t.Log("the rule: " + c.rule)
				}
			})
			c.f(t, open(t))
		})
	}
}

// must stops the test at an error.
func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// same fails the test if the two differ.
func same[T comparable](t *testing.T, what string, got, want []T) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s: got %v, want %v", what, got, want)
	}
}

func keys[K, V any](rows iter.Seq2[K, V]) (ks []K) {
	for k := range rows {
		ks = append(ks, k)
	}
	return ks
}

// KeyValue checks a map. open returns an empty one for each check.
func KeyValue(t *testing.T, open func(*testing.T) state.KeyValue[string, int64]) {
	t.Helper()
	run(t, open, slices.Concat(singleRows(), manyRows()))
}

// singleRows are the checks of Get, Put and Delete.
func singleRows() []check[state.KeyValue[string, int64]] {
	return []check[state.KeyValue[string, int64]]{
		{"absent", "a key that was never put is absent, without an error", func(t *testing.T, s state.KeyValue[string, int64]) {
			if v, ok, err := s.Get("a"); v != 0 || ok || err != nil {
				t.Errorf("Get: %d %v %v", v, ok, err)
			}
			must(t, s.Delete("a"))
			same(t, "All", keys(s.All()), nil)
		}},
		{"put", "the last value put is there", func(t *testing.T, s state.KeyValue[string, int64]) {
			must(t, s.Put("a", 1))
			must(t, s.Put("a", 2))
			if v, ok, err := s.Get("a"); v != 2 || !ok || err != nil {
				t.Errorf("Get: %d %v %v", v, ok, err)
			}
		}},
		{"zero", "a zero value is a value, and the empty key a key", func(t *testing.T, s state.KeyValue[string, int64]) {
			must(t, s.Put("", 0))
			if v, ok, err := s.Get(""); v != 0 || !ok || err != nil {
				t.Errorf("Get: %d %v %v", v, ok, err)
			}
			same(t, "All", keys(s.All()), []string{""})
		}},
		{"delete", "a deleted row is absent, and can be put again", func(t *testing.T, s state.KeyValue[string, int64]) {
			must(t, s.Put("a", 1))
			must(t, s.Delete("a"))
			if _, ok, err := s.Get("a"); ok || err != nil {
				t.Errorf("Get: %v %v", ok, err)
			}
			must(t, s.Put("a", 3))
			same(t, "All", keys(s.All()), []string{"a"})
		}},
	}
}

// manyRows are the checks of iterators.
func manyRows() []check[state.KeyValue[string, int64]] {
	return []check[state.KeyValue[string, int64]]{
		{"order", "rows come in the order of their key bytes; bounds are inclusive", func(t *testing.T, s state.KeyValue[string, int64]) {
			for _, k := range []string{"b", "a", "ba", "c", "abcdefghijklmnopqrstuvwxyz", "bb"} {
				must(t, s.Put(k, 1))
			}
			same(t, "All", keys(s.All()), []string{"a", "abcdefghijklmnopqrstuvwxyz", "b", "ba", "bb", "c"})
			same(t, "Range", keys(s.Range("b", "bb")), []string{"b", "ba", "bb"})
			same(t, "Range of one", keys(s.Range("a", "a")), []string{"a"})
			same(t, "Range backwards", keys(s.Range("c", "a")), nil)
			same(t, "Descend", keys(s.Descend("ab", "bb")), []string{"bb", "ba", "b", "abcdefghijklmnopqrstuvwxyz"})
			same(t, "Prefix", keys(s.Prefix([]byte("b"))), []string{"b", "ba", "bb"})
		}},
		{"snapshot", "an iterator sees the store as it was when it began", func(t *testing.T, s state.KeyValue[string, int64]) {
			for _, k := range []string{"a", "b", "c"} {
				must(t, s.Put(k, 1))
			}
			var got []string
			for k, v := range s.All() {
				if v != 1 {
					t.Errorf("%s is %d, and was 1", k, v)
				}
				got = append(got, k)
				must(t, s.Delete("b"))
				must(t, s.Put("c", 2))
				must(t, s.Put("d", 2))
			}
			same(t, "All", got, []string{"a", "b", "c"})
			same(t, "All afterwards", keys(s.All()), []string{"a", "c", "d"})
		}},
		{"stop", "an iteration can be left, and begun anew", func(t *testing.T, s state.KeyValue[string, int64]) {
			must(t, s.Put("a", 1))
			must(t, s.Put("b", 1))
			rows := s.All()
			for range 2 {
				for k := range rows {
					same(t, "first", []string{k}, []string{"a"})
					break
				}
			}
		}},
	}
}

// Timestamped checks a map that keeps times. open returns an empty one for each check.
func Timestamped(t *testing.T, open func(*testing.T) state.Timestamped[string, int64]) {
	t.Helper()
	run(t, open, []check[state.Timestamped[string, int64]]{
		{"time", "a row has the time it was put with, also an earlier one than before", func(t *testing.T, s state.Timestamped[string, int64]) {
			for _, at := range []window.Instant{5, 9, 7} {
				must(t, s.Put("a", int64(at), at))
				if v, got, ok, err := s.Get("a"); v != int64(at) || got != at || !ok || err != nil {
					t.Errorf("Get: %d %d %v %v, want %d", v, got, ok, err, at)
				}
			}
		}},
		{"delete", "a deleted row is absent", func(t *testing.T, s state.Timestamped[string, int64]) {
			must(t, s.Put("a", 1, 1))
			must(t, s.Delete("a"))
			if _, _, ok, err := s.Get("a"); ok || err != nil {
				t.Errorf("Get: %v %v", ok, err)
			}
		}},
		{"order", "rows come in the order of their key bytes; bounds are inclusive", func(t *testing.T, s state.Timestamped[string, int64]) {
			for i, k := range []string{"b", "a", "c"} {
				must(t, s.Put(k, int64(i), window.Instant(10*i)))
			}
			same(t, "All", slices.Collect(s.All()), []state.Entry[string, int64]{{Key: "a", Value: 1, Time: 10}, {Key: "b"}, {Key: "c", Value: 2, Time: 20}})
			same(t, "Range", slices.Collect(s.Range("b", "c")), []state.Entry[string, int64]{{Key: "b"}, {Key: "c", Value: 2, Time: 20}})
		}},
	})
}
