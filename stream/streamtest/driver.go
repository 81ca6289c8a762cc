// Package streamtest runs a topology in a test: the production task loop on many partitions, without a broker, on a
// clock that the test moves.
//
// There are few types: a [Driver] runs one topology on one or more instances, a [Topic] writes records to a topic and
// reads what is committed in it.
//
//	func TestWords(t *testing.T) {
//		d := streamtest.New(t, words)
//		in, out := d.Topic(lines), d.Topic(counts)
//
//		in.Put(serde.Void{}, "all that is gold does not glitter")
//		d.Crash(0)
//		d.Restart(0)
//		in.Put(serde.Void{}, "Gold")
//
//		if got := streamtest.Latest(out)["gold"]; got != 2 {
//			t.Errorf("gold = %d, want 2", got)
//		}
//	}
//
// Tasks, stores, partitioning, repartition topics, changelogs and transactions are the real ones; the log and the
// clock are the driver's. Callbacks that change what they are given fail the test.
package streamtest

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/thalweg/thalweg/internal/edge"
	"github.com/thalweg/thalweg/internal/hashed"
	"github.com/thalweg/thalweg/state"
	"github.com/thalweg/thalweg/topology"
	"github.com/thalweg/thalweg/window"
)

// Options of a Driver. The zero value is one instance, four partitions, a clock at 2000-01-01, a commit after every record.
type Options struct {
	Partitions  int // of topics that do not say; default 4
	Instances   int
	Start       time.Time
	CommitEvery int    // records between commits, for each instance; default 1
	Seed        uint64 // of what is left to chance: checkpoints, partitions of records without a key; 0: a new one, logged
	// LeaveCalls has Put, Advance and the like return while calls of MapValuesAsync are under way. By default they wait.
	LeaveCalls bool
	// AtLeastOnce runs the topology as stream.AtLeastOnce does: what it writes is there at once, and a crash before the
	// commit has the records since the last one processed, and their results written, again. The default is exactly once.
	AtLeastOnce bool
	// Backend is stream.Config's: a tier below the hot tables. A crash loses nothing that it has applied.
	Backend state.Backend
	// Errors is asked about every record that fails: true skips it. The default ends the test.
	Errors func(node string, err error) bool
}

// Driver runs one topology. It is a state.Client: hand it to a table's Query. It is for the test's goroutine.
type Driver struct {
	t          testing.TB
	dir        string // of directories of tasks; "": nobody has asked for one
	opts       Options
	topo       *topology.Topology
	graph      *edge.Graph
	partitions map[string]int32
	topics     map[string]*log
	offsets    map[place]commit // committed positions of the app
	now        time.Time
	rng        *rand.Rand
	hasher     hashed.Hasher
	instances  []*instance
	dropped    map[string]int64 // of tasks that are gone
	woken      chan struct{}    // a call of some task has ended
	written    func(topic string, r topology.Record[[]byte, []byte])
	processed  func(task string, at topology.Origin, r topology.Record[[]byte, []byte])
	after      after
	recording  *Recording // nil: nobody asks
}

// place is a partition.
type place struct {
	topic     string
	partition int32
}

// commit is a committed position.
type commit struct {
	offset   int64
	metadata string
}

// New builds and starts the topology. A fault in it ends the test.
func New(t testing.TB, define func(*topology.Builder), opts ...Options) *Driver {
	t.Helper()
	d := &Driver{t: t, topics: map[string]*log{}, offsets: map[place]commit{}, dropped: map[string]int64{}, woken: make(chan struct{}, 1)}
	if len(opts) > 1 {
		t.Fatal("streamtest: New takes one Options at most")
	}
	if len(opts) == 1 {
		d.opts = opts[0]
	}
	d.defaults()
	topo, err := topology.Define("test", define)
	if err != nil {
		t.Fatal(err)
	}
	d.topo, d.graph = topo, topo.Graph()
	if err := d.graph.Prepare(context.Background()); err != nil {
		t.Fatal(err)
	}
	if err := d.makeTopics(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.close)
	d.Scale(d.opts.Instances)
	return d
}

