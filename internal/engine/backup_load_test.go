package engine

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"sync"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/thalweg/thalweg/internal/engine/log"
)

// load writes to an engine until it is stopped: plain records, the keys of a compacted topic that is cleaned all the time,
// transactions over two partitions and an offset, offsets of a group, and topics that come and go.
type load struct {
	e    *Engine
	stop context.CancelFunc
	wg   sync.WaitGroup
	more chan struct{} // a transaction ended

	mu      sync.Mutex // protects following fields
	plain   map[int32]map[int64]string
	keys    map[string]int
	txns    int
	offset  int64
	created []string
}

func startLoad(t *testing.T, e *Engine) *load {
	createTopic(t, e, "plain", 3, nil)
	createTopic(t, e, "in", 1, nil)
	createTopic(t, e, "ledger", 2, nil)
	compact := "compact"
	createTopic(t, e, "table", 1, map[string]*string{"cleanup.policy": &compact})
	ctx, stop := context.WithCancel(t.Context())
	l := &load{e: e, stop: stop, more: make(chan struct{}, 1), plain: map[int32]map[int64]string{}, keys: map[string]int{}, offset: -1}
	writer := client(t, e, kgo.RecordPartitioner(kgo.ManualPartitioner()))
	teller := client(t, e, kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.TransactionalID("t"))
	table := e.meta.Partition(e.meta.Topic("table"), 0)
	for _, step := range []func(n int) error{
		func(n int) error { return l.produce(ctx, writer, n) },
		func(n int) error { return errors.Join(l.put(ctx, writer, n), table.Clean(n%5 == 0)) },
		func(n int) error { return l.transact(t, ctx, teller, writer, n) },
		func(n int) error { return l.commit(ctx, writer, int64(n)) },
		func(n int) error { return l.come(ctx, writer, n) },
	} {
		l.wg.Go(func() {
			for n := 1; ctx.Err() == nil; n++ {
				if err := step(n); err != nil && ctx.Err() == nil {
					t.Error(err)
					return
				}
			}
		})
	}
	t.Cleanup(func() { l.stop(); l.wg.Wait() })
	return l
}

func (l *load) produce(ctx context.Context, c *kgo.Client, n int) error {
	r := &kgo.Record{Topic: "plain", Partition: int32(n % 3), Value: []byte(strconv.Itoa(n))}
	if err := c.ProduceSync(ctx, r).FirstErr(); err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.plain[r.Partition] == nil {
		l.plain[r.Partition] = map[int64]string{}
	}
	l.plain[r.Partition][r.Offset] = string(r.Value)
	return nil
}

func (l *load) put(ctx context.Context, c *kgo.Client, n int) error {
	key := fmt.Sprint("k", n%7)
	if err := c.ProduceSync(ctx, &kgo.Record{Topic: "table", Key: []byte(key), Value: []byte(strconv.Itoa(n))}).FirstErr(); err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.keys[key] = n
	return nil
}

func (l *load) transact(t *testing.T, ctx context.Context, c, plain *kgo.Client, n int) error {
	if err := c.BeginTransaction(); err != nil {
		return err
	}
	for p := range int32(2) {
		if err := c.ProduceSync(ctx, &kgo.Record{Topic: "ledger", Partition: p, Value: []byte(strconv.Itoa(n))}).FirstErr(); err != nil {
			return err
		}
	}
	id, epoch, err := c.ProducerID(ctx)
	if err != nil {
		return err
	}
	commitInTxn(t, plain, "t", "tellers", id, epoch, int64(n))
	if err := c.EndTransaction(ctx, kgo.TryCommit); err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.txns = n
	select {
	case l.more <- struct{}{}:
	default:
	}
	return nil
}

func (l *load) commit(ctx context.Context, c *kgo.Client, n int64) error {
	var o kadm.Offsets
	o.Add(kadm.Offset{Topic: "plain", Partition: 0, At: n, LeaderEpoch: -1})
	if err := kadm.NewClient(c).CommitAllOffsets(ctx, "g", o); err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.offset = n
	return nil
}

