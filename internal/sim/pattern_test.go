package sim

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/signal"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/thalweg/thalweg/serde"
	"github.com/thalweg/thalweg/stream"
	"github.com/thalweg/thalweg/topology"
)

const (
	shopKills      = 4 * time.Second // between two: a new shop is a rebalance, which the dead hold up for a session time
	shopPartitions = 4
	shopCustomers  = 4000
	shopTopics     = 6           // that come to be during a run
	shopPace       = time.Second // between two batches of orders
	shopBatch      = 2500
	// Kills have to meet transactions that brokers know of: an order takes its time, and counts are so large that batches of them are
	// sent before the transaction ends.
	shopWork   = 500 * time.Microsecond
	shopCommit = 500 * time.Millisecond
	shopDigits = 2000
)

// shopCounts is a count of the orders of all shops by customer: a topic a shop.
func shopCounts(name string) (out topology.Topic[string, string], define func(*topology.Builder)) {
	orders := topology.Topic[string, int64]{Pattern: regexp.MustCompile(`^` + name + `-orders-\d+$`), Key: serde.String, Value: serde.Int64, Partitions: shopPartitions}
	out = topology.Topic[string, string]{Name: name + "-totals", Key: serde.String, Value: serde.String, Partitions: shopPartitions}
	return out, func(b *topology.Builder) {
		stream.From(b, orders).GroupByKey().Aggregate("orders", func() string { return "0" }, func(_ string, _ int64, at string) string {
			time.Sleep(shopWork)
			n, _ := countOf(at)
			return fmt.Sprintf("%0*d", shopDigits, n+1)
		}).To(out)
	}
}

// shops is a member that counts the orders of all shops, each count with a standby. Arguments: name, directory, brokers.
func shops(args []string) error {
	_, define := shopCounts(args[0])
	topo, err := topology.Define(args[0], define)
	if err != nil {
		return err
	}
	a, err := stream.New(topo, stream.Config{Dir: args[1], Brokers: strings.Split(args[2], ","), Workers: 2, CreateTopics: true, Standbys: 1, SessionTime: session, CommitInterval: shopCommit,
		Logger: slog.New(slog.NewTextHandler(os.Stdout, &slog.HandlerOptions{Level: slog.LevelDebug}))})
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	return a.Run(ctx)
}

// TestKilledPatternCountsExactly has three members with standbys read the topics of a pattern, which come to be one by one while
// they run, and kills one of them every two seconds; a third of the dead stay away past the session time. Each order counts once.
func TestKilledPatternCountsExactly(t *testing.T) { killPattern(t) }

// TestBrokerPatternCountsExactly is the same on the brokers of THALWEG_TEST_BROKERS.
func TestBrokerPatternCountsExactly(t *testing.T) {
	if brokers() == "" {
		t.Skip("THALWEG_TEST_BROKERS is not set")
	}
	killPattern(t)
}

func killPattern(t *testing.T) {
	length := time.Duration(defaultPattern)
	if *flagFor > 0 {
		length = *flagFor
	}
	if length == 0 {
		t.Skip("a minute: -tags slow, or -for")
	}
	r := seeded(t)
	c := &cluster{t: t, r: r, dir: t.TempDir(), app: fmt.Sprintf("shops-%x", r.Uint32()), kills: max(1, int(length/shopKills)), pause: shopKills, standbys: 1}
	c.launch = func(i int) *process {
		return play(t, "shops", c.app, filepath.Join(c.dir, fmt.Sprint(i)), c.addr)
	}
	c.startServer("127.0.0.1:0")
	for i := range c.member {
		c.start(i)
	}
	o := &orders{t: t, r: rand.New(rand.NewPCG(r.Uint64(), 0)), c: c, every: length / shopTopics, counts: map[string]int64{}}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		o.put(ctx)
	}()
	defer func() { stop(); <-ended }()

	enough := func() bool {
		return c.rebalances() >= c.kills/2 && abortedTransactions(t, c.addr, c.app) >= c.kills/5
	}
	c.nextKill = time.Now().Add(shopKills)
	c.torment(c.kills, 0)
	for more := c.kills; !enough() && more < 4*c.kills; {
		more += (c.kills + 3) / 4
		c.torment(more, 0)
	}
	c.bringBack()
	stop()
	<-ended
	o.shop(t.Context()) // one more, when nobody is killed any more
	o.some(t.Context())
	o.compare()
	for i, p := range c.member {
		if err := p.stop(); err != nil {
			t.Errorf("member %d: %v\n%s", i, err, tail(p.out.String()))
		}
		c.end(i)
	}
	copies, bound := strings.Count(c.logs.String(), "msg=copying"), strings.Count(c.logs.String(), `msg="reading a new topic"`)
	t.Logf("%d orders in %d shops, %d kills, %d rebalances, %d aborted transactions, %d copies begun, %d times a topic was found while a member ran",
		o.n, len(o.topics), c.killed, c.rebalances(), abortedTransactions(t, c.addr, c.app), copies, bound)
	if !enough() || copies < c.kills/2 || bound < shopTopics {
		t.Errorf("void: that is too little for %d kills", c.kills)
	}
	if c.server != nil {
		if err := c.server.stop(); err != nil {
			t.Errorf("the server: %v\n%s", err, tail(c.server.out.String()))
		}
	}
}

