package statetest

import (
	"bytes"
	"fmt"
	"iter"
	"slices"
	"sync"
	"testing"

	"github.com/thalweg/thalweg/state"
)

// Tier checks the tiers that a backend opens: what state.Tier says. Each check has a directory of its own.
//
//	func TestMine(t *testing.T) { statetest.Tier(t, mine.Backend{}) }
//
// Whether an Apply survives the loss of power it cannot tell.
func Tier(t *testing.T, b state.Backend) {
	t.Helper()
	for _, c := range tierChecks() {
		t.Run(c.name, func(t *testing.T) {
			x := &tierBed{T: t, b: b, dir: t.TempDir()}
			t.Cleanup(func() {
				if t.Failed() {
					t.Log("the rule: " + c.rule)
				}
			})
			x.open()
			c.f(x)
			x.close()
		})
	}
}

type tierCheck struct {
	name, rule string
	f          func(x *tierBed)
}

// tierBed is a tier under test.
type tierBed struct {
	*testing.T
	b   state.Backend
	dir string
	t   state.Tier
}

func (x *tierBed) open() {
	x.Helper()
	var err error
	if x.t, err = x.b.Open(x.dir, "store", 0); err != nil {
		x.Fatal(err)
	}
}

func (x *tierBed) close() {
	x.Helper()
	must(x.T, x.t.Close())
}

// pair is a row; value "-": a deletion.
type pair struct{ key, value string }

// puts yields rows in slices that it uses again.
func puts(rows []pair) iter.Seq2[[]byte, []byte] {
	return func(yield func(key, value []byte) bool) {
		var key, value []byte
		for _, r := range rows {
			key, value = append(key[:0], r.key...), append(value[:0], r.value...)
			v := value
			if r.value == "-" {
				v = nil
			}
			if !yield(key, v) {
				return
			}
			for _, b := range [][]byte{key, value} {
				for i := range b {
					b[i] = '!'
				}
			}
		}
	}
}

func (x *tierBed) apply(offset int64, rows ...pair) {
	x.Helper()
	must(x.T, x.t.Apply(puts(rows), offset))
}

func (x *tierBed) snapshot() state.Snapshot {
	x.Helper()
	s, err := x.t.Snapshot()
	if err != nil || s == nil {
		x.Fatalf("Snapshot: %v, %v", s, err)
	}
	return s
}

// scan reads at most limit rows; from and to "": open.
func (x *tierBed) scan(s state.Snapshot, from, to string, down bool, limit int) (rows []pair) {
	x.Helper()
	bound := func(b string) []byte {
		if b == "" {
			return nil
		}
		return []byte(b)
	}
	must(x.T, s.Scan(bound(from), bound(to), down, func(key, value []byte) bool {
		rows = append(rows, pair{string(key), string(value)})
		return len(rows) < limit
	}))
	return rows
}

// holds checks what the tier has, by scans both ways and by Get, and the offset it stands for.
func (x *tierBed) holds(offset int64, want ...pair) {
	x.Helper()
	s := x.snapshot()
	same(x.T, "Scan", x.scan(s, "", "", false, len(want)+1), want)
	down := slices.Clone(want)
	slices.Reverse(down)
	same(x.T, "Scan, descending", x.scan(s, "", "", true, len(want)+1), down)
	must(x.T, s.Close())
	for _, w := range want {
		if v, err := x.t.Get([]byte(w.key)); string(v) != w.value || err != nil {
			x.Errorf("Get(%q): %q, %v, want %q", w.key, v, err, w.value)
		}
	}
	if at, err := x.t.Offset(); at != offset || err != nil {
		x.Errorf("Offset: %d, %v, want %d", at, err, offset)
	}
}

