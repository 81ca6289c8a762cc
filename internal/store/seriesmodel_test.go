package store

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/thalweg/thalweg/internal/hashed"
	"github.com/thalweg/thalweg/serde"
)

// put is what the model of a store of cells remembers: every put that was accepted, in order.
type modelPut struct {
	key  string
	at   int64
	v    string
	null bool
}

// modelPuts is the state of the model.
type modelPuts struct {
	puts     []modelPut
	observed int64
	closed   int64 // see spans.File
}

func (m modelPuts) with(p modelPut) modelPuts {
	return modelPuts{append(slices.Clip(m.puts), p), max(m.observed, p.at), m.closed}
}

// seriesUnderTest is one of the kinds, as the test drives it.
type seriesUnderTest struct {
	Store
	shrink func()
	check  func() error
	adopt  func()
	// put puts and compares the answer, and reports whether the put was accepted.
	put func(m *seriesModel, p modelPut) bool
	// read asks for a key, now or as of the last commit, and compares.
	read func(m *seriesModel, k string)
}

// seriesModel is a run of a store of cells beside a list.
type seriesModel struct {
	*testing.T
	r              *rand.Rand
	disk           disk
	db             *DB
	keep           int64
	open           func(m *seriesModel, env Env) (seriesUnderTest, error)
	s              seriesUnderTest
	h              hashed.Hasher
	log            changelog
	now, committed modelPuts
	ck             *Checkpoint
	encoded        bool
	time           int64
	keys           []string
	dropped        int64
	trail          []string
}

func (m *seriesModel) fail(format string, args ...any) {
	m.Helper()
	if n := len(m.trail); n > 60 {
		m.trail = m.trail[n-60:]
	}
	m.Fatalf("%s\nlast steps: %v", fmt.Sprintf(format, args...), m.trail)
}

func (m *seriesModel) start() {
	m.Helper()
	var err error
	if m.db, err = m.disk.open(); err != nil {
		m.fail("open: %v", err)
	}
	m.db.lim = limits{batchRows: 1 + m.r.IntN(100), fileBytes: 2000, segment: firstSlots << (2 * (1 + m.r.IntN(3))), floor: 1 + m.r.IntN(2), scanAfter: 5, spill: 1 + m.r.IntN(50)}
	m.h = hashed.NewHasher(m.r.Uint64(), m.r.Uint64())
	env := Env{DB: m.db, Partition: 3, Hasher: m.h, Budget: NewBudget(int64(m.r.IntN(3)) << 15), Dropped: func(n int64) { m.dropped += n }}
	if m.s, err = m.open(m, env); err != nil {
		m.fail("open: %v", err)
	}
	if err := m.s.Replay(m.log.from(m.s.Position().Offset)); err != nil {
		m.fail("replay: %v", err)
	}
	m.s.Restored(m.log.end(false))
	m.now, m.ck, m.encoded = m.committed, nil, false
}

func (m *seriesModel) end(commit bool) {
	p := m.log.end(commit)
	if commit {
		m.s.Ended(p)
		m.committed = m.now
		return
	}
	m.s.Abort()
	m.now = m.committed
}

func (m *seriesModel) checkpoint() {
	switch {
	case m.ck == nil:
		m.ck = m.s.BeginCheckpoint()
	case !m.encoded:
		m.encoded = m.ck.Encode(1 + m.r.IntN(40))
	default:
		err := errors.New("refused")
		if m.r.IntN(4) != 0 {
			if err = m.ck.Write(); err != nil {
				m.fail("write: %v", err)
			}
		}
		m.ck.Finish(err)
		m.ck, m.encoded = nil, false
	}
}

func (m *seriesModel) step() {
	what := m.r.IntN(13)
	m.trail = append(m.trail, []string{"put", "put", "put", "put", "read", "read", "commit", "commit", "abort", "checkpoint", "checkpoint", "shrink", "restart"}[what])
	switch what {
	case 0, 1, 2, 3:
		m.time += int64(m.r.IntN(20))
		p := modelPut{m.keys[m.r.IntN(len(m.keys))], max(0, m.time-int64(m.r.IntN(2)*m.r.IntN(int(2*m.keep)))), fmt.Sprint(len(m.now.puts)), m.r.IntN(6) == 0}
		was := m.dropped
		if accepted := m.s.put(m, p); accepted != (m.dropped == was) {
			m.fail("put %v: accepted %v, %d dropped", p, accepted, m.dropped-was)
		}
	case 4, 5:
		for range 4 {
			m.s.read(m, m.keys[m.r.IntN(len(m.keys))])
		}
	case 6, 7:
		if err := m.s.Flush(&m.log); err != nil {
			m.fail("flush: %v", err)
		}
		m.end(m.r.IntN(5) != 0)
	case 8:
		m.end(false)
	case 9, 10:
		m.checkpoint()
	case 11:
		m.s.shrink()
	case 12:
		if m.r.IntN(4) == 0 {
			m.restart()
		}
	}
}

