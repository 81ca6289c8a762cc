package sim

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/thalweg/thalweg/internal/history"
)

var flagFor = flag.Duration("for", 0, "how long the history is made; 0: not, a minute under the build tag slow")

var historyTopics = []string{"mix", "blend"}

const (
	historyPartitions = 3 // of each topic
	historyProducers  = 3 // of each kind
	historyReaders    = 2
	historyPace       = 5 * time.Millisecond  // between two writes, or transactions, of a producer
	historyRetry      = 50 * time.Millisecond // before a client asks again
	historyKillEvery  = 5 * time.Second
	historyPadding    = 1 << 10
	serverLimit       = 3 * time.Second
)

// TestKilledServerKeepsItsHistory has producers with and without transactions and readers of committed records work on a
// server that is killed every five seconds on average. In the end everything that anybody was told has to agree.
func TestKilledServerKeepsItsHistory(t *testing.T) {
	length := time.Duration(defaultHistory)
	if *flagFor > 0 {
		length = *flagFor
	}
	if length == 0 {
		t.Skip("a minute: -tags slow, or -for")
	}
	m := &mix{t: t, r: seeded(t), dir: filepath.Join(t.TempDir(), "server")}
	m.live(func() { m.torment(length) })
	m.verdict(length)
}

// live has clients of all kinds work on a server while it has trouble, and then until all that is there is read.
func (m *mix) live(trouble func()) {
	m.server, m.addr, _ = serve(m.t, m.dir, "127.0.0.1:0")
	if _, err := kadm.NewClient(m.client()).CreateTopics(m.t.Context(), historyPartitions, 1, nil, historyTopics...); err != nil {
		m.t.Fatal(err)
	}
	var writers, readers sync.WaitGroup
	write, stop := context.WithCancel(m.t.Context())
	for i := range historyProducers {
		plain, txns := rand.New(rand.NewPCG(m.r.Uint64(), 0)), rand.New(rand.NewPCG(m.r.Uint64(), 0))
		writers.Go(func() { m.writePlain(write, fmt.Sprint("plain-", i), plain) })
		writers.Go(func() { m.transact(write, fmt.Sprint("teller-", i), txns) })
	}
	read, quit := context.WithCancel(m.t.Context())
	positions := make([]sync.Map, historyReaders)
	for i := range historyReaders {
		readers.Go(func() { m.read(read, fmt.Sprint("reader-", i), &positions[i]) })
	}
	trouble()
	stop()
	writers.Wait()
	m.settle(positions)
	quit()
	readers.Wait()
}

// mix is clients of all kinds and their server.
type mix struct {
	t      *testing.T
	r      *rand.Rand
	dir    string
	addr   string
	server *process
	h      history.History

	kills   int
	slowest time.Duration // until the server was up again
}

// client returns a client that is closed at the end of the test.
func (m *mix) client(opts ...kgo.Opt) *kgo.Client {
	cl, err := kgo.NewClient(append([]kgo.Opt{kgo.SeedBrokers(m.addr), kgo.RecordPartitioner(kgo.ManualPartitioner()),
		kgo.ProducerLinger(0), kgo.RetryTimeout(time.Minute), kgo.MaxBufferedRecords(1000), kgo.MetadataMinAge(historyRetry),
		kgo.RetryBackoffFn(func(int) time.Duration { return historyRetry })}, opts...)...)
	if err != nil {
		m.t.Fatal(err)
	}
	m.t.Cleanup(cl.Close)
	return cl
}

// torment kills the server at random moments.
func (m *mix) torment(length time.Duration) {
	for end := time.Now().Add(length); time.Now().Before(end); {
		pause := historyKillEvery/2 + time.Duration(m.r.Int64N(int64(historyKillEvery)))
		if m.server.sleepUnless(pause) {
			m.t.Fatalf("the server ended by itself: %v\n%s", m.server.err, tail(m.server.out.String()))
		}
		m.server.kill()
		m.kills++
		var took time.Duration
		m.server, _, took = serve(m.t, m.dir, m.addr)
		m.slowest = max(m.slowest, took)
	}
}

// record makes up a record with a value like no other's, which begins with what the history knows it by.
func record(name string, n int, r *rand.Rand) (*kgo.Record, history.Write) {
	value := fmt.Sprintf("%s/%d", name, n)
	p := history.Place{Topic: historyTopics[r.IntN(len(historyTopics))], Partition: r.Int32N(historyPartitions)}
	return &kgo.Record{Topic: p.Topic, Partition: p.Partition, Value: []byte(value + " " + strings.Repeat("x", r.IntN(historyPadding)))},
		history.Write{Producer: name, Place: p, Value: value}
}

// note returns what notes the outcome of a write. An error says nothing: the record may be there or come yet.
func note(ended func(history.Outcome, int64)) func(*kgo.Record, error) {
	return func(r *kgo.Record, err error) {
		if err == nil {
			ended(history.Committed, r.Offset)
		}
	}
}

func (m *mix) writePlain(ctx context.Context, name string, r *rand.Rand) {
	cl := m.client()
	tick := time.NewTicker(historyPace)
	defer tick.Stop()
	for n := 0; ctx.Err() == nil; n++ {
		rec, w := record(name, n, r)
		cl.Produce(context.Background(), rec, note(m.h.Wrote(w)))
		select {
		case <-tick.C:
		case <-ctx.Done():
		}
	}
	if err := cl.Flush(m.t.Context()); err != nil {
		m.t.Error(err)
	}
}

