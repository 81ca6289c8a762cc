package log

import (
	"cmp"
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/thalweg/thalweg/internal/batch"
)

var (
	crashCases = flag.Int("cases", 60, "cases of TestCrashModel")
	crashSeed  = flag.Uint64("seed", 0, "replay this case of TestCrashModel alone")
)

// TestCrashModel runs random operations on several partitions, cuts the power at random, reopens what a disk could
// hold, and compares with a model: nothing durable is missing, nothing is there that was not written, what is there is
// a prefix of what was written over all partitions together, and a second crash during recovery changes nothing.
func TestCrashModel(t *testing.T) {
	if *crashSeed != 0 {
		runCrashCase(t, *crashSeed)
		return
	}
	for range *crashCases {
		if runCrashCase(t, rand.Uint64()|1); t.Failed() {
			return
		}
	}
}

func runCrashCase(t *testing.T, seed uint64) {
	t.Helper()
	m := &crashModel{t: t, seed: seed, rng: rand.New(rand.NewPCG(seed, 2)), clock: newHandClock(), fs: vfs.NewCrashableMem()}
	defer func() {
		if m.d != nil {
			_ = m.d.Close()
		}
	}()
	m.open()
	if t.Failed() {
		return
	}
	for i := range 3 {
		s := Settings{SegmentBytes: int64(600 + m.rng.IntN(3000)), IndexIntervalBytes: int32(1 + m.rng.IntN(1000)), Compact: i == 2, RetentionMs: -1}
		p, err := m.d.Create(ID{topicOne, int32(i)}, "one", s)
		if err != nil {
			t.Fatal(err)
		}
		m.logs = append(m.logs, &modelLog{p: p, id: p.ID(), compacted: s.Compact})
	}
	for range 1 + m.rng.IntN(4) {
		for range m.rng.IntN(120) {
			m.step()
		}
		m.crash()
		if t.Failed() {
			return
		}
	}
}

// crashModel is the directory under test, and what ought to be in it.
type crashModel struct {
	t       *testing.T
	seed    uint64
	rng     *rand.Rand
	clock   *handClock
	fs      *vfs.MemFS
	d       *Dir
	logs    []*modelLog
	durable uint64 // lsn that was waited for
}

// modelLog is one partition's history.
type modelLog struct {
	p         *Partition
	id        ID
	compacted bool
	ops       []modelOp
	lost      []modelOp // in the last crash
	next      [4]int32  // sequence by producer
	open      [4]int64  // first offset of the open transaction plus one, by producer
}

// modelOp is one frame as it should be: an append, a marker or a new start.
type modelOp struct {
	lsn   uint64
	end   int64 // of the log after it
	start int64 // of the log after it
	rows  []row
	txn   int64  // 1+producer of transactional data, else 0
	mark  int64  // 1+producer of a marker, else 0
	abort bool   // the marker aborts
	state string // producers after it
}

func (m *crashModel) fatalf(format string, args ...any) {
	m.t.Helper()
	m.t.Fatalf("replay with -seed %d: %s", m.seed, fmt.Sprintf(format, args...))
}

func (m *crashModel) open() {
	m.t.Helper()
	cfg := Config{Clock: m.clock, WALBytes: 16 << 10}
	d, err := Open(m.fs, "data", cfg)
	if err != nil {
		m.fatalf("open: %v", err)
	}
	m.d = d
	for _, l := range m.logs {
		if l.p = d.Get(l.id); l.p == nil || l.p.Err() != nil {
			m.fatalf("partition %v: %+v", l.id, l.p.Err())
		}
	}
}

// digest describes the producers of a partition.
func digest(p *Partition) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	var all []producer
	for _, s := range p.ps.byID {
		c := *s
		clear(c.batches[c.n:])
		all = append(all, c)
	}
	slices.SortFunc(all, func(a, b producer) int { return cmp.Compare(a.id, b.id) })
	return fmt.Sprint(all, p.ps.low)
}

// note adds what an operation did to l's history.
func (m *crashModel) note(l *modelLog, op modelOp) {
	l.p.mu.Lock()
	op.lsn, op.end, op.start = l.p.lastLSN, l.p.end, l.p.start
	l.p.mu.Unlock()
	op.state = digest(l.p)
	l.ops = append(l.ops, op)
}

func (m *crashModel) step() {
	l := m.logs[m.rng.IntN(len(m.logs))]
	m.clock.add(time.Duration(m.rng.IntN(50)) * time.Millisecond)
	switch n := m.rng.IntN(100); {
	case n < 55:
		m.appendData(l)
	case n < 70:
		m.endTxn(l)
	case n < 80:
		m.wait()
	case n < 86:
		m.deleteRecords(l)
	case n < 90:
		l.p.mu.Lock()
		l.p.roll(nil, true)
		l.p.mu.Unlock()
	case n < 94:
		if err := l.p.flush(); err != nil {
			m.fatalf("flush: %v", err)
		}
	case n < 98:
		if err := l.p.Clean(true); err != nil {
			m.fatalf("clean: %v", err)
		}
	default:
		if err := m.d.Close(); err != nil {
			m.fatalf("close: %v", err)
		}
		for _, l := range m.logs {
			m.noteDurable(l)
		}
		m.open()
		m.rebase()
	}
}

