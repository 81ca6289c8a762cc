package store

import (
	"math"

	"github.com/thalweg/thalweg/serde"
)

// dueOf is the time of a row in the model test: not that of its writing, so that rows are put off and brought forward.
func dueOf(v serde.Opt[string], at int64) int64 { return at + int64(len(v.Value)%7)*40 }

// due takes what is due up to some time. Meanwhile rows are written, before and behind the one at hand.
func (m *kvModel) due() {
	if !m.dated {
		return
	}
	limit := m.time - int64(m.r.IntN(200)) + 100
	if next := m.kv.Next(); next > limit {
		if k, when := m.firstDue(math.MinInt64, "", limit); when != math.MaxInt64 {
			m.fail("nothing is due before %d, but %q at %d", next, k, when)
		}
	}
	cursor, last := int64(math.MinInt64), ""
	err := m.kv.Due(limit, 5, func(k Key, v serde.Opt[string], when int64) error {
		key, want := m.firstDue(cursor, last, limit)
		row := m.now[key]
		if string(k.Bytes) != key || when != want || v.Value != row.v {
			m.fail("due up to %d: %q at %d, want %q at %d", limit, k.Bytes, when, key, want)
		}
		if _, _, ok, err := m.kv.Get(&k); ok || err != nil {
			m.fail("row %q is due and still there: %v", key, err)
		}
		delete(m.now, key)
		cursor, last = when, key
		for range m.r.IntN(3) {
			k := m.key()
			if m.time -= int64(m.r.IntN(100)); m.r.IntN(3) == 0 {
				m.delete(k)
			} else {
				m.put(k)
			}
			m.time += 100
		}
		return nil
	})
	if err != nil {
		m.fail("due: %v", err)
	}
	if key, when := m.firstDue(cursor, last, limit); when != math.MaxInt64 {
		m.fail("due up to %d ended at %d %q, before %q at %d", limit, cursor, last, key, when)
	}
}

// firstDue returns the first row of the model behind a place in the order of times, up to limit.
func (m *kvModel) firstDue(when int64, key string, limit int64) (first string, at int64) {
	at = math.MaxInt64
	for k, row := range m.now {
		d := dueOf(serde.Some(row.v), row.at)
		if d > limit || d < when || d == when && k <= key {
			continue
		}
		if d < at || d == at && k < first {
			first, at = k, d
		}
	}
	return first, at
}

// checkAgenda checks that every row has an entry not after its time.
func (m *kvModel) checkAgenda() {
	a := m.kv.agenda
	if err := checkTable(a.tab); err != nil {
		m.fail("agenda: %v", err)
	}
	if m.r.IntN(8) != 0 {
		return
	}
	entries := map[string]int64{}
	for e, err := range a.tab.entries(nil, nil, false) {
		if err != nil {
			m.fail("agenda: %v", err)
		}
		when := timeOf(e.Key)
		if _, ok := entries[string(e.Key[8:])]; !ok {
			entries[string(e.Key[8:])] = when
		}
		if when < a.next {
			m.fail("agenda: an entry at %d, and none before %d", when, a.next)
		}
	}
	for k, row := range m.now {
		if when, ok := entries[k]; !ok || when > dueOf(serde.Some(row.v), row.at) {
			m.fail("agenda: row %q is due at %d, its entry is %d, %v", k, dueOf(serde.Some(row.v), row.at), when, ok)
		}
	}
}