func (d *Driver) defaults() {
	o := &d.opts
	if o.Partitions == 0 {
		o.Partitions = 4
	}
	if o.Instances == 0 {
		o.Instances = 1
	}
	if o.Start.IsZero() {
		o.Start = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)
	}
	if o.CommitEvery == 0 {
		o.CommitEvery = 1
	}
	if o.Seed == 0 {
		o.Seed = rand.Uint64()
		d.t.Logf("streamtest: seed %d", o.Seed)
	}
	d.now = o.Start
	d.rng = rand.New(rand.NewPCG(o.Seed, 0))
	d.hasher = hashed.NewHasher(d.rng.Uint64(), d.rng.Uint64())
}

// makeTopics makes every topic of the graph: changelogs too.
func (d *Driver) makeTopics() error {
	have := map[string]int32{}
	for _, t := range d.graph.Topics {
		if t.Pattern != nil {
			have[t.Name] = int32(d.opts.Partitions) // of topics that the test makes later
		} else if !t.Internal {
			have[t.Name] = int32(max(t.Partitions, 0))
			if t.Partitions == 0 {
				have[t.Name] = int32(d.opts.Partitions)
			}
		}
	}
	n, err := d.graph.Partitions(have)
	if err != nil {
		return fmt.Errorf("streamtest: %w", err)
	}
	d.partitions = n
	for _, s := range d.graph.Stores {
		if s.Changelog != "" {
			d.partitions[s.Changelog] = d.tasksOf(s.Sub)
		}
	}
	for name, n := range d.partitions {
		if t := d.graph.Topic(name); t == nil || t.Pattern == nil {
			d.topics[name] = newLog(int(n))
		}
	}
	return nil
}

// reads returns the topics of a source that have a partition.
func (d *Driver) reads(n *edge.Node, partition int32) (ts []*edge.Topic) {
	if n.Topic.Pattern == nil {
		if partition < d.partitions[n.Topic.Name] {
			ts = append(ts, n.Topic)
		}
		return ts
	}
	for _, name := range slices.Sorted(maps.Keys(d.topics)) {
		if t, _ := d.graph.Match(name); t == n.Topic && partition < d.partitions[name] {
			ts = append(ts, t.Called(name))
		}
	}
	return ts
}

// found gives a topic that was just made to the tasks whose pattern it matches.
func (d *Driver) found(name string) {
	d.t.Helper()
	t, err := d.graph.Match(name)
	if err != nil {
		d.t.Fatal(err)
	}
	if t == nil {
		return
	}
	for _, in := range d.instances {
		for _, task := range slices.Clone(in.tasks) {
			if task.Sub() == t.Source.Sub {
				in.closeTask(keyOf(task))
			}
		}
	}
	d.rebalance()
}

// tasksOf is how many tasks a sub-topology has.
func (d *Driver) tasksOf(s *edge.Sub) (n int32) {
	for _, src := range s.Sources {
		n = max(n, d.partitions[src.Topic.Name])
	}
	return n
}

// Topology returns what the driver runs.
func (d *Driver) Topology() *topology.Topology { return d.topo }

// Now returns the driver's time.
func (d *Driver) Now() window.Instant { return window.At(d.now) }

// Advance moves the clock: wall-clock punctuation and what follows from it.
func (d *Driver) Advance(by time.Duration) {
	d.t.Helper()
	d.now = d.now.Add(by)
	d.recording.did("advance %v", by)
	for _, in := range d.instances {
		for _, t := range in.tasks {
			if err := t.Punctuate(); err != nil {
				d.t.Fatal(err)
			}
		}
	}
	d.run()
}

// Wait works until nothing is left to do and no call of MapValuesAsync is under way. Parked ones wait for Advance.
func (d *Driver) Wait() {
	d.t.Helper()
	leave := d.opts.LeaveCalls
	d.opts.LeaveCalls = false
	d.run()
	d.opts.LeaveCalls = leave
}

// Commit commits now.
func (d *Driver) Commit() {
	d.t.Helper()
	for _, in := range d.instances {
		in.commit()
	}
	d.run()
}

// Written calls f with every record that the topology writes from now on, once it is committed and in the order of
// writing, whatever its topic: repartition topics and changelogs are among them. A nil value is null. f owns the
// slices. It is how a test records a topology, or compares it with a recording.
func (d *Driver) Written(f func(topic string, r topology.Record[[]byte, []byte])) { d.written = f }