// come makes a topic; those that are there four topics later stay for ever, the others go.
func (l *load) come(ctx context.Context, c *kgo.Client, n int) error {
	if n > 200 {
		<-ctx.Done()
		return nil
	}
	name := fmt.Sprint("topic-", n)
	if _, err := kadm.NewClient(c).CreateTopic(ctx, 1, 1, nil, name); err != nil {
		return err
	}
	if n%4 != 0 {
		_, err := kadm.NewClient(c).DeleteTopic(ctx, name)
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.created = append(l.created, name)
	return nil
}

// acknowledged returns what clients were told so far.
func (l *load) acknowledged() *load {
	l.mu.Lock()
	defer l.mu.Unlock()
	plain := map[int32]map[int64]string{}
	for p, all := range l.plain {
		plain[p] = maps.Clone(all)
	}
	return &load{plain: plain, keys: maps.Clone(l.keys), txns: l.txns, offset: l.offset, created: slices.Clone(l.created)}
}

// after waits for a few more transactions.
func (l *load) after(t *testing.T, n int) {
	t.Helper()
	ctx := testContext(t)
	for until := l.acknowledged().txns + n; l.acknowledged().txns < until; {
		select {
		case <-l.more:
		case <-ctx.Done():
			t.Fatal("no transaction ends")
		}
	}
}

// TestBackupUnderLoad takes backups of an engine that is written to in all ways at once, with little WAL files, cuts the power, and
// opens what is there.
func TestBackupUnderLoad(t *testing.T) {
	fs := vfs.NewCrashableMem()
	cfg := testConfig()
	cfg.Log = log.Config{WALBytes: 64 << 10}
	l := startLoad(t, openAt(t, fs, "data", cfg))
	for n := range 4 {
		l.after(t, 10)
		before := l.acknowledged()
		to := fmt.Sprint("copy-", n)
		done, err := l.e.Backup(testContext(t), fs, to)
		if err != nil {
			t.Fatal(err)
		}
		l.after(t, 3)
		if done.Logs < 8 || done.Bytes == 0 {
			t.Errorf("copied %+v", done)
		}
		after := l.acknowledged()
		crashed := fs.CrashClone(vfs.CrashCloneCfg{})
		if got := verified(t, crashed, to); got != "" {
			t.Fatalf("%s: %s", to, got)
		}
		before.check(t, openAt(t, crashed, to, testConfig()), after)
	}
	l.stop()
	l.wg.Wait()
	if err := l.e.Health(); err != nil {
		t.Error(err)
	}
	closeEngine(t, l.e)
	if got := verified(t, fs, "data"); got != "" {
		t.Errorf("the source: %s", got)
	}
}

// check compares an engine on a copy with what was acknowledged before the backup began, and some time after it ended.
func (l *load) check(t *testing.T, e *Engine, after *load) {
	t.Helper()
	plain := readCommitted(t, e, "plain", 3)
	for p, want := range l.plain {
		for offset, v := range want {
			if plain[p][offset] != v {
				t.Errorf("plain-%d at %d is %q, acknowledged was %q", p, offset, plain[p][offset], v)
			}
		}
		for offset, v := range plain[p] {
			if w, ok := after.plain[p][offset]; ok && w != v {
				t.Errorf("plain-%d at %d is %q, in the source %q", p, offset, v, w)
			}
		}
	}
	ledger := readCommitted(t, e, "ledger", 2)
	c := client(t, e)
	last := fetchOffset(t, c, "tellers", true)
	for p := range int32(2) {
		if got := slices.Sorted(maps.Values(ledger[p])); len(got) < l.txns || strconv.Itoa(len(got)) != last {
			t.Errorf("ledger-%d has %d transactions, %d were acknowledged, the offset is %s", p, len(got), l.txns, last)
		}
	}
	keys := map[string]int{}
	table := readCommitted(t, e, "table", 1)[0]
	for _, offset := range slices.Sorted(maps.Keys(table)) {
		n, err := strconv.Atoi(table[offset])
		if err != nil {
			t.Fatal(err)
		}
		keys[fmt.Sprint("k", n%7)] = n
	}
	for k, n := range l.keys {
		if keys[k] < n || keys[k] > after.keys[k]+7 { // the next of the key may be there, and its answer on its way
			t.Errorf("%s is %d, acknowledged were %d before and %d after", k, keys[k], n, after.keys[k])
		}
	}
	all, err := kadm.NewClient(c).FetchOffsets(testContext(t), "g")
	if err != nil {
		t.Fatal(err)
	}
	if o, _ := all.Lookup("plain", 0); o.At < l.offset || o.At > after.offset+1 {
		t.Errorf("offset %d, committed were %d before and %d after", o.At, l.offset, after.offset)
	}
	for _, name := range l.created {
		if e.meta.Topic(name) == nil {
			t.Errorf("topic %s is gone", name)
		}
	}
}

// readCommitted returns the values of a topic by partition and offset. It ends the transaction that is open, as a new owner of its
// id, and reads up to a record of its own.
func readCommitted(t *testing.T, e *Engine, topic string, partitions int32) map[int32]map[int64]string {
	t.Helper()
	ctx := testContext(t)
	c := client(t, e, kgo.TransactionalID("t"), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	defer c.Close()
	if err := c.BeginTransaction(); err != nil {
		t.Fatal(err)
	}
	out := map[int32]map[int64]string{}
	for p := range partitions {
		out[p] = map[int64]string{}
		if err := c.ProduceSync(ctx, &kgo.Record{Topic: topic, Partition: p, Key: []byte("end"), Value: []byte("end")}).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
	if err := c.EndTransaction(ctx, kgo.TryCommit); err != nil {
		t.Fatal(err)
	}
	reader := committedReader(t, e, topic)
	defer reader.Close()
	for ends := int32(0); ends < partitions; {
		fetches := reader.PollFetches(ctx)
		if err := fetches.Err0(); err != nil {
			t.Fatal(err)
		}
		fetches.EachRecord(func(r *kgo.Record) {
			if string(r.Value) == "end" {
				ends++
				return
			}
			out[r.Partition][r.Offset] = string(r.Value)
		})
	}
	return out
}
