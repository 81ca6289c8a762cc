package store

import (
	"cmp"
	"fmt"
	"slices"
	"testing"

	"github.com/thalweg/thalweg/serde"
)

// startOfSession is the start of the session that a put of the model means.
func startOfSession(p modelPut) int64 { return p.at - int64(len(p.v)%3) }

// live are the rows that are there, by key, time and start, whether visible or not. sessions: two of one time may differ.
func (m modelPuts) live(sessions bool) (rows []modelPut) {
	type id struct {
		key       string
		at, start int64
	}
	last := map[id]int{}
	for i, p := range m.puts {
		x := id{p.key, p.at, 0}
		if sessions {
			x.start = startOfSession(p)
		}
		last[x] = i
	}
	for _, i := range last {
		if !m.puts[i].null {
			rows = append(rows, m.puts[i])
		}
	}
	slices.SortFunc(rows, func(a, b modelPut) int {
		return cmp.Or(cmp.Compare(a.key, b.key), cmp.Compare(a.at, b.at), cmp.Compare(startOfSession(a), startOfSession(b)))
	})
	return rows
}

// within are the visible rows of a key in from..to.
func (m modelPuts) within(sessions bool, key string, from, to, retention int64) (rows []modelPut) {
	for _, p := range m.live(sessions) {
		if p.key == key && p.at >= max(from, m.observed-retention+1) && p.at <= to {
			rows = append(rows, p)
		}
	}
	return rows
}

// got is a row as a store gives it.
type got struct {
	key       string
	at, start int64
	v         string
}

func gotOf(p modelPut) got { return got{p.key, p.at, startOfSession(p), p.v} }

func compareRows(m *seriesModel, what string, have []got, want []modelPut) {
	m.Helper()
	if !slices.EqualFunc(have, want, func(g got, p modelPut) bool { return g == gotOf(p) }) {
		m.fail("%s: %v, want %v", what, have, want)
	}
}

// accept notes a put that the store has taken, or refused as it may.
func accept(m *seriesModel, p modelPut, was int64, err error) bool {
	m.Helper()
	if err != nil {
		m.fail("put: %v", err)
	}
	if m.dropped > was {
		if p.at > m.now.observed-m.keep {
			m.fail("put %v was refused, observed is %d", p, m.now.observed)
		}
		return false
	}
	m.now = m.now.with(p)
	return true
}

// closing compares what lies in a span that is still to be closed, and moves on what has closed.
func closing(m *seriesModel, sessions bool, ask func(from, to int64) ([]got, error)) {
	m.Helper()
	from := max(m.now.closed, m.now.observed-m.keep+1, 0)
	to := from + int64(m.r.IntN(int(m.keep)))
	have, err := ask(from, to)
	if err != nil {
		m.fail("closing: %v", err)
	}
	var want []modelPut
	for _, p := range m.now.live(sessions) {
		if p.at >= from && p.at <= to {
			want = append(want, p)
		}
	}
	slices.SortFunc(want, func(a, b modelPut) int {
		return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(startOfSession(a), startOfSession(b)), cmp.Compare(a.key, b.key))
	})
	if !sessions {
		slices.SortStableFunc(want, func(a, b modelPut) int { return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(a.key, b.key)) })
	}
	compareRows(m, fmt.Sprintf("closing %d..%d", from, to), have, want)
	if m.r.IntN(4) == 0 {
		m.now.closed = min(to, m.now.observed)
	}
}