func tierChecks() []tierCheck {
	return []tierCheck{
		{"empty", "a new tier has no rows and stands for offset 0", func(x *tierBed) {
			x.holds(0)
			if v, err := x.t.Get([]byte("a")); v != nil || err != nil {
				x.Errorf("Get of an absent key: %q, %v", v, err)
			}
			must(x.T, x.t.DeleteRange([]byte("a"), nil))
		}},
		{"apply", "Apply sets and deletes, and copies what it is given", func(x *tierBed) {
			x.apply(3, pair{"a", "1"}, pair{"b", "2"}, pair{"c", "3"})
			x.holds(3, pair{"a", "1"}, pair{"b", "2"}, pair{"c", "3"})
			x.apply(5, pair{"a", "4"}, pair{"b", "-"}, pair{"d", "-"})
			x.holds(5, pair{"a", "4"}, pair{"c", "3"})
			x.apply(7)
			x.holds(7, pair{"a", "4"}, pair{"c", "3"})
			x.apply(0)
			x.holds(0, pair{"a", "4"}, pair{"c", "3"})
		}},
		{"order", "keys are ordered by their bytes, as unsigned numbers, shorter ones first", orderOfTier},
		{"bounds", "from is inclusive, to is not, nil is open, in both directions", boundsOfTier},
		{"snapshot", "a snapshot does not change, and nothing waits for it to be closed", snapshotsOfTier},
		{"values", "what Get has returned does not change", func(x *tierBed) {
			x.apply(1, pair{"a", "1"})
			v, err := x.t.Get([]byte("a"))
			must(x.T, err)
			x.apply(2, pair{"a", "2"})
			if string(v) != "1" {
				x.Errorf("the value has become %q", v)
			}
		}},
		{"delete range", "DeleteRange deletes from ≤ key < to, and keeps the offset", func(x *tierBed) {
			x.apply(4, pair{"a", "1"}, pair{"b", "2"}, pair{"b\x00", "3"}, pair{"c", "4"}, pair{"d", "5"})
			must(x.T, x.t.DeleteRange([]byte("b"), []byte("c")))
			x.holds(4, pair{"a", "1"}, pair{"c", "4"}, pair{"d", "5"})
			must(x.T, x.t.DeleteRange([]byte("c"), nil))
			x.holds(4, pair{"a", "1"})
		}},
		{"reopening", "what was applied is there when the tier is opened again, with its offset", func(x *tierBed) {
			x.apply(9, pair{"a", "1"}, pair{"b", "2"}, pair{"c", "3"})
			must(x.T, x.t.DeleteRange([]byte("b"), []byte("c")))
			x.apply(10, pair{"d", "4"})
			x.close()
			x.open()
			x.holds(10, pair{"a", "1"}, pair{"c", "3"}, pair{"d", "4"})
		}},
		{"partitions", "stores and partitions have nothing to do with each other", partitionsOfTier},
		{"many", "a long scan gives each row once", manyInTier},
		{"atomicity", "readers see all of an Apply or nothing, while it goes on", atomicityOfTier},
	}
}

func orderOfTier(x *tierBed) {
	ks := []string{"\x00", "\x00\x00", "\x00\xff", "\x01", "a", "a\x00", "a\x00b", "aa", "b", "\x7f", "\x80", "\xff", "\xff\x00", "\xff\xff"}
	slices.Sort(ks)
	var rows []pair
	for i, k := range ks {
		rows = append(rows, pair{k, fmt.Sprint("v", i)})
	}
	x.apply(1, rows...)
	x.holds(1, rows...)
}

func boundsOfTier(x *tierBed) {
	rows := []pair{{"b", "1"}, {"d", "2"}, {"d\x00", "3"}, {"f", "4"}}
	x.apply(1, rows...)
	s := x.snapshot()
	for _, from := range []string{"", "a", "b", "c", "d", "d\x00", "f", "g"} {
		for _, to := range []string{"", "a", "b", "d", "d\x00", "e", "f", "g"} {
			for limit := 1; limit < 5; limit++ {
				var want []pair
				for _, r := range rows {
					if r.key >= from && (to == "" || r.key < to) {
						want = append(want, r)
					}
				}
				up := want[:min(limit, len(want))]
				what := fmt.Sprintf("%d rows of %q to %q", limit, from, to)
				same(x.T, what, x.scan(s, from, to, false, limit), up)
				down := slices.Clone(want)
				slices.Reverse(down)
				same(x.T, what+", descending", x.scan(s, from, to, true, limit), down[:min(limit, len(down))])
			}
		}
	}
	must(x.T, s.Close())
}