// orders are what is put into the topics of the shops, and the plain count of it.
type orders struct {
	t      *testing.T
	r      *rand.Rand
	c      *cluster
	cl     *kgo.Client
	every  time.Duration // a shop comes
	topics []string
	counts map[string]int64
	n      int64
}

// put opens shops and has orders come until ctx ends.
func (o *orders) put(ctx context.Context) {
	tick := time.NewTicker(shopPace)
	defer tick.Stop()
	for next := time.Now(); ctx.Err() == nil; {
		if len(o.topics) < shopTopics && time.Now().After(next) {
			next = time.Now().Add(o.every)
			o.shop(o.t.Context())
		}
		o.some(o.t.Context())
		select {
		case <-tick.C:
		case <-ctx.Done():
		}
	}
}

// shop makes the topic of a new shop.
func (o *orders) shop(ctx context.Context) {
	if o.cl == nil {
		var err error
		if o.cl, err = kgo.NewClient(kgo.SeedBrokers(strings.Split(o.c.addr, ",")...), kgo.RecordPartitioner(kgo.StickyKeyPartitioner(nil))); err != nil {
			o.t.Error(err)
			return
		}
		o.t.Cleanup(o.cl.Close)
	}
	name := fmt.Sprintf("%s-orders-%d", o.c.app, len(o.topics))
	if _, err := kadm.NewClient(o.cl).CreateTopic(ctx, shopPartitions, 1, nil, name); err != nil {
		o.t.Errorf("making %s: %v", name, err)
		return
	}
	o.topics = append(o.topics, name)
}

// some puts orders of random customers into random shops: what is acknowledged counts.
func (o *orders) some(ctx context.Context) {
	if len(o.topics) == 0 {
		return
	}
	batch := make([]*kgo.Record, shopBatch)
	for i := range batch {
		o.n++
		value, err := serde.Int64.Append(nil, o.n)
		if err != nil {
			o.t.Error(err)
		}
		batch[i] = &kgo.Record{Topic: o.topics[o.r.IntN(len(o.topics))], Key: fmt.Appendf(nil, "c%d", o.r.IntN(shopCustomers)), Value: value}
		if i == 0 {
			batch[i].Topic = o.topics[len(o.topics)-1]
		}
		o.counts[string(batch[i].Key)]++
	}
	if err := o.cl.ProduceSync(ctx, batch...).FirstErr(); err != nil {
		o.t.Errorf("putting orders: %v", err)
	}
}

// compare reads what the members have committed: of each customer the counts 1, 2, … to the plain count, each once.
func (o *orders) compare() {
	ctx, cancel := context.WithTimeout(o.t.Context(), finishLimit)
	defer cancel()
	began := time.Now()
	seen, left := map[string]int64{}, o.n
	out, _ := shopCounts(o.c.app)
	readCommitted(ctx, o.t, o.c.addr, out.Name, func(rec *kgo.Record) bool {
		n, err := countOf(string(rec.Value))
		if seen[string(rec.Key)]++; n != seen[string(rec.Key)] || err != nil {
			o.t.Fatalf("%s has the count %d, %v, after %d", rec.Key, n, err, seen[string(rec.Key)]-1)
		}
		left--
		return left > 0
	})
	compareCounts(o.t, "the output", seen, o.counts)
	o.t.Logf("done %v after the last kill", time.Since(began).Round(time.Millisecond))
}
