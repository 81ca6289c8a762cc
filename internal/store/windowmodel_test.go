package store

import (
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/thalweg/thalweg/internal/hashed"
	"github.com/thalweg/thalweg/serde"
)

// windowKey is a key of the model.
type windowKey struct {
	start int64
	key   string
}

func (a windowKey) compare(b windowKey) int {
	if a.start != b.start {
		return int(a.start - b.start)
	}
	return strings.Compare(a.key, b.key)
}

// windowState is what the model compares.
type windowState struct {
	rows      map[windowKey]modelRow
	observed  int64
	retention int64
}

func (s windowState) clone() windowState {
	return windowState{maps.Clone(s.rows), s.observed, s.retention}
}

// first is the start of the first window that can be read.
func (s windowState) first() int64 { return less(s.observed, s.retention) + 1 }

// visible returns the keys that can be read, in order.
func (s windowState) visible(from, to int64) (ks []windowKey) {
	for k := range s.rows {
		if k.start >= s.first() && k.start >= from && k.start <= to {
			ks = append(ks, k)
		}
	}
	slices.SortFunc(ks, windowKey.compare)
	return ks
}

const (
	testSize = 30_000
	testUnit = 2_000 // starts are multiples of it
)

// windowModel is a run of a Window beside a Go map.
type windowModel struct {
	*testing.T
	r              *rand.Rand
	disk           disk
	db             *DB
	w              *Window[serde.Opt[string]]
	advances       []int64 // a restart takes one of them; 0: no ring
	rings, asides  int
	keys           int
	log            changelog
	now, committed windowState
	ck             *Checkpoint
	encoded        bool
	time           int64
	head           int64
	dropped        int64
	trail          []string
}

func (m *windowModel) fail(format string, args ...any) {
	m.Helper()
	m.Fatalf("%s\nlast steps: %v", fmt.Sprintf(format, args...), m.trail[max(0, len(m.trail)-60):])
}

func (m *windowModel) open() {
	m.Helper()
	var err error
	if m.db, err = m.disk.open(); err != nil {
		m.fail("open: %v", err)
	}
	m.db.lim = limits{batchRows: 1 + m.r.IntN(300), fileBytes: 2000, segment: firstSlots << (2 * (1 + m.r.IntN(3))), floor: 1 + m.r.IntN(2), scanAfter: 5, spill: 1 + m.r.IntN(50)}
	env := Env{DB: m.db, Hasher: hashed.NewHasher(m.r.Uint64(), m.r.Uint64()), Budget: NewBudget(int64(m.r.IntN(3)) << 16),
		Dropped: func(n int64) { m.dropped += n }}
	m.w, err = OpenWindow(env, "w", Schema{KindTimestampedWindow, "string", "string"}, testSize, m.now.retention, serde.Optional(serde.String))
	if err != nil {
		m.fail("open: %v", err)
	}
	if advance := m.advances[m.r.IntN(len(m.advances))]; advance > 0 {
		m.w.Hop(advance)
	}
	from := m.w.Position().Offset
	if left := int(m.log.end(false).Offset - from); m.r.IntN(3) == 0 && left > 0 { // the restore does not come to its end
		m.replay(from, m.r.IntN(left))
		m.check()
		if err := errors.Join(m.w.Close(), m.db.Close()); err != nil {
			m.fail("close: %v", err)
		}
		m.open()
		return
	}
	m.replay(from, math.MaxInt)
	m.w.Restored(m.log.end(false))
	m.now = m.committed.clone()
	if m.w.observed != m.now.observed {
		m.fail("observed %d, want %d", m.w.observed, m.now.observed)
	}
	m.ck, m.encoded = nil, false
}

// replay replays at most so many records.
func (m *windowModel) replay(from int64, most int) {
	m.Helper()
	err := m.w.Replay(func(yield func(Logged) bool) {
		for r := range m.log.from(from) {
			if most--; most < 0 || !yield(r) {
				return
			}
		}
	})
	if err != nil {
		m.fail("replay: %v", err)
	}
}

func (m *windowModel) key() Key {
	return m.w.env.Hasher.Key(fmt.Appendf(nil, "%0*d", 1+m.r.IntN(m.keys), m.r.IntN(m.keys)))
}

func (m *windowModel) start() int64 {
	if m.r.IntN(8) == 0 {
		m.head += int64(1+m.r.IntN(5)*m.r.IntN(2)) * testUnit
	}
	return max(0, m.head-int64(m.r.IntN(50)*m.r.IntN(2))*testUnit*int64(1+4*m.r.IntN(2)))
}

// refused moves observed and reports whether the model refuses a write.
func (m *windowModel) refused(start int64) bool {
	m.now.observed = max(m.now.observed, start)
	segment := max(m.now.retention/2, segmentMin)
	limit := m.now.observed - m.now.retention
	return limit > 0 && start < limit/segment*segment
}