// restart crashes, loses what was not synced, or a part of it, and opens again.
func (m *seriesModel) restart() {
	clone := m.disk.crashed(m.r)
	m.s.adopt()
	if m.ck != nil {
		m.ck.Finish(errors.New("crashed"))
	}
	if err := errors.Join(m.s.Close(), m.db.Close()); err != nil {
		m.fail("close: %v", err)
	}
	m.disk = clone
	m.log.end(false)
	m.start()
}

func runSeries(t *testing.T, open func(m *seriesModel, env Env) (seriesUnderTest, error)) {
	below(func(seed uint64, d disk, name string) {
		t.Run(fmt.Sprintf("%s/seed=%d", name, seed), func(t *testing.T) {
			m := &seriesModel{T: t, r: rand.New(rand.NewPCG(seed, 2)), disk: d, open: open,
				now: modelPuts{observed: noTime}, committed: modelPuts{observed: noTime}}
			m.keep = 1 + int64(m.r.IntN(500))
			for i := range 2 + m.r.IntN(150) {
				m.keys = append(m.keys, fmt.Sprintf("%0*d", 1+m.r.IntN(30), i))
			}
			m.start()
			for range 1500 {
				m.step()
				if err := m.s.check(); err != nil {
					m.fail("%v", err)
				}
			}
			for _, k := range m.keys {
				m.s.read(m, k)
			}
			if m.ck != nil {
				m.ck.Finish(errors.New("end"))
			}
			if err := errors.Join(m.s.Close(), m.db.Close()); err != nil {
				t.Fatal(err)
			}
		})
	})
}

// versions are those of a key, oldest first, the last put of each time.
func (p modelPuts) versions(k string) (vs []modelPut) {
	for _, x := range p.puts {
		if x.key == k {
			// A tombstone is the end of the value before it: without one it is forgotten, if it takes the newest's place.
			if n := len(vs); x.null && n > 0 && vs[n-1].at == x.at && !vs[n-1].null && (n == 1 || vs[n-2].null) {
				vs = vs[:n-1]
				continue
			}
			vs = slices.DeleteFunc(vs, func(o modelPut) bool { return o.at == x.at })
			vs = append(vs, x)
			slices.SortStableFunc(vs, func(a, b modelPut) int { return int(a.at - b.at) })
		}
	}
	return vs
}

// asOf is the naive answer of a versioned store.
func (p modelPuts) asOf(k string, t, history int64) (v Version[string], ok bool) {
	vs := p.versions(k)
	for i, x := range vs {
		until := int64(math.MaxInt64)
		if i+1 < len(vs) {
			until = vs[i+1].at
		}
		if x.at <= t && t < until && !x.null && (until == math.MaxInt64 || t >= p.observed-history) {
			return Version[string]{x.v, x.at, until}, true
		}
	}
	return v, false
}

func TestVersionedAgainstList(t *testing.T) {
	runSeries(t, func(m *seriesModel, env Env) (seriesUnderTest, error) {
		x, err := OpenVersioned(env, "s", Schema{KindVersioned, "string", "string"}, m.keep, serde.Optional(serde.String))
		return seriesUnderTest{Store: x, shrink: func() { shrink(m.r, x.tab) }, check: func() error { return checkTable(x.tab) },
			adopt: func() { x.tab.adopt(true) },
			put: func(m *seriesModel, p modelPut) bool {
				until, accepted, err := x.Put(m.h.Key([]byte(p.key)), serde.Opt[string]{Value: p.v, OK: !p.null}, p.at)
				want := m.now.observed == noTime || p.at >= m.now.observed-m.keep
				if err != nil || accepted != want {
					m.fail("put %v: %v %v, want %v", p, accepted, err, want)
				}
				if !accepted {
					return false
				}
				next := int64(math.MaxInt64)
				for _, o := range m.now.versions(p.key) {
					if o.at > p.at {
						next = min(next, o.at)
					}
				}
				if until != next {
					m.fail("put %v: until %d, want %d", p, until, next)
				}
				m.now = m.now.with(p)
				return true
			},
			read: func(m *seriesModel, k string) {
				key := m.h.Key([]byte(k))
				at := max(0, m.time-int64(m.r.IntN(int(3*m.keep))))
				want, there := m.now.asOf(k, at, m.keep)
				v, ok, err := x.AsOf(key, at)
				if err != nil || ok != there || ok && (v.V.Value != want.V || v.From != want.From || v.Until != want.Until) {
					m.fail("%q as of %d: %v %v %v, want %v %v", k, at, v, ok, err, want, there)
				}
				want, there = m.now.asOf(k, math.MaxInt64-1, m.keep)
				got, from, ok, err := x.Get(key)
				if err != nil || ok != there || ok && (got.Value != want.V || from != want.From) {
					m.fail("get %q: %v %d %v %v, want %v %v", k, got, from, ok, err, want, there)
				}
				want, there = m.committed.asOf(k, at, m.keep)
				n := 0
				for r, err := range x.Committed(Query{Op: "asof", Key: []byte(k), FromTime: at}) {
					if n++; err != nil || !there || string(r.Value) != want.V || r.Start != want.From || r.End != want.Until {
						m.fail("committed %q as of %d: %q %d %v, want %v", k, at, r.Value, r.Start, err, want)
					}
				}
				if there != (n == 1) {
					m.fail("committed %q as of %d: %d rows, want %v", k, at, n, want)
				}
			},
		}, err
	})
}

