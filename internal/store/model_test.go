package store

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"iter"
	"log/slog"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/thalweg/thalweg/internal/hashed"
	"github.com/thalweg/thalweg/serde"
)

var (
	cases = flag.Int("cases", 30, "random runs of each model test")
	first = flag.Uint64("seed", 0, "seed of the first random run; 0: a new one")
)

var quietLog = slog.New(slog.NewTextHandler(io.Discard, nil))

// changelog is what a broker would hold of one store: committed records, and those of the open transaction.
type changelog struct {
	records []Logged
	open    []Logged
}

func (c *changelog) Append(at int64, key, value []byte) error {
	c.open = append(c.open, Logged{Key: slices.Clone(key), Value: slices.Clone(value), Time: at})
	if value != nil && len(value) == 0 {
		c.open[len(c.open)-1].Value = []byte{}
	}
	return nil
}

func (c *changelog) end(commit bool) Position {
	if commit {
		c.records = append(c.records, c.open...)
	}
	c.open = nil
	return Position{Offset: int64(len(c.records)), TopicID: [16]byte{7}, At: int64(len(c.records))}
}

func (c *changelog) from(offset int64) iter.Seq[Logged] {
	return func(yield func(Logged) bool) {
		for i, r := range c.records[offset:] {
			r.Next = offset + int64(i) + 1
			if !yield(r) {
				return
			}
		}
	}
}

// modelRow is a row of the model.
type modelRow struct {
	v  string
	at int64
}

// kvModel is a run of a KV beside a Go map.
type kvModel struct {
	*testing.T
	r         *rand.Rand
	disk      disk
	db        *DB
	budget    *Budget
	kv        *KV[serde.Opt[string]]
	log       changelog
	now       map[string]modelRow
	committed map[string]modelRow
	ck        *Checkpoint
	encoded   bool
	time      int64
	keys      []string
	trail     []string
	dated     bool // it keeps an agenda
}

func (m *kvModel) open() {
	m.Helper()
	var err error
	if m.db, err = m.disk.open(); err != nil {
		m.fail("open: %v", err)
	}
	m.db.lim = limits{batchRows: 1 + m.r.IntN(300), fileBytes: 2000, segment: firstSlots << (2 * (1 + m.r.IntN(3))), floor: 1 + m.r.IntN(2), scanAfter: 5, spill: 1 + m.r.IntN(50)}
	m.budget = NewBudget(int64(m.r.IntN(3)) << 17)
	env := Env{DB: m.db, Partition: 3, Hasher: hashed.NewHasher(m.r.Uint64(), m.r.Uint64()), Budget: m.budget}
	m.kv, err = OpenKV(env, "s", Schema{KindTimestampedKV, "string", "string"}, serde.Optional(serde.String))
	if err != nil {
		m.fail("open: %v", err)
	}
	if m.dated = m.r.IntN(4) != 0; m.dated {
		if err := m.kv.Schedule(dueOf); err != nil {
			m.fail("schedule: %v", err)
		}
	}
	p := m.kv.Position()
	if p.Offset > int64(len(m.log.records)) {
		m.fail("position %d, the changelog ends at %d", p.Offset, len(m.log.records))
	}
	if err := m.kv.Replay(m.log.from(p.Offset)); err != nil {
		m.fail("replay: %v", err)
	}
	m.kv.Restored(m.log.end(false))
	m.now = maps.Clone(m.committed)
	m.ck, m.encoded = nil, false
}

func (m *kvModel) fail(format string, args ...any) {
	m.Helper()
	if n := len(m.trail); n > 60 {
		m.trail = m.trail[n-60:]
	}
	m.Fatalf("%s\nlast steps: %v", fmt.Sprintf(format, args...), m.trail)
}

// key is one of few half of the time, so that rows are changed, deleted and put again between two crashes.
func (m *kvModel) key() string {
	if m.r.IntN(2) == 0 {
		return m.keys[m.r.IntN(10)]
	}
	return m.keys[m.r.IntN(len(m.keys))]
}

func (m *kvModel) hash(k string) Key { return m.kv.env.Hasher.Key([]byte(k)) }