func TestSessionsAgainstList(t *testing.T) {
	runSeries(t, func(m *seriesModel, env Env) (seriesUnderTest, error) {
		x, err := OpenSessions(env, "s", Schema{KindSession, "string", "string"}, m.keep, serde.Optional(serde.String))
		x.segment = 7
		x.File(&m.now.closed)
		return seriesUnderTest{Store: x, shrink: func() { shrink(m.r, x.tab) }, check: func() error { return checkTable(x.tab) },
			adopt: func() { x.tab.adopt(true) },
			put: func(m *seriesModel, p modelPut) bool {
				was, k, v := m.dropped, m.h.Key([]byte(p.key)), serde.Opt[string]{Value: p.v, OK: !p.null}
				if p.null && m.r.IntN(2) == 0 {
					return accept(m, p, was, x.Delete(k, startOfSession(p), p.at, p.at))
				}
				return accept(m, p, was, x.Put(k, startOfSession(p), p.at, v, p.at))
			},
			read: func(m *seriesModel, key string) {
				rows := func(es []SessionEntry[serde.Opt[string]]) (gs []got) {
					for _, e := range es {
						gs = append(gs, got{string(e.Key), e.End, e.Start, e.Value.Value})
					}
					return gs
				}
				k, from := m.h.Key([]byte(key)), m.time-int64(m.r.IntN(int(2*m.keep)))
				es, err := x.Append(nil, k, from, m.time)
				if err != nil {
					m.fail("%v", err)
				}
				compareRows(m, "sessions", rows(es), slices.DeleteFunc(m.now.within(true, key, from, 1<<60, m.keep),
					func(p modelPut) bool { return startOfSession(p) > m.time }))
				for _, p := range m.now.within(true, key, from, from+5, m.keep) {
					if v, ok, err := x.Get(k, startOfSession(p), p.at); v.Value != p.v || !ok || err != nil {
						m.fail("get %v: %v %v %v", p, v, ok, err)
					}
				}
				var have []got
				for r, err := range x.Committed(Query{Op: "fetch", Key: []byte(key), FromTime: -9, ToTime: 1 << 60}) {
					if err != nil {
						m.fail("committed: %v", err)
					}
					have = append(have, got{string(r.Key), r.End, r.Start, string(r.Value)})
				}
				compareRows(m, "committed", have, m.committed.within(true, key, 0, 1<<60, m.keep))
				closing(m, true, func(from, to int64) ([]got, error) {
					es, err := x.Closing(nil, from, to)
					return rows(es), err
				})
			},
		}, err
	})
}

func TestScatteredWindowsAgainstList(t *testing.T) {
	runSeries(t, func(m *seriesModel, env Env) (seriesUnderTest, error) {
		x, err := OpenScattered(env, "s", Schema{KindTimestampedWindow, "string", "string"}, 3, m.keep, serde.Optional(serde.String))
		x.segment = 7
		x.File(&m.now.closed)
		return seriesUnderTest{Store: x, shrink: func() { shrink(m.r, x.tab) }, check: func() error { return checkTable(x.tab) },
			adopt: func() { x.tab.adopt(true) },
			put: func(m *seriesModel, p modelPut) bool {
				was, k, v := m.dropped, m.h.Key([]byte(p.key)), serde.Opt[string]{Value: p.v, OK: !p.null}
				if p.null && m.r.IntN(2) == 0 {
					return accept(m, p, was, x.Delete(k, p.at, p.at))
				}
				return accept(m, p, was, x.Put(k, p.at, v, startOfSession(p)))
			},
			read: func(m *seriesModel, key string) {
				rows := func(es []WindowEntry[serde.Opt[string]]) (gs []got) {
					for _, e := range es {
						gs = append(gs, got{string(e.Key), e.Start, e.At, e.Value.Value})
					}
					return gs
				}
				k, from := m.h.Key([]byte(key)), m.time-int64(m.r.IntN(int(2*m.keep)))
				to := from + int64(m.r.IntN(int(2*m.keep)))
				es, err := x.Append(nil, k, from, to)
				if err != nil {
					m.fail("%v", err)
				}
				compareRows(m, "windows", rows(es), m.now.within(false, key, from, to, m.keep))
				for _, p := range m.now.within(false, key, from, from+5, m.keep) {
					if v, at, ok, err := x.Get(k, p.at); v.Value != p.v || at != startOfSession(p) || !ok || err != nil {
						m.fail("get %v: %v %d %v %v", p, v, at, ok, err)
					}
				}
				var have []got
				for r, err := range x.Committed(Query{Op: "fetch", Key: []byte(key), FromTime: from, ToTime: to}) {
					if err != nil || r.End != r.Start+3 {
						m.fail("committed: %v %v", r, err)
					}
					have = append(have, got{string(r.Key), r.Start, r.Time, string(r.Value)})
				}
				compareRows(m, "committed", have, m.committed.within(false, key, from, to, m.keep))
				closing(m, false, func(from, to int64) ([]got, error) {
					es, err := x.Closing(nil, from, to)
					return rows(es), err
				})
			},
		}, err
	})
}