func (m *windowModel) put() {
	k, start := m.key(), m.start()
	m.time++
	v := serde.Opt[string]{Value: fmt.Sprint(m.time), OK: m.r.IntN(10) != 0}
	before := m.dropped
	var err error
	if !v.OK && m.r.IntN(2) == 0 {
		err = m.w.Delete(k, start, m.time)
	} else {
		err = m.w.Put(k, start, v, m.time)
	}
	if err != nil {
		m.fail("put: %v", err)
	}
	refused := m.refused(start)
	if refused != (m.dropped > before) {
		m.fail("put at %d, observed %d: refused %v, want %v", start, m.now.observed, m.dropped > before, refused)
	}
	if refused {
		return
	}
	if delete(m.now.rows, windowKey{start, string(k.Bytes)}); v.OK {
		m.now.rows[windowKey{start, string(k.Bytes)}] = modelRow{v.Value, m.time}
	}
}

func (m *windowModel) get() {
	k, start := m.key(), m.start()
	v, at, ok, err := m.w.Get(k, start)
	want, there := m.now.rows[windowKey{start, string(k.Bytes)}]
	there = there && start >= m.now.first()
	if err != nil || ok != there || ok && (v.Value != want.v || at != want.at) {
		m.fail("get %q at %d: %v %d %v %v, want %v %v", k.Bytes, start, v, at, ok, err, want, there)
	}
}

func (m *windowModel) fetch() {
	k, from := m.key(), m.start()
	to := from + int64(m.r.IntN(30))*testUnit
	down := m.r.IntN(2) == 0
	var want []windowKey
	for _, x := range m.now.visible(from, to) {
		if x.key == string(k.Bytes) {
			want = append(want, x)
		}
	}
	if down {
		slices.Reverse(want)
	}
	var got []windowKey
	for e, err := range m.w.Fetch(k, from, to, down) {
		x := windowKey{e.Start, string(e.Key)}
		if err != nil || m.now.rows[x] != (modelRow{e.Value.Value, e.At}) {
			m.fail("fetch: %v %v, want %v", e, err, m.now.rows[x])
		}
		got = append(got, x)
	}
	if !slices.Equal(got, want) {
		m.fail("fetch %q %d..%d: %v, want %v", k.Bytes, from, to, got, want)
	}
}

func (m *windowModel) fetchRange() {
	from := m.start()
	to := from + int64(m.r.IntN(30))*testUnit
	was, want := m.now.clone(), m.now.visible(from, to)
	for e, err := range m.w.FetchRange(nil, nil, from, to) {
		x := windowKey{e.Start, string(e.Key)}
		if err != nil || len(want) == 0 || x != want[0] || was.rows[x] != (modelRow{e.Value.Value, e.At}) {
			m.fail("fetchRange: %v %v, want %.3v %v", e, err, want, was.rows[x])
		}
		want = want[1:]
		if m.r.IntN(10) == 0 {
			m.step(8)
		}
	}
	if len(want) > 0 {
		m.fail("fetchRange %d..%d ended before %v", from, to, want[0])
	}
}

func (m *windowModel) queries() {
	was := m.committed.clone()
	want := was.visible(0, m.head)
	for row, err := range m.w.Committed(Query{Op: "fetchall", ToTime: m.head}) {
		x := windowKey{row.Start, string(row.Key)}
		if err != nil || len(want) == 0 || x != want[0] || was.rows[x] != (modelRow{string(row.Value), row.Time}) || row.End != row.Start+testSize {
			m.fail("committed: %v %v, want %.3v %v", row, err, want, was.rows[x])
		}
		want = want[1:]
		if m.r.IntN(10) == 0 {
			m.step(8)
		}
	}
	if len(want) > 0 {
		m.fail("committed ended before %v", want[0])
	}
	k := m.key()
	var got, one []windowKey
	for row, err := range m.w.Committed(Query{Op: "fetch", Key: k.Bytes, ToTime: m.head}) {
		x := windowKey{row.Start, string(row.Key)}
		if err != nil || m.committed.rows[x] != (modelRow{string(row.Value), row.Time}) {
			m.fail("committed: %v %v, want %v", row, err, m.committed.rows[x])
		}
		got = append(got, x)
	}
	for _, x := range m.committed.visible(0, m.head) {
		if x.key == string(k.Bytes) {
			one = append(one, x)
		}
	}
	if !slices.Equal(got, one) {
		m.fail("committed %q: %v, want %v", k.Bytes, got, one)
	}
}

func (m *windowModel) commit() {
	if err := m.w.Flush(&m.log); err != nil {
		m.fail("flush: %v", err)
	}
	logged := map[windowKey]bool{}
	for _, r := range m.log.open {
		n := len(r.Key) - 12
		x := windowKey{int64(binary.BigEndian.Uint64(r.Key[n:])), string(r.Key[:n])}
		if row, there := m.now.rows[x]; there != (r.Value != nil) || there && (row.v != string(r.Value) || row.at != r.Time) {
			m.fail("flush: %v %q at %d, want %v %v", x, r.Value, r.Time, row, there)
		}
		if logged[x] {
			m.fail("flush: %v twice", x)
		}
		logged[x] = true
	}
	for x, row := range m.now.rows { // those that nobody can see are logged, too
		if m.committed.rows[x] != row && !logged[x] {
			m.fail("flush: %v %v is missing, observed %d", x, row, m.now.observed)
		}
	}
	for x := range m.committed.rows {
		if _, there := m.now.rows[x]; !there && x.start >= m.now.first() && !logged[x] {
			m.fail("flush: the deletion of %v is missing", x)
		}
	}
	if m.r.IntN(4) == 0 {
		m.abort()
		return
	}
	m.w.Ended(m.log.end(true))
	m.committed = m.now.clone()
}