func (m *kvModel) put(k string) {
	m.time++
	v := serde.Some(fmt.Sprintf("%d-%s", m.time, string(make([]byte, m.r.IntN(20)))))
	if m.r.IntN(20) == 0 {
		v = serde.Opt[string]{}
	}
	if err := m.kv.Put(new(m.hash(k)), v, m.time); err != nil {
		m.fail("put: %v", err)
	}
	if delete(m.now, k); v.OK {
		m.now[k] = modelRow{v.Value, m.time}
	}
}

func (m *kvModel) delete(k string) {
	m.time++
	if err := m.kv.Delete(new(m.hash(k)), m.time); err != nil {
		m.fail("delete: %v", err)
	}
	delete(m.now, k)
}

func (m *kvModel) get(k string) {
	m.Helper()
	v, at, ok, err := m.kv.Get(new(m.hash(k)))
	want, there := m.now[k]
	if err != nil || ok != there || ok && (v.Value != want.v || at != want.at) {
		m.fail("get %q: %v %d %v %v, want %v %v", k, v, at, ok, err, want, there)
	}
}

func (m *kvModel) commit() {
	if err := m.kv.Flush(&m.log); err != nil {
		m.fail("flush: %v", err)
	}
	for _, r := range m.log.open {
		if row, there := m.now[string(r.Key)]; there != (r.Value != nil) || there && (row.v != string(r.Value) || row.at != r.Time) {
			m.fail("flush: %q %q at %d, want %v %v", r.Key, r.Value, r.Time, row, there)
		}
	}
	if m.r.IntN(4) == 0 {
		m.abort()
		return
	}
	m.kv.Ended(m.log.end(true))
	m.committed = maps.Clone(m.now)
}

func (m *kvModel) abort() {
	m.kv.Abort()
	m.log.end(false)
	m.now = maps.Clone(m.committed)
}

func (m *kvModel) checkpoint() {
	if m.ck == nil {
		m.ck = m.kv.BeginCheckpoint()
		return
	}
	if !m.encoded {
		m.encoded = m.ck.Encode(1 + m.r.IntN(200))
		return
	}
	err := errors.New("refused")
	if m.r.IntN(4) != 0 {
		if err = m.ck.Write(); err != nil {
			m.fail("write: %v", err)
		}
	}
	m.ck.Finish(err)
	m.ck, m.encoded = nil, false
}

// rows checks an ordered read, during which rows change.
func (m *kvModel) rows() {
	from, to := m.key(), m.key()
	if from > to {
		from, to = to, from
	}
	down := m.r.IntN(2) == 0
	var want []string
	for k := range m.now {
		if k >= from && k <= to {
			want = append(want, k)
		}
	}
	slices.Sort(want)
	if down {
		slices.Reverse(want)
	}
	was := maps.Clone(m.now)
	for e, err := range m.kv.Range([]byte(from), []byte(to), down) {
		if err != nil {
			m.fail("range: %v", err)
		}
		if len(want) == 0 || string(e.Key) != want[0] || was[want[0]] != (modelRow{e.Value.Value, e.At}) {
			m.fail("range %q..%q: %q %v %d, want %.3q %v", from, to, e.Key, e.Value, e.At, want, was[string(e.Key)])
		}
		want = want[1:]
		if m.r.IntN(4) == 0 {
			m.step(4)
		}
		if m.r.IntN(200) == 0 {
			return
		}
	}
	if len(want) > 0 {
		m.fail("range %q..%q ended before %q", from, to, want[0])
	}
}

// queries checks committed rows, while the task goes on.
func (m *kvModel) queries() {
	k := m.key()
	n := 0
	for row, err := range m.kv.Committed(Query{Op: "get", Key: []byte(k)}) {
		if want, ok := m.committed[k]; err != nil || !ok || string(row.Value) != want.v || row.Time != want.at {
			m.fail("committed %q: %q %v, want %v %v", k, row.Value, err, want, ok)
		}
		n++
	}
	if _, ok := m.committed[k]; ok != (n == 1) {
		m.fail("committed %q: %d rows, want %v", k, n, ok)
	}
	was := maps.Clone(m.committed)
	want := slices.Sorted(maps.Keys(was))
	for row, err := range m.kv.Committed(Query{Op: "all"}) {
		if err != nil {
			m.fail("committed: %v", err)
		}
		if len(want) == 0 || string(row.Key) != want[0] || was[want[0]] != (modelRow{string(row.Value), row.Time}) {
			m.fail("committed: %q %q %d, want %.3q %v", row.Key, row.Value, row.Time, want, was[string(row.Key)])
		}
		want = want[1:]
		if m.r.IntN(8) == 0 {
			m.step(9)
		}
	}
	if len(want) > 0 {
		m.fail("committed rows ended before %q", want[0])
	}
}

