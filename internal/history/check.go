package history

import (
	"fmt"
	"maps"
	"slices"
)

// checker is a check under way.
type checker struct {
	h     *History
	at    map[Place]map[int64]string // what is held, by offset
	where map[string]Read            // what is held, by value
	found []Anomaly
}

func (c *checker) add(k Kind, p Place, format string, args ...any) {
	c.found = append(c.found, Anomaly{k, p, fmt.Sprintf(format, args...)})
}

// index looks through what is held: each value once, offsets ascending, and all of it written by somebody to that place.
func (c *checker) index() {
	wrote := make(map[string]*Write, len(c.h.writes))
	for i := range c.h.writes {
		wrote[c.h.writes[i].Value] = &c.h.writes[i]
	}
	for p, all := range c.h.held {
		c.at[p] = make(map[int64]string, len(all))
		last := int64(-1)
		for _, r := range all {
			if r.Offset <= last {
				c.add(NonMonotonic, p, "offset %d is held behind %d", r.Offset, last)
			}
			last = r.Offset
			w := wrote[r.Value]
			if w == nil || w.Place != p {
				c.add(Invented, p, "%q at %d", r.Value, r.Offset)
				continue
			}
			if before, twice := c.where[r.Value]; twice {
				c.add(Duplicate, p, "%q at %d and %d", r.Value, before.Offset, r.Offset)
				continue
			}
			c.where[r.Value], c.at[p][r.Offset] = r, r.Value
		}
	}
}

// fate is what has to become of a write, given the end of its transaction.
func (c *checker) fate(w *Write) Outcome {
	if w.Txn == 0 || w.Outcome == Aborted {
		return w.Outcome
	}
	return c.h.ends[txnKey{w.Producer, w.Txn}]
}

// checkWrites compares acknowledgements with what is held.
func (c *checker) checkWrites() {
	type line struct {
		producer string
		Place
	}
	last := map[line]Write{}
	for i := range c.h.writes {
		w := &c.h.writes[i]
		r, held := c.where[w.Value]
		switch fate := c.fate(w); {
		case fate == Committed && !held:
			c.add(Lost, w.Place, "%q of %s, acknowledged at %d", w.Value, w.Producer, w.Offset)
		case fate == Aborted && held:
			c.add(AbortedRead, w.Place, "%q of %s is held at %d", w.Value, w.Producer, r.Offset)
		}
		if w.Outcome == Committed && held && r.Offset != w.Offset {
			c.add(Inconsistent, w.Place, "%q was acknowledged at %d and is held at %d", w.Value, w.Offset, r.Offset)
		}
		if !held {
			continue
		}
		k := line{w.Producer, w.Place}
		if before, ok := last[k]; ok && r.Offset < c.where[before.Value].Offset {
			c.add(NonMonotonic, w.Place, "%s sent %q after %q, it is held at %d before %d", w.Producer, w.Value, before.Value, r.Offset, c.where[before.Value].Offset)
		}
		last[k] = *w
	}
}

// checkTransactions wants all of a transaction, or nothing.
func (c *checker) checkTransactions() {
	type parts struct {
		held, missing *Write
	}
	txns := map[txnKey]*parts{}
	for i := range c.h.writes {
		w := &c.h.writes[i]
		if w.Txn == 0 || w.Outcome == Aborted {
			continue
		}
		k := txnKey{w.Producer, w.Txn}
		if txns[k] == nil {
			txns[k] = &parts{}
		}
		if _, held := c.where[w.Value]; held {
			txns[k].held = w
		} else if w.Outcome == Committed {
			txns[k].missing = w
		}
	}
	for k, t := range txns {
		if t.held != nil && t.missing != nil {
			c.add(Torn, t.missing.Place, "transaction %d of %s: %q is missing, %q is there", k.txn, k.producer, t.missing.Value, t.held.Value)
		}
	}
}

// checkReaders wants each reader to have got exactly what is held, in its order.
func (c *checker) checkReaders() {
	aborted := map[string]bool{}
	for i := range c.h.writes {
		if w := &c.h.writes[i]; c.fate(w) == Aborted {
			aborted[w.Value] = true
		}
	}
	for k, reads := range c.h.reads {
		c.checkReader(k, reads, aborted)
	}
	// A reader that got nothing at all of a partition has no list.
	readers := map[string]bool{}
	for k := range c.h.reads {
		readers[k.reader] = true
	}
	for _, reader := range slices.Sorted(maps.Keys(readers)) {
		for p, all := range c.h.held {
			if _, ok := c.h.reads[readKey{reader, p}]; !ok && len(all) > 0 {
				c.add(Unseen, p, "%s got none of %d records", reader, len(all))
			}
		}
	}
}

func (c *checker) checkReader(k readKey, reads []Read, aborted map[string]bool) {
	held, n, last := c.h.held[k.Place], 0, int64(-1)
	got := make(map[int64]string, len(reads))
	for _, r := range reads {
		if before, ok := got[r.Offset]; ok && before == r.Value {
			c.add(Duplicate, k.Place, "%s got %q at %d twice", k.reader, r.Value, r.Offset)
			continue
		}
		switch {
		case aborted[r.Value]:
			c.add(AbortedRead, k.Place, "%s got %q at %d", k.reader, r.Value, r.Offset)
		case c.at[k.Place][r.Offset] == "" && c.where[r.Value].Value == "":
			c.add(Invented, k.Place, "%s got %q at %d, which is not held", k.reader, r.Value, r.Offset)
		case c.at[k.Place][r.Offset] != r.Value:
			c.add(Inconsistent, k.Place, "%s got %q at %d, where %q is held", k.reader, r.Value, r.Offset, c.at[k.Place][r.Offset])
		}
		got[r.Offset] = r.Value
		if r.Offset < last {
			c.add(NonMonotonic, k.Place, "%s got %d after %d", k.reader, r.Offset, last)
			continue
		}
		last = r.Offset
		for n < len(held) && held[n].Offset < r.Offset {
			if _, ok := got[held[n].Offset]; !ok {
				c.add(Skipped, k.Place, "%s got %d, not %q at %d before it", k.reader, r.Offset, held[n].Value, held[n].Offset)
			}
			n++
		}
	}
	for ; n < len(held); n++ {
		if held[n].Offset > last {
			c.add(Unseen, k.Place, "%s did not get %q at %d", k.reader, held[n].Value, held[n].Offset)
		}
	}
}
