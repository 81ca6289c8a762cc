package statetest

import (
	"testing"
	"time"

	"github.com/thalweg/thalweg/state"
	"github.com/thalweg/thalweg/window"
)

// Size and Retention of the windows that [Window] checks.
const (
	Size      = time.Minute
	Retention = time.Hour
)

// Window checks a store of windows of Size, kept for Retention. open returns an empty one for each check.
func Window(t *testing.T, open func(*testing.T) state.Window[string, int64]) {
	t.Helper()
	const minute = window.Instant(60_000)
	at := func(k string, n window.Instant) window.Key[string] {
		return window.Key[string]{Key: k, Start: n * minute, End: (n + 1) * minute}
	}
	run(t, open, []check[state.Window[string, int64]]{
		{"absent", "a window that was never put is absent", func(t *testing.T, s state.Window[string, int64]) {
			if _, ok, err := s.Get("a", 0); ok || err != nil {
				t.Errorf("Get: %v %v", ok, err)
			}
			same(t, "FetchAll", keys(s.FetchAll(0, 100*minute)), nil)
		}},
		{"put", "a key has a value in each window", func(t *testing.T, s state.Window[string, int64]) {
			must(t, s.Put("a", 0, 1))
			must(t, s.Put("a", minute, 2))
			must(t, s.Put("a", 0, 3))
			for n, want := range []int64{3, 2} {
				if v, ok, err := s.Get("a", window.Instant(n)*minute); v != want || !ok || err != nil {
					t.Errorf("Get: %d %v %v, want %d", v, ok, err, want)
				}
			}
			must(t, s.Delete("a", 0))
			same(t, "Fetch", keys(s.Fetch("a", 0, minute)), []window.Key[string]{at("a", 1)})
		}},
		{"order", "one key comes by start, all by start and then key bytes; bounds are inclusive", func(t *testing.T, s state.Window[string, int64]) {
			for _, n := range []window.Instant{2, 0, 1} {
				for _, k := range []string{"b", "a", "aa"} {
					must(t, s.Put(k, n*minute, int64(n)))
				}
			}
			same(t, "Fetch", keys(s.Fetch("a", minute, 2*minute)), []window.Key[string]{at("a", 1), at("a", 2)})
			same(t, "Descend", keys(s.Descend("a", 0, minute)), []window.Key[string]{at("a", 1), at("a", 0)})
			same(t, "FetchRange", keys(s.FetchRange("a", "aa", minute, 2*minute)), []window.Key[string]{at("a", 1), at("aa", 1), at("a", 2), at("aa", 2)})
			same(t, "FetchAll", keys(s.FetchAll(0, 0)), []window.Key[string]{at("a", 0), at("aa", 0), at("b", 0)})
		}},
		{"retention", "a window is visible until another starts that is later by the retention", func(t *testing.T, s state.Window[string, int64]) {
			must(t, s.Put("a", 0, 1))
			must(t, s.Put("b", 60*minute-1, 1))
			same(t, "Fetch", keys(s.Fetch("a", 0, minute)), []window.Key[string]{at("a", 0)})
			must(t, s.Put("b", 60*minute, 1))
			if _, ok, err := s.Get("a", 0); ok || err != nil {
				t.Errorf("Get of an expired window: %v %v", ok, err)
			}
			same(t, "FetchAll", keys(s.FetchAll(0, minute)), nil)
		}},
		{"late", "a put that comes too late is dropped without an error", func(t *testing.T, s state.Window[string, int64]) {
			must(t, s.Put("a", 1000*minute, 1))
			must(t, s.Put("a", 0, 1))
			same(t, "FetchAll", keys(s.FetchAll(0, 2000*minute)), []window.Key[string]{at("a", 1000)})
		}},
		{"snapshot", "an iterator sees the store as it was when it began", func(t *testing.T, s state.Window[string, int64]) {
			must(t, s.Put("a", 0, 1))
			must(t, s.Put("a", minute, 1))
			var got []window.Key[string]
			for k, v := range s.FetchAll(0, 10*minute) {
				if v != 1 {
					t.Errorf("%v is %d, and was 1", k, v)
				}
				got = append(got, k)
				must(t, s.Put("a", minute, 2))
				must(t, s.Put("a", 2*minute, 2))
			}
			same(t, "FetchAll", got, []window.Key[string]{at("a", 0), at("a", 1)})
		}},
	})
}