// rebase forgets the lsns of a history that is durable as a whole: they begin anew.
func (m *crashModel) rebase() {
	m.durable = 0
	for _, l := range m.logs {
		for i := range l.ops {
			l.ops[i].lsn = 0
		}
	}
}

func (m *crashModel) noteDurable(l *modelLog) {
	if n := len(l.ops); n > 0 {
		m.durable = max(m.durable, l.ops[n-1].lsn)
	}
}

func (m *crashModel) appendData(l *modelLog) {
	who := m.rng.IntN(len(l.next))
	seal := batch.Seal{ProducerID: -1, ProducerEpoch: -1, BaseSequence: -1}
	op := modelOp{}
	if who > 0 {
		seal = batch.Seal{ProducerID: int64(who), BaseSequence: l.next[who], Transactional: l.open[who] > 0 || m.rng.IntN(2) == 0}
	}
	if seal.Transactional {
		op.txn = 1 + int64(who)
	}
	var kv []string
	for range 1 + m.rng.IntN(4) {
		value := fmt.Sprint("value ", m.rng.IntN(1000))
		if m.rng.IntN(5) == 0 {
			value = "-"
		}
		kv = append(kv, fmt.Sprint("key ", m.rng.IntN(12)), value)
	}
	a, err := l.p.Append(Append{Batch: sealed(seal, m.clock.ms(), kv...)})
	if err != nil {
		m.fatalf("append: %v", err)
	}
	if who > 0 {
		l.next[who] += int32(len(kv) / 2)
	}
	if op.txn > 0 && l.open[who] == 0 {
		if !a.FirstOfTxn {
			m.fatalf("the batch at %d began a transaction, Append did not say so", a.BaseOffset)
		}
		l.open[who] = a.BaseOffset + 1
	}
	for i := 0; i < len(kv); i += 2 {
		op.rows = append(op.rows, row{a.BaseOffset + int64(i/2), kv[i], kv[i+1], seal.ProducerID, false})
	}
	m.note(l, op)
}

func (m *crashModel) endTxn(l *modelLog) {
	who := 1 + m.rng.IntN(len(l.open)-1)
	if l.open[who] == 0 {
		return
	}
	commit := m.rng.IntN(2) == 0
	a, err := l.p.EndTxn(int64(who), 0, commit, 1)
	if err != nil {
		m.fatalf("end: %v", err)
	}
	l.open[who] = 0
	m.note(l, modelOp{mark: 1 + int64(who), abort: !commit, rows: []row{{a.BaseOffset, "", "", int64(who), true}}})
}

func (m *crashModel) wait() {
	for _, l := range m.logs {
		if n := len(l.ops); n > 0 && l.ops[n-1].lsn > m.durable {
			mustDurable(m.t, m.d, Ticket(l.ops[n-1].lsn))
			m.durable = l.ops[n-1].lsn
			return
		}
	}
}

func (m *crashModel) deleteRecords(l *modelLog) {
	o := l.p.Offsets()
	if o.HW == o.Start {
		return
	}
	before := o.Start + m.rng.Int64N(o.HW-o.Start) + 1
	if _, err := l.p.DeleteRecords(before); err != nil {
		m.fatalf("delete to %d of %+v: %v", before, o, err)
	}
	m.note(l, modelOp{})
	m.noteDurable(l)
}

// crash cuts the power, recovers what is left, and compares.
func (m *crashModel) crash() {
	m.t.Helper()
	percent := []int{0, 20, 50, 90, 100}[m.rng.IntN(5)]
	cut := m.fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: percent, RNG: m.rng})
	_ = m.d.Close()
	m.verify("closed")
	m.fs, m.d = cut, nil
	m.verify("after the crash")
	m.open()
	ends := m.ends()
	// A crash while recovery was under way, or right after it, must not change what is there.
	again := m.fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: m.rng.IntN(101), RNG: m.rng})
	_ = m.d.Close()
	m.fs, m.d = again, nil
	m.verify("after the second crash")
	m.open()
	if now := m.ends(); !slices.Equal(now, ends) {
		m.fatalf("offsets after the second crash: %v, were %v", now, ends)
	}
	m.compare()
	m.rebase()
}

// verify checks that the inspector finds no fault with what it may meet.
func (m *crashModel) verify(when string) {
	m.t.Helper()
	i, err := Inspect(m.fs, "data")
	if err != nil {
		m.fatalf("%s: %v", when, err)
	}
	defer i.Close()
	_, err = i.Verify(func(p Problem) { m.t.Errorf("replay with -seed %d: %s: %s", m.seed, when, p) })
	if err != nil {
		m.fatalf("%s: %v", when, err)
	}
}

func (m *crashModel) ends() (all []Offsets) {
	for _, l := range m.logs {
		all = append(all, l.p.Offsets())
	}
	return all
}