func snapshotsOfTier(x *tierBed) {
	x.apply(1, pair{"a", "1"}, pair{"b", "2"})
	first := x.snapshot()
	x.apply(2, pair{"a", "3"}, pair{"b", "-"}, pair{"c", "4"})
	second := x.snapshot()
	must(x.T, x.t.DeleteRange([]byte("a"), []byte("c")))
	for range 2 {
		same(x.T, "the first", x.scan(first, "", "", false, 9), []pair{{"a", "1"}, {"b", "2"}})
		same(x.T, "the second", x.scan(second, "", "", true, 9), []pair{{"c", "4"}, {"a", "3"}})
	}
	must(x.T, first.Close())
	same(x.T, "the second, after the first was closed", x.scan(second, "", "", false, 9), []pair{{"a", "3"}, {"c", "4"}})
	must(x.T, second.Close())
	x.holds(2, pair{"c", "4"})
}

func partitionsOfTier(x *tierBed) {
	x.apply(1, pair{"a", "1"})
	for i, other := range []struct {
		store     string
		partition int32
	}{{"store", 1}, {"store-0", 0}, {"a b/c", 0}} {
		y := &tierBed{T: x.T, b: x.b, dir: x.TempDir()}
		var err error
		if y.t, err = x.b.Open(y.dir, other.store, other.partition); err != nil {
			x.Fatal(err)
		}
		y.holds(0)
		y.apply(int64(i)+5, pair{"b", "2"})
		y.holds(int64(i)+5, pair{"b", "2"})
		y.close()
	}
	x.holds(1, pair{"a", "1"})
}

func manyInTier(x *tierBed) {
	const n = 5000
	var rows []pair
	for i := range n {
		rows = append(rows, pair{fmt.Sprintf("%08d", i), fmt.Sprint("value ", i)})
	}
	x.apply(n, rows...)
	s := x.snapshot()
	same(x.T, "all", x.scan(s, "", "", false, n+1), rows)
	same(x.T, "the last", x.scan(s, "", "", true, 1), rows[n-1:])
	must(x.T, s.Close())
}

// atomicityOfTier has readers look while one writer sets all rows to the same value, again and again.
func atomicityOfTier(x *tierBed) {
	const rows, rounds, readers = 50, 60, 2
	all := func(value string) (ps []pair) {
		for i := range rows {
			ps = append(ps, pair{fmt.Sprintf("%03d", i), value})
		}
		return ps
	}
	x.apply(1, all("0")...)
	done := make(chan struct{})
	var wg sync.WaitGroup
	for range readers {
		wg.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				if err := uniform(x.t, rows); err != nil {
					x.Error(err)
					return
				}
			}
		})
	}
	for i := range rounds {
		if err := x.t.Apply(puts(all(fmt.Sprint(i))), int64(i)); err != nil {
			x.Error(err)
		}
	}
	close(done)
	wg.Wait()
	x.holds(rounds-1, all(fmt.Sprint(rounds-1))...)
}

// uniform reports that the rows of a tier are not n, all of one value, or that Get fails.
func uniform(t state.Tier, n int) error {
	s, err := t.Snapshot()
	if err != nil {
		return err
	}
	defer s.Close()
	var first []byte
	seen, mixed := 0, false
	if err := s.Scan(nil, nil, false, func(_, value []byte) bool {
		if seen++; first == nil {
			first = bytes.Clone(value)
		}
		mixed = mixed || !bytes.Equal(first, value)
		return true
	}); err != nil {
		return err
	}
	if seen != n || mixed {
		return fmt.Errorf("a reader sees %d rows, want %d; of different Applys: %v", seen, n, mixed)
	}
	if v, err := t.Get([]byte("000")); v == nil || err != nil {
		return fmt.Errorf("a reader gets %q, %v", v, err)
	}
	return nil
}