// values are those of a key in from..to, by time, then as they came.
func (p modelPuts) values(k string, from, to, retention int64) (vs []modelPut) {
	for _, x := range p.puts {
		if x.key == k && x.at >= from && x.at <= to && x.at >= p.observed-retention+1 {
			vs = append(vs, x)
		}
	}
	slices.SortStableFunc(vs, func(a, b modelPut) int { return int(a.at - b.at) })
	return vs
}

func TestJoinAgainstList(t *testing.T) {
	same := func(c Cell[string], p modelPut) bool { return c.At == p.at && c.V == p.v }
	runSeries(t, func(m *seriesModel, env Env) (seriesUnderTest, error) {
		x, err := OpenJoin(env, "s", Schema{KindJoin, "string", "string"}, m.keep, serde.String)
		x.segment = 7
		return seriesUnderTest{Store: x, shrink: func() { shrink(m.r, x.tab) }, check: func() error { return checkTable(x.tab) },
			adopt: func() { x.tab.adopt(true) },
			put: func(m *seriesModel, p modelPut) bool {
				was := m.dropped
				if err := x.Put(m.h.Key([]byte(p.key)), p.v, p.at); err != nil {
					m.fail("put: %v", err)
				}
				if refused := m.dropped > was; refused {
					if p.at > m.now.observed-m.keep {
						m.fail("put %v was refused, observed is %d", p, m.now.observed)
					}
					return false
				}
				m.now = m.now.with(p)
				return true
			},
			read: func(m *seriesModel, k string) {
				from := m.time - int64(m.r.IntN(int(2*m.keep)))
				to := from + int64(m.r.IntN(int(2*m.keep)))
				want := m.now.values(k, from, to, m.keep)
				got, err := x.Fetch(m.h.Key([]byte(k)), from, to)
				if err != nil || !slices.EqualFunc(got, want, same) {
					m.fail("%q in %d..%d: %v %v, want %v", k, from, to, got, err, want)
				}
				want = m.committed.values(k, from, to, m.keep)
				got = nil
				for r, err := range x.Committed(Query{Op: "fetchall", FromTime: from, ToTime: to}) {
					if err != nil {
						m.fail("committed: %v", err)
					}
					if string(r.Key) == k {
						got = append(got, Cell[string]{At: r.Start, V: string(r.Value)})
					}
				}
				if !slices.EqualFunc(got, want, same) {
					m.fail("committed %q in %d..%d: %v, want %v", k, from, to, got, want)
				}
			},
		}, err
	})
}

// Keys that do not come again are forgotten, in memory and below.
func TestIdleKeysOfAJoinAreForgotten(t *testing.T) {
	db := testDB(t, vfs.NewMem())
	x, err := OpenJoin(Env{DB: db, Hasher: hashed.NewHasher(1, 2)}, "s", Schema{KindJoin, "string", "int64"}, 10, serde.Int64)
	if err != nil {
		t.Fatal(err)
	}
	var log changelog
	commit := func() {
		if err := x.Flush(&log); err != nil {
			t.Fatal(err)
		}
		x.Ended(log.end(true))
	}
	put := func(i, at int64) {
		if err := x.Put(x.env.Hasher.Key(fmt.Appendf(nil, "key-%09d", i)), i, at); err != nil {
			t.Fatal(err)
		}
	}
	for i := range int64(5000) {
		put(i, i/1000)
	}
	commit()
	checkpointed(t, x)
	x.tab.segments(func(s *segment[cells[int64]]) bool {
		for range 4 {
			x.tab.evict(s)
		}
		return true
	})
	if x.tab.rows > 4000 || x.tab.rows < 100 {
		t.Fatalf("%d rows are left in memory: the test needs some here and some below", x.tab.rows)
	}
	for i := range int64(100) {
		put(1<<20, 1000+i)
		commit()
		checkpointed(t, x)
	}
	if x.tab.rows != 1 {
		t.Errorf("%d rows in memory, want 1", x.tab.rows)
	}
	n := 0
	it, err := db.iter(x.tab.prefix)
	if err != nil {
		t.Fatal(err)
	}
	for ok := it.First(); ok; ok = it.Next() {
		n++
	}
	if err := it.Close(); err != nil || n != 1 {
		t.Errorf("%d rows below, want 1; %v", n, err)
	}
	closed(t, x, db)
}