func (m *crashModel) compare() {
	m.t.Helper()
	var newest uint64 // of what is there
	for _, l := range m.logs {
		o := l.p.Offsets()
		n := 0
		for n < len(l.ops) && l.ops[n].end <= o.End && l.ops[n].start <= o.Start {
			n++
		}
		if o.End > 0 && (n == 0 || l.ops[n-1].end != o.End || l.ops[n-1].start != o.Start) {
			m.fatalf("%v: recovered to %+v, which it never was", l.id, o)
		}
		if n > 0 {
			newest = max(newest, l.ops[n-1].lsn)
		}
		l.lost, l.ops = slices.Clone(l.ops[n:]), l.ops[:n]
	}
	if newest < m.durable {
		m.fatalf("entry %d was durable, recovered to %d", m.durable, newest)
	}
	for _, l := range m.logs {
		if len(l.lost) > 0 && l.lost[0].lsn <= newest {
			m.fatalf("%v: entry %d is missing, but entry %d of another partition is there", l.id, l.lost[0].lsn, newest)
		}
		m.compareLog(l)
		m.rewind(l)
	}
}

// compareLog compares what readers see and what is known about producers.
func (m *crashModel) compareLog(l *modelLog) {
	m.t.Helper()
	o := l.p.Offsets()
	if o.HW != o.End {
		m.fatalf("%v: %+v after recovery", l.id, o)
	}
	if n := len(l.ops); n > 0 && digest(l.p) != l.ops[n-1].state {
		m.fatalf("%v: producers\n%s\nwere\n%s", l.id, digest(l.p), l.ops[n-1].state)
	}
	if l.compacted {
		m.compareCompacted(l, o)
		return
	}
	var all, committed []row
	outcome := map[int64]bool{} // by producer, of the next marker, seen from behind
	open := map[int64]bool{}    // producers without a further marker
	for i := range l.next {
		open[1+int64(i)] = true
	}
	for _, op := range slices.Backward(l.ops) {
		if op.mark > 0 {
			outcome[op.mark], open[op.mark] = !op.abort, false
		}
		for _, r := range slices.Backward(op.rows) {
			if r.offset < o.Start {
				continue
			}
			all = append(all, r)
			if !r.control && r.offset < o.LSO && (op.txn == 0 || !open[op.txn] && outcome[op.txn]) {
				committed = append(committed, r)
			}
		}
	}
	slices.Reverse(all)
	slices.Reverse(committed)
	if got := readRows(m.t, l.p, o.Start, Read{Max: int32(1 + m.rng.IntN(2000)), MinOne: true}); !slices.Equal(got, all) {
		m.fatalf("%v: read\n%v\nwrote\n%v", l.id, got, all)
	}
	if got := readRows(m.t, l.p, o.Start, Read{Committed: true, Max: int32(1 + m.rng.IntN(2000)), MinOne: true}); !slices.Equal(got, committed) {
		m.fatalf("%v: read committed\n%v\nwrote\n%v", l.id, got, committed)
	}
}

// compareCompacted checks that each record is one that was written at its offset, and that the last committed of each
// key is there.
func (m *crashModel) compareCompacted(l *modelLog, o Offsets) {
	m.t.Helper()
	written := map[int64]row{}
	latest := map[string]row{}
	undecided := map[int64][]row{}
	for _, op := range l.ops {
		for _, r := range op.rows {
			written[r.offset] = r
			switch {
			case r.control:
			case op.txn > 0:
				undecided[op.txn] = append(undecided[op.txn], r)
			default:
				latest[r.key] = maxRow(latest[r.key], r)
			}
		}
		if op.mark > 0 {
			for _, r := range undecided[op.mark] {
				if !op.abort {
					latest[r.key] = maxRow(latest[r.key], r)
				}
			}
			undecided[op.mark] = nil
		}
	}
	found := map[int64]bool{}
	for _, r := range readRows(m.t, l.p, o.Start, Read{}) {
		if r != written[r.offset] {
			m.fatalf("%v: offset %d holds %+v, written was %+v", l.id, r.offset, r, written[r.offset])
		}
		found[r.offset] = true
	}
	for key, r := range latest {
		if r.offset >= o.Start && !found[r.offset] {
			m.fatalf("%v: the last record of %q, %+v, is gone", l.id, key, r)
		}
	}
}

func maxRow(a, b row) row {
	if a.key == "" || b.offset > a.offset {
		return b
	}
	return a
}

// rewind sets the model's producers to what was recovered.
func (m *crashModel) rewind(l *modelLog) {
	l.next, l.open = [4]int32{}, [4]int64{}
	for _, op := range l.ops {
		for _, r := range op.rows {
			if !r.control && r.producer > 0 {
				l.next[r.producer]++
			}
		}
		switch {
		case op.txn > 0 && l.open[op.txn-1] == 0:
			l.open[op.txn-1] = op.rows[0].offset + 1
		case op.mark > 0:
			l.open[op.mark-1] = 0
		}
	}
	for who := int64(1); who < int64(len(l.open)); who++ {
		if first, ok := l.p.OpenTxn(who); ok != (l.open[who] > 0) || ok && first != l.open[who]-1 {
			m.fatalf("%v: producer %d has a transaction open since %d (%v), model says %d", l.id, who, first, ok, l.open[who]-1)
		}
	}
}
