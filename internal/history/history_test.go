package history

import (
	"fmt"
	"strings"
	"testing"
)

var (
	one = Place{"t", 0}
	two = Place{"t", 1}
)

// good returns a history without anomalies: plain writes, a transaction that was committed, one that was aborted, and one of
// which nobody knows.
func good() *History {
	h := &History{}
	write := func(p Place, txn int, value string, o Outcome, at int64) {
		h.Wrote(Write{Producer: "p", Txn: txn, Place: p, Value: value})(o, at)
	}
	write(one, 0, "a", Committed, 0)
	write(one, 0, "b", Committed, 1)
	write(one, 0, "maybe", Unknown, -1)
	write(one, 1, "c", Committed, 3)
	write(two, 1, "d", Committed, 0)
	h.End("p", 1, Committed)
	write(one, 2, "gone", Committed, 5)
	h.End("p", 2, Aborted)
	write(one, 3, "e", Committed, 7)
	write(two, 3, "f", Committed, 2)
	h.End("p", 3, Unknown)
	h.Held(one, []Read{{0, "a"}, {1, "b"}, {2, "maybe"}, {3, "c"}, {7, "e"}})
	h.Held(two, []Read{{0, "d"}, {2, "f"}})
	for p, all := range h.held {
		for _, r := range all {
			h.Read("r", p, r)
		}
	}
	return h
}

func TestGoodHistoryIsClean(t *testing.T) {
	if found := good().Check(); len(found) > 0 {
		t.Error(found)
	}
	if c := good().Counts(); c != (Counts{Writes: 8, Acknowledged: 7, Transactions: 3, CommittedTxns: 1, AbortedTxns: 1, Reads: 7, Held: 7}) {
		t.Errorf("%+v", c)
	}
}

// TestBadHistoriesAreNamed breaks one promise at a time.
func TestBadHistoriesAreNamed(t *testing.T) {
	r := readKey{"r", one}
	for _, c := range []struct {
		kind Kind
		what string
		mend func(h *History)
	}{
		{Lost, `"a" of p, acknowledged at 0`, func(h *History) { h.held[one] = h.held[one][1:]; h.reads[r] = h.reads[r][1:] }},
		{Lost, `"c" of p`, func(h *History) {
			h.held[one] = append(h.held[one][:3:3], h.held[one][4:]...)
			h.reads[r] = h.held[one]
			h.held[two], h.reads[readKey{"r", two}] = h.held[two][1:], h.held[two][1:]
		}},
		{Duplicate, `"a" at 0 and 9`, func(h *History) { h.held[one] = append(h.held[one], Read{9, "a"}); h.Read("r", one, Read{9, "a"}) }},
		{Duplicate, `r got "b" at 1 twice`, func(h *History) { h.reads[r] = append(h.reads[r][:2:2], h.reads[r][1:]...) }},
		{AbortedRead, `"gone" of p is held at 5`, func(h *History) {
			h.held[one] = append(h.held[one][:4:4], Read{5, "gone"}, Read{7, "e"})
			h.reads[r] = h.held[one]
		}},
		{AbortedRead, `r got "gone" at 5`, func(h *History) { h.reads[r] = append(h.reads[r][:4:4], Read{5, "gone"}, Read{7, "e"}) }},
		{Invented, `"x" at 8`, func(h *History) { h.held[one] = append(h.held[one], Read{8, "x"}); h.Read("r", one, Read{8, "x"}) }},
		{Invented, `"y" at 6, which is not held`, func(h *History) { h.reads[r] = append(h.reads[r][:4:4], Read{6, "y"}, Read{7, "e"}) }},
		{Inconsistent, `"b" was acknowledged at 4 and is held at 1`, func(h *History) { h.writes[1].Offset = 4 }},
		{Inconsistent, `r got "b" at 0, where "a" is held`, func(h *History) { h.reads[r][0].Value = "b" }},
		{NonMonotonic, `p sent "a" after "b"`, func(h *History) { h.writes[0], h.writes[1] = h.writes[1], h.writes[0] }},
		{NonMonotonic, "r got 1 after 2", func(h *History) { h.reads[r][1], h.reads[r][2] = h.reads[r][2], h.reads[r][1] }},
		{NonMonotonic, "offset 0 is held behind 1", func(h *History) { h.held[one][0], h.held[one][1] = h.held[one][1], h.held[one][0] }},
		{Skipped, `r got 2, not "b" at 1`, func(h *History) { h.reads[r] = append(h.reads[r][:1:1], h.reads[r][2:]...) }},
		{Torn, `transaction 3 of p: "f" is missing, "e" is there`, func(h *History) { h.held[two] = h.held[two][:1]; h.reads[readKey{"r", two}] = h.held[two] }},
		{Unseen, `r did not get "e" at 7`, func(h *History) { h.reads[r] = h.reads[r][:4] }},
		{Unseen, "r got none of 2 records", func(h *History) { delete(h.reads, readKey{"r", two}) }},
	} {
		t.Run(fmt.Sprintf("%s/%s", c.kind, c.what), func(t *testing.T) {
			h := good()
			for k := range h.reads {
				h.reads[k] = append([]Read(nil), h.reads[k]...)
			}
			c.mend(h)
			found := h.Check()
			for _, a := range found {
				if a.Kind == c.kind && strings.Contains(a.What, c.what) {
					return
				}
			}
			t.Errorf("found %v", found)
		})
	}
}