// transact runs transactions of one id, a third of which are taken back. After any error a new client takes over, whose
// start ends what is open.
func (m *mix) transact(ctx context.Context, name string, r *rand.Rand) {
	n, cl := 0, m.teller(name)
	for txn := 1; ctx.Err() == nil; txn++ {
		if err := m.transaction(cl, name, txn, &n, r); err != nil {
			cl.Close()
			cl = m.teller(name)
		}
		select {
		case <-time.After(historyPace): // the producer's own pace
		case <-ctx.Done():
		}
	}
	// The last one may be open on the server still.
	if _, _, err := m.teller(name).ProducerID(m.t.Context()); err != nil {
		m.t.Error(err)
	}
}

func (m *mix) teller(name string) *kgo.Client {
	return m.client(kgo.TransactionalID(name), kgo.TransactionTimeout(time.Minute))
}

func (m *mix) transaction(cl *kgo.Client, name string, txn int, n *int, r *rand.Rand) error {
	m.h.End(name, txn, history.Unknown)
	if err := cl.BeginTransaction(); err != nil {
		return err
	}
	touched := map[history.Place]bool{}
	for range 1 + r.IntN(20) {
		rec, w := record(name, *n, r)
		w.Txn = txn
		touched[w.Place] = true
		cl.Produce(context.Background(), rec, note(m.h.Wrote(w)))
		*n++
	}
	if err := cl.Flush(m.t.Context()); err != nil {
		return err
	}
	// See transact in internal/engine: a client that does not know the partitions yet takes the transaction for empty.
	for p := range touched {
		if leader, _, err := cl.PartitionLeader(p.Topic, p.Partition); leader < 0 {
			return fmt.Errorf("no leader of %s: %w", p, err)
		}
	}
	commit, outcome := kgo.TryCommit, history.Committed
	if r.IntN(3) == 0 {
		commit, outcome = kgo.TryAbort, history.Aborted
	}
	ctx, cancel := m.t.Context(), context.CancelFunc(func() {})
	if r.IntN(10) == 0 { // the client dies before it has the answer, or even before it asks
		ctx, cancel = context.WithTimeout(ctx, time.Duration(r.Int64N(int64(2*time.Millisecond))))
	}
	defer cancel()
	if err := cl.EndTransaction(ctx, commit); err != nil {
		return err
	}
	m.h.End(name, txn, outcome)
	return nil
}

// read follows all partitions and keeps how far it has come.
func (m *mix) read(ctx context.Context, name string, at *sync.Map) {
	cl := m.client(kgo.ConsumeTopics(historyTopics...), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.FetchMaxWait(100*time.Millisecond))
	for ctx.Err() == nil {
		cl.PollFetches(ctx).EachRecord(func(r *kgo.Record) {
			m.h.Read(name, place(r), history.Read{Offset: r.Offset, Value: known(r)})
			at.Store(place(r), r.Offset)
		})
	}
}

// known is what the history knows a record by.
func known(r *kgo.Record) string {
	value, _, _ := strings.Cut(string(r.Value), " ")
	return value
}

func place(r *kgo.Record) history.Place { return history.Place{Topic: r.Topic, Partition: r.Partition} }

// settle reads everything with a client that has seen nothing, and waits until the readers have got as far.
func (m *mix) settle(positions []sync.Map) {
	ctx, cancel := context.WithTimeout(m.t.Context(), finishLimit)
	defer cancel()
	ends, err := kadm.NewClient(m.client()).ListEndOffsets(ctx, historyTopics...)
	if err != nil {
		m.t.Fatal(err)
	}
	left := map[history.Place]bool{}
	ends.Each(func(end kadm.ListedOffset) {
		if end.Offset > 0 {
			left[history.Place{Topic: end.Topic, Partition: end.Partition}] = true
		}
	})
	cl := m.client(kgo.ConsumeTopics(historyTopics...), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.KeepControlRecords())
	held := map[history.Place][]history.Read{}
	for len(left) > 0 {
		fetches := cl.PollFetches(ctx)
		if ctx.Err() != nil {
			m.t.Fatalf("%v were not read to their end: %v", left, ends)
		}
		fetches.EachRecord(func(r *kgo.Record) {
			if !r.Attrs.IsControl() {
				held[place(r)] = append(held[place(r)], history.Read{Offset: r.Offset, Value: known(r)})
			}
			if end, _ := ends.Lookup(r.Topic, r.Partition); r.Offset == end.Offset-1 {
				delete(left, place(r))
			}
		})
	}
	for p, all := range held {
		m.h.Held(p, all)
		for i := range positions {
			for at, _ := positions[i].Load(p); ctx.Err() == nil && (at == nil || at.(int64) < all[len(all)-1].Offset); at, _ = positions[i].Load(p) {
				m.server.sleepUnless(10 * time.Millisecond)
			}
		}
	}
}

// broken reports every promise that was not kept.
func (m *mix) broken() {
	for i, a := range m.h.Check() {
		if i == 20 {
			m.t.Fatal("and more")
		}
		m.t.Error(a)
	}
}

func (m *mix) verdict(length time.Duration) {
	c := m.h.Counts()
	m.t.Logf("%d kills in %v; %+v; the server was up again within %v", m.kills, length, c, m.slowest.Round(time.Millisecond))
	m.broken()
	if *flagFor > 0 && m.slowest > serverLimit { // the clock decides in runs by hand alone
		m.t.Errorf("the server was up again only after %v, want at most %v", m.slowest, serverLimit)
	}
	if m.kills < int(length/(2*historyKillEvery)) || c.CommittedTxns < 10*m.kills || c.AbortedTxns < m.kills || c.Transactions == c.CommittedTxns+c.AbortedTxns {
		m.t.Error("void: too few kills, transactions, or ends that nobody knows")
	}
}
