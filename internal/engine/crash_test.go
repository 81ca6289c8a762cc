package engine

import (
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/thalweg/thalweg/internal/engine/code"
)

var seed = flag.Uint64("seed", uint64(time.Now().UnixNano()), "seed of the random tests")

// TestCrashKeepsWhatWasAcknowledged cuts the power right after acknowledged operations, with a random part of what was
// not synced surviving; the disk is slow, so that what does not wait for it is lost. Acknowledged records, ended
// transactions, offsets and topics must all be there, records of aborted and open transactions never.
func TestCrashKeepsWhatWasAcknowledged(t *testing.T) {
	t.Logf("-seed %d", *seed)
	r := rand.New(rand.NewPCG(*seed, 2))
	cfg := testConfig()
	fs := vfs.NewCrashableMem()
	m := &acknowledged{offset: -1, producerIDs: map[int64]bool{}}
	for round := range 12 {
		e := openAt(t, slowFS{FS: fs, delay: 3 * time.Millisecond}, "data", cfg)
		if round == 0 {
			createTopic(t, e, "plain", 3, nil)
			createTopic(t, e, "ledger", 2, nil)
		}
		m.check(t, e)
		for op := range 1 + r.IntN(5) {
			m.operate(t, e, r, round*100+op)
		}
		fs = fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: r.IntN(3) * 50, RNG: r})
		if t.Failed() {
			return
		}
	}
	m.check(t, openAt(t, fs, "data", cfg))
}

// acknowledged is what clients were told.
type acknowledged struct {
	plain, ended []string
	offset       int64
	topics       []string
	producerIDs  map[int64]bool
}

// operate does one thing and takes note when it is acknowledged.
func (m *acknowledged) operate(t *testing.T, e *Engine, r *rand.Rand, op int) {
	t.Helper()
	prefix := fmt.Sprint(op)
	switch r.IntN(7) {
	case 0, 1:
		c := client(t, e, kgo.ProducerLinger(0))
		for i := range 1 + r.IntN(3) {
			v := fmt.Sprintf("%s-%d", prefix, i)
			if err := c.ProduceSync(testContext(t), &kgo.Record{Topic: "plain", Key: []byte(v), Value: []byte(v)}).FirstErr(); err != nil {
				t.Fatal(err)
			}
			m.plain = append(m.plain, v)
		}
	case 2:
		m.ended = append(m.ended, transact(t, client(t, e, kgo.TransactionalID("t")), "ledger", prefix, 5, kgo.TryCommit)...)
	case 3:
		transact(t, client(t, e, kgo.TransactionalID("t")), "ledger", "aborted-"+prefix, 5, kgo.TryAbort)
	case 4:
		commitOffset(t, e, int64(op))
		m.offset = int64(op)
	case 5:
		createTopic(t, e, "topic-"+prefix, 1, nil)
		m.topics = append(m.topics, "topic-"+prefix)
		id, _ := initProducer(t, client(t, e), "fresh-"+prefix)
		if m.producerIDs[id] {
			t.Errorf("producer id %d was given out twice", id)
		}
		m.producerIDs[id] = true
	case 6: // left open for the next round to abort
		c := client(t, e, kgo.TransactionalID("t"))
		if err := c.BeginTransaction(); err != nil {
			t.Fatal(err)
		}
		if err := c.ProduceSync(testContext(t), &kgo.Record{Topic: "ledger", Value: []byte("open-" + prefix)}).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
}

// TestBrokenDiskIsToldAndNothingIsAcknowledged lets syncs fail from some moment on.
func TestBrokenDiskIsToldAndNothingIsAcknowledged(t *testing.T) {
	var broken atomic.Bool
	e, err := Open(slowFS{FS: vfs.NewMem(), broken: &broken}, "data", testConfig())
	if err != nil {
		t.Fatal(err)
	}
	createTopic(t, e, "plain", 1, nil)
	rawRequest(t, e, produceRequest("plain", simpleBatch(t, nil)), 9)
	if err := e.Health(); err != nil {
		t.Errorf("healthy, yet %v", err)
	}
	broken.Store(true)
	for _, version := range []int16{9, 9} { // the one under way, and one that comes after
		resp := rawRequest(t, e, produceRequest("plain", simpleBatch(t, nil)), version).(*kmsg.ProduceResponse)
		if p := resp.Topics[0].Partitions[0]; code.Code(p.ErrorCode) != code.KafkaStorageError || p.BaseOffset != -1 {
			t.Errorf("produce to a broken disk: %v at %d", code.Code(p.ErrorCode), p.BaseOffset)
		}
	}
	if err := e.Health(); !errors.Is(err, errBroken) {
		t.Errorf("health: %v", err)
	}
	resp := rawRequest(t, e, fetchRequest("plain", 0, 0), 12).(*kmsg.FetchResponse)
	if p := resp.Topics[0].Partitions[0]; p.HighWatermark > 1 {
		t.Errorf("a record that is not on disk is visible: high watermark %d", p.HighWatermark)
	}
	e.Close(testContext(t)) // its error is the broken disk's
}

func commitOffset(t *testing.T, e *Engine, at int64) {
	t.Helper()
	var o kadm.Offsets
	o.Add(kadm.Offset{Topic: "plain", Partition: 0, At: at, LeaderEpoch: -1})
	if err := kadm.NewClient(client(t, e)).CommitAllOffsets(testContext(t), "g", o); err != nil {
		t.Fatal(err)
	}
}

func (m *acknowledged) check(t *testing.T, e *Engine) {
	t.Helper()
	for _, name := range m.topics {
		if e.meta.Topic(name) == nil {
			t.Errorf("topic %s is gone", name)
		}
	}
	if len(m.plain) > 0 {
		c := client(t, e, kgo.ConsumeTopics("plain"), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
		checkOnce(t, m.plain, consume(t, c, len(m.plain)))
	}
	// A new owner of the id aborts what the crash left open; its own record is the last to be seen.
	transact(t, client(t, e, kgo.TransactionalID("t")), "ledger", "probe", 1, kgo.TryCommit)
	c := committedReader(t, e, "ledger")
	got := map[string]int{}
	for len(got) < len(m.ended)+1 {
		for v, n := range consume(t, c, 1) {
			got[v] += n
			if strings.HasPrefix(v, "aborted") || strings.HasPrefix(v, "open") {
				t.Fatalf("%s is visible", v)
			}
		}
	}
	for _, v := range m.ended {
		if got[v] != 1 {
			t.Errorf("%s seen %d times", v, got[v])
		}
	}
	if m.offset >= 0 {
		all, err := kadm.NewClient(client(t, e)).FetchOffsets(testContext(t), "g")
		if err != nil {
			t.Fatal(err)
		}
		if o, _ := all.Lookup("plain", 0); o.At != m.offset {
			t.Errorf("offset %d, committed was %d", o.At, m.offset)
		}
	}
}