func (m *windowModel) abort() {
	m.w.Abort()
	m.log.end(false)
	m.now = m.committed.clone()
}

func (m *windowModel) checkpoint() {
	if m.ck == nil {
		m.ck = m.w.BeginCheckpoint()
		return
	}
	err := errors.New("refused")
	if !m.encoded {
		if m.encoded = m.ck.Encode(1 + m.r.IntN(200)); m.encoded || m.r.IntN(4) != 0 {
			return
		}
		err = errors.New("given up half way")
	} else if m.r.IntN(4) != 0 {
		if err = m.ck.Write(); err != nil {
			m.fail("write: %v", err)
		}
	}
	m.ck.Finish(err)
	m.ck, m.encoded = nil, false
}

func (m *windowModel) step(n int) {
	what := m.r.IntN(n)
	m.trail = append(m.trail, []string{"put", "put", "get", "commit", "checkpoint", "checkpoint", "abort", "fetch", "fetchRange", "queries", "shrink", "crash", "reset"}[what])
	switch what {
	case 0, 1:
		for range 1 + m.r.IntN(20) {
			m.put()
		}
	case 2:
		for range 8 {
			m.get()
		}
	case 3:
		m.commit()
	case 4, 5:
		m.checkpoint()
	case 6:
		if m.r.IntN(2) == 0 {
			m.abort()
		}
	case 7:
		m.fetch()
	case 8:
		m.fetchRange()
	case 9:
		m.queries()
	case 10:
		m.shrink()
	case 11:
		if m.r.IntN(4) == 0 {
			m.crash()
		}
	case 12:
		if m.ck == nil && m.r.IntN(16) == 0 {
			if err := m.w.Reset(); err != nil {
				m.fail("reset: %v", err)
			}
			m.log, m.committed = changelog{}, windowState{map[windowKey]modelRow{}, noTime, m.now.retention}
			m.now = m.committed.clone()
		}
	}
}

// shrink does what all tables do when memory is short.
func (m *windowModel) shrink() {
	for _, start := range m.w.starts {
		shrink(m.r, m.w.tables[start])
	}
	if r := m.w.ring; r != nil {
		for range m.r.IntN(4) {
			shrink(m.r, r.tab)
		}
	}
}

// check checks the invariants of all tables.
func (m *windowModel) check() {
	for _, tab := range m.w.tables {
		if m.w.ring != nil {
			if _, ok := m.w.ring.number(int64(binary.BigEndian.Uint64(tab.suffix))); ok {
				m.asides++
			}
		}
		if err := checkTable(tab); err != nil {
			m.fail("%v", err)
		}
	}
	if m.w.ring != nil {
		m.rings++
		if err := checkRing(m.w.ring); err != nil {
			m.fail("%v", err)
		}
	}
}

func (m *windowModel) crash() {
	clone := m.disk.crashed(m.r)
	if m.ck != nil {
		m.ck.Finish(errors.New("crashed"))
	}
	if err := errors.Join(m.w.Close(), m.db.Close()); err != nil {
		m.fail("close: %v", err)
	}
	m.disk = clone
	m.log.end(false)
	m.open()
}

func (m *windowModel) run() {
	m.open()
	for range 400 {
		m.step(13)
		m.check()
	}
	if m.ck != nil {
		m.ck.Finish(errors.New("end"))
	}
	if err := errors.Join(m.w.Close(), m.db.Close()); err != nil {
		m.Fatal(err)
	}
}

// TestWindowAgainstMap runs all layouts: a table for each start, rings of 8, 16 and 64 cells, and stores whose layout and
// advance change at every restart.
func TestWindowAgainstMap(t *testing.T) {
	for name, advances := range map[string][]int64{"table": {0}, "ring": {2000}, "changing": {0, 2000, 4000}} {
		rings, asides := 0, 0
		below(func(seed uint64, d disk, disk string) {
			t.Run(fmt.Sprintf("%s/%s/seed=%d", name, disk, seed), func(t *testing.T) {
				m := &windowModel{T: t, r: rand.New(rand.NewPCG(seed, 2)), disk: d, advances: advances}
				m.keys = []int{2, 20}[m.r.IntN(2)]
				m.committed = windowState{map[windowKey]modelRow{}, noTime, []int64{15_000, 30_000, 120_000}[m.r.IntN(3)]}
				m.now = m.committed.clone()
				m.run()
				rings, asides = rings+m.rings, asides+m.asides
			})
		})
		if some := name != "table"; (rings > 0) != some || (asides > 0) != some {
			t.Errorf("%s: %d steps had a ring, %d a row beside it", name, rings, asides)
		}
	}
}