// Crash kills an instance between two records, its open transaction lost, and lets the others take over. What its disk
// had not synced is lost as well. Since the driver commits when it has nothing left to do, a transaction is open within
// [Driver.After] alone.
func (d *Driver) Crash(instance int) {
	d.t.Helper()
	in := d.instance(instance)
	in.crash()
	d.rebalance()
	d.run()
}

// Restart starts an instance again on what its disk held.
func (d *Driver) Restart(instance int) {
	d.t.Helper()
	in := d.instance(instance)
	if in.alive {
		in.stop()
	}
	in.start()
	d.rebalance()
	d.run()
}

// Wipe is Restart on an empty disk.
func (d *Driver) Wipe(instance int) {
	d.t.Helper()
	in := d.instance(instance)
	if in.alive {
		in.stop()
	}
	in.newDisk()
	in.start()
	d.rebalance()
	d.run()
}

// Scale changes the number of instances and waits for the rebalance.
func (d *Driver) Scale(instances int) {
	d.t.Helper()
	for len(d.instances) < instances {
		in := &instance{d: d, index: len(d.instances)}
		in.newDisk()
		in.start()
		d.instances = append(d.instances, in)
	}
	for _, in := range d.instances[instances:] {
		if in.alive {
			in.stop()
		}
	}
	d.instances = d.instances[:instances]
	d.rebalance()
	d.run()
}

func (d *Driver) instance(i int) *instance {
	d.t.Helper()
	if i < 0 || i >= len(d.instances) {
		d.t.Fatalf("streamtest: no instance %d: there are %d", i, len(d.instances))
	}
	return d.instances[i]
}

// Dropped returns how many records each reason has dropped.
func (d *Driver) Dropped() map[string]int64 {
	sum := map[string]int64{}
	for reason, n := range d.dropped {
		sum[reason] += n
	}
	for _, in := range d.instances {
		for _, t := range in.tasks {
			t.Counters(func(_, name string, dropped bool, n int64) {
				if dropped && n > 0 {
					sum[name] += n
				}
			})
		}
		for _, g := range in.globals {
			g.Counters(func(_, name string, dropped bool, n int64) {
				if dropped && n > 0 {
					sum[name] += n
				}
			})
		}
	}
	return sum
}

// rebalance spreads the tasks over the instances alive. A task stays where it is, if it can.
func (d *Driver) rebalance() {
	d.t.Helper()
	var alive []*instance
	for _, in := range d.instances {
		if in.alive {
			alive = append(alive, in)
		}
	}
	if len(alive) == 0 {
		return
	}
	slot := 0
	for _, sub := range d.graph.Subs {
		for p := range d.tasksOf(sub) {
			want := alive[slot%len(alive)]
			slot++
			for _, in := range alive {
				if in != want {
					in.closeTask(taskKey{sub.ID, p})
				}
			}
			want.openTask(sub, p)
		}
	}
	for _, in := range alive {
		slices.SortFunc(in.tasks, compareTasks)
	}
}

// run works until nothing is left to do, or nothing but to wait for calls.
func (d *Driver) run() {
	d.t.Helper()
	for {
		for busy := true; busy; {
			busy = false
			for i := 0; i < len(d.instances); i++ {
				busy = d.instances[i].work() || busy
				d.reach() // may change the instances
			}
		}
		if d.opts.LeaveCalls || d.calling() == 0 {
			return
		}
		<-d.woken
	}
}

// calling is how many calls of tasks are under way.
func (d *Driver) calling() (n int) {
	for _, in := range d.instances {
		for _, t := range in.tasks {
			n += t.Calling()
		}
	}
	return n
}

// wake says that a call has ended. It is for any goroutine.
func (d *Driver) wake() {
	select {
	case d.woken <- struct{}{}:
	default:
	}
}

func (d *Driver) close() {
	for _, in := range d.instances {
		if in.alive {
			in.drop()
		}
	}
	if d.dir != "" {
		if err := os.RemoveAll(d.dir); err != nil {
			d.t.Errorf("streamtest: %v", err)
		}
	}
}

func (d *Driver) logger() *slog.Logger { return slog.New(slog.DiscardHandler) }