// shrink does what a table does when memory is short: it evicts clean rows and joins segments.
func shrink[V any](r *rand.Rand, t *table[V]) {
	t.segments(func(s *segment[V]) bool { t.evict(s); return r.IntN(2) == 0 })
	for range r.IntN(4) {
		t.join(t.dir[r.IntN(len(t.dir))].seg)
	}
}

// step does one thing at random out of the first n.
func (m *kvModel) step(n int) {
	what := m.r.IntN(n)
	m.trail = append(m.trail, []string{"put", "put", "delete", "get", "commit", "checkpoint", "checkpoint", "abort", "shrink", "rows", "queries", "crash", "close", "reset", "due"}[what])
	switch what {
	case 0, 1:
		for range 1 + m.r.IntN(8) {
			m.put(m.key())
		}
	case 2:
		m.delete(m.key())
	case 3:
		for range 8 {
			m.get(m.key())
		}
	case 4:
		m.commit()
	case 5, 6:
		m.checkpoint()
	case 7:
		m.abort()
	case 8:
		shrink(m.r, m.kv.tab)
		if m.dated {
			shrink(m.r, m.kv.agenda.tab)
		}
	case 9:
		m.rows()
	case 10:
		m.queries()
	case 11:
		if m.r.IntN(4) == 0 {
			m.crash()
		}
	case 12:
		if m.ck == nil && m.r.IntN(4) == 0 {
			m.reopen()
		}
	case 14:
		m.due()
	case 13:
		if m.ck == nil && m.r.IntN(8) == 0 {
			if err := m.kv.Reset(); err != nil {
				m.fail("reset: %v", err)
			}
			m.log, m.committed, m.now = changelog{}, map[string]modelRow{}, map[string]modelRow{}
		}
	}
}

// crash loses what was not synced, or a part of it.
func (m *kvModel) crash() {
	clone := m.disk.crashed(m.r)
	m.kv.tab.adopt(true)
	if m.dated {
		m.kv.agenda.tab.adopt(true)
	}
	if m.ck != nil {
		m.ck.Finish(errors.New("crashed"))
	}
	if err := errors.Join(m.kv.Close(), m.db.Close()); err != nil {
		m.fail("close: %v", err)
	}
	m.disk = clone
	m.log.end(false)
	m.open()
}

func (m *kvModel) reopen() {
	if err := errors.Join(m.kv.Close(), m.db.Close()); err != nil {
		m.fail("close: %v", err)
	}
	if used := m.budget.Used(); used != 0 {
		m.fail("after close %d bytes of the budget are used", used)
	}
	m.log.end(false)
	m.open()
}

func TestKVAgainstMap(t *testing.T) {
	below(func(seed uint64, d disk, name string) {
		t.Run(fmt.Sprintf("%s/seed=%d", name, seed), func(t *testing.T) {
			m := &kvModel{T: t, r: rand.New(rand.NewPCG(seed, 1)), disk: d,
				now: map[string]modelRow{}, committed: map[string]modelRow{}}
			for range 20 + m.r.IntN(3000) {
				m.keys = append(m.keys, fmt.Sprintf("%0*d", m.r.IntN(30), m.r.IntN(100_000)))
			}
			m.keys = append(m.keys, "", string(make([]byte, 2000)))
			m.open()
			for range 400 {
				m.step(15)
				if err := checkTable(m.kv.tab); err != nil {
					m.fail("%v", err)
				}
				if m.dated {
					m.checkAgenda()
				}
			}
			for k := range m.now {
				m.get(k)
			}
			if m.ck != nil {
				m.ck.Finish(errors.New("end"))
			}
			if err := errors.Join(m.kv.Close(), m.db.Close()); err != nil {
				t.Fatal(err)
			}
		})
	})
}
