package conformance_test

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/thalweg/thalweg/internal/conformance"
	"github.com/thalweg/thalweg/internal/edge"
	"github.com/thalweg/thalweg/internal/kafka"
	"github.com/thalweg/thalweg/internal/runtime"
	"github.com/thalweg/thalweg/serde"
	"github.com/thalweg/thalweg/stream"
	"github.com/thalweg/thalweg/topology"
)

var (
	flagCases = flag.Int("cases", 0, "cases through the full path; 0: a few, more under the build tag slow")
	flagSeed  = flag.Uint64("seed", 0, "seed of all chance of the full path; 0: a new one")
)

// anew are the cases whose operators begin anew after a restart, as Kafka Streams' do: they are not replayed with a kill.
var anew = map[string]string{
	"proc-stream-punct":  "schedules begin again at the first record",
	"trace-stream-punct": "schedules begin again at the first record",
	"proc-wall-punct":    "schedules begin again at the time of the start, and the processor counts its calls in memory",
	"trace-wall-punct":   "schedules begin again at the time of the start",
}

// ranked are the cases that show offsets of their sources, which have markers of transactions between the records here, and
// after a kill an aborted record: the field of the value that has the offset, after the topic and the partition. What is
// compared is the offset's rank among those of its topic.
var ranked = map[string]int{"sl-context": 3}

// TestFullPath replays a recording of each case through an app on the bundled engine: group, transactions, repartition
// topics, changelogs. Outputs and stores are those of the recording.
func TestFullPath(t *testing.T) {
	for _, workers := range []int{1, 4} {
		t.Run(fmt.Sprintf("workers=%d", workers), func(t *testing.T) {
			eachCase(t, func(t *testing.T, _ *rand.Rand, rec *conformance.Recording) {
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				got, err := walk(ctx, rec, t.TempDir(), workers, io.Discard)
				if err != nil {
					t.Fatal(err)
				}
				got.compare(t, rec)
			})
		})
	}
}

// TestFullPathKilled is the same in a process of its own, which is killed with SIGKILL at a random step and started again.
func TestFullPathKilled(t *testing.T) {
	eachCase(t, func(t *testing.T, r *rand.Rand, rec *conformance.Recording) {
		if anew[rec.Case] != "" {
			return
		}
		dir, workers := t.TempDir(), 1+3*r.IntN(2)
		kill := r.IntN(len(rec.Steps))
		cmd := exec.Command(os.Args[0], dir, rec.Case, strconv.FormatUint(rec.Seed, 10), strconv.Itoa(workers))
		cmd.Env = append(os.Environ(), roleEnv+"=walk")
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		lines, last := bufio.NewScanner(out), ""
		for lines.Scan() {
			if last = lines.Text(); last == fmt.Sprintf("step %d", kill) {
				break
			}
		}
		time.AfterFunc(time.Duration(r.Int64N(int64(10*time.Millisecond))), func() { _ = cmd.Process.Kill() })
		for lines.Scan() { // until it is gone
			last = lines.Text()
		}
		err = cmd.Wait()
		if exit := (*exec.ExitError)(nil); !errors.As(err, &exit) || exit.Exited() {
			if err != nil {
				t.Fatalf("before step %d of %d: %v: %s", kill, len(rec.Steps), err, last)
			}
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		got, err := walk(ctx, rec, dir, workers, io.Discard)
		if err != nil {
			t.Fatalf("killed around step %d of %d: %v", kill, len(rec.Steps), err)
		}
		got.compare(t, rec)
		if t.Failed() {
			t.Logf("killed around step %d of %d, %d workers", kill, len(rec.Steps), workers)
		}
	})
}

// eachCase runs f for one recording of each case, of many of them, by chance.
func eachCase(t *testing.T, f func(t *testing.T, r *rand.Rand, rec *conformance.Recording)) {
	seed := *flagSeed
	if seed == 0 {
		seed = rand.Uint64()
	}
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	all, err := conformance.Load(goldenDir())
	if err != nil {
		t.Fatal(err)
	}
	byCase := map[string][]*conformance.Recording{}
	for _, rec := range all {
		if builders[rec.Case] != nil {
			byCase[rec.Case] = append(byCase[rec.Case], rec)
		}
	}
	names := slices.Sorted(maps.Keys(byCase))
	r.Shuffle(len(names), func(i, j int) { names[i], names[j] = names[j], names[i] })
	n := defaultCases
	if *flagCases > 0 {
		n = *flagCases
	}
	n = min(n, len(names))
	t.Logf("%d cases of %d", n, len(names))
	for _, name := range names[:n] {
		rec := byCase[name][r.IntN(len(byCase[name]))]
		own := rand.New(rand.NewPCG(r.Uint64(), 0))
		t.Run(fmt.Sprintf("%s/%d", name, rec.Seed), func(t *testing.T) { f(t, own, rec) })
	}
}

// roleEnv has this test binary play a part instead of running tests.
const roleEnv = "THALWEG_CONFORMANCE_ROLE"

func TestMain(m *testing.M) {
	if os.Getenv(roleEnv) == "" {
		os.Exit(m.Run())
	}
	if err := play(os.Args[1:]); err != nil {
		fmt.Println("error:", err)
		os.Exit(1)
	}
}

// play walks a recording. Arguments: directory, case, seed, workers.
func play(args []string) error {
	all, err := conformance.Load(goldenDir())
	if err != nil {
		return err
	}
	workers, err := strconv.Atoi(args[3])
	if err != nil {
		return err
	}
	for _, rec := range all {
		if rec.Case == args[1] && strconv.FormatUint(rec.Seed, 10) == args[2] {
			_, err := walk(context.Background(), rec, args[0], workers, os.Stdout)
			return err
		}
	}
	return fmt.Errorf("no recording %s of seed %s", args[1], args[2])
}

// outcome is what an app has made of a recording.
type outcome struct {
	written
	differs []string // stores that are not as recorded
}

func (o *outcome) compare(t *testing.T, rec *conformance.Recording) {
	t.Helper()
	var want []conformance.Record
	for _, s := range rec.Steps {
		want = append(want, s.Out...)
	}
	if field := ranked[rec.Case]; field > 0 {
		rank(t, o.out, field)
	}
	if diff := outputs(want, o.out, false); diff != "" {
		t.Error(diff)
	}
	for _, d := range o.differs {
		t.Error(d)
	}
}

// rank puts the rank of each offset in its place. Offsets of one topic come in their order.
func rank(t *testing.T, out []sunk, field int) {
	t.Helper()
	next, last := map[string]int{}, map[string]int{}
	for i := range out {
		parts := strings.Split(string(out[i].Value), ",")
		topic := parts[field-2]
		at, err := strconv.Atoi(parts[field])
		if err != nil || next[topic] > 0 && at <= last[topic] || at < next[topic] {
			t.Errorf("%s shows offset %s of %s, after %d", out[i], parts[field], topic, last[topic])
		}
		parts[field] = strconv.Itoa(next[topic])
		next[topic], last[topic] = next[topic]+1, at
		out[i].Value = []byte(strings.Join(parts, ","))
	}
}

// walk runs the case of a recording as an app in dir, from the step where an earlier walk was stopped, and says "step N"
// before each. Each step is through before the next begins.
func walk(ctx context.Context, rec *conformance.Recording, dir string, workers int, out io.Writer) (o *outcome, err error) {
	topo, err := topology.Define("test", configured(rec, builders[rec.Case]))
	if err != nil {
		return nil, err
	}
	for _, topic := range topo.Graph().Topics {
		if !topic.Internal {
			topic.Partitions = 1
		}
	}
	a, err := stream.New(topo, stream.Config{Dir: dir, Workers: workers, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	done := make(chan error, 1)
	clock := &recordedClock{}
	go func() {
		err := a.Run(runtime.WithClock(ctx, clock.now))
		cancel(err)
		done <- err
	}()
	defer func() {
		cancel(nil)
		err = errors.Join(err, <-done)
	}()
	if err := steps(ctx, a, topo.Graph(), rec, clock, out); err != nil {
		return nil, errors.Join(err, context.Cause(ctx))
	}
	select {
	case <-a.Ready():
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	return collect(ctx, a, rec)
}

// recordedClock is the clock of a recording, which begins at 0.
type recordedClock struct{ ms atomic.Int64 }

func (c *recordedClock) now() time.Time { return time.UnixMilli(c.ms.Load()) }

// steps puts the records in, each in a transaction with its number.
func steps(ctx context.Context, a *stream.App, g *edge.Graph, rec *conformance.Recording, clock *recordedClock, out io.Writer) error {
	for _, name := range rec.Sinks { // a topic picked for each record is there already
		f, err := stream.NewFeed(ctx, a, "makes-"+name, blobs(name))
		if err != nil {
			return err
		}
		if err := f.Close(); err != nil {
			return err
		}
	}
	came := count(ctx, a, rec)
	feeds, next := map[string]*stream.Feed[[]byte, serde.Opt[[]byte]]{}, 0
	for _, name := range rec.Sources {
		f, err := stream.NewFeed(ctx, a, "steps-"+name, blobs(name))
		if err != nil {
			return err
		}
		defer f.Close()
		feeds[name] = f
		if p := f.Position(); p != "" {
			n, err := strconv.Atoi(p)
			if err != nil {
				return err
			}
			next = max(next, n+1)
		}
	}
	for _, s := range rec.Steps[:min(next, len(rec.Steps))] {
		clock.ms.Add(s.Wall)
	}
	for i := next; i <= len(rec.Steps); i++ {
		token, err := a.Token(ctx)
		if err == nil {
			err = a.WaitFor(ctx, token) // also for the step before the start
		}
		if err != nil || i == len(rec.Steps) {
			return err
		}
		fmt.Fprintf(out, "step %d\n", i)
		s := rec.Steps[i]
		if s.In == nil {
			select {
			case <-a.Ready(): // a schedule begins when its task does
			case <-ctx.Done():
				return context.Cause(ctx)
			}
			clock.ms.Add(s.Wall)
			if err := came.wait(ctx, rec.Steps[:i+1]); err != nil {
				return fmt.Errorf("step %d moves the clock to %d: %w", i, clock.ms.Load(), err)
			}
			continue
		}
		if s.In.Key == nil && g.Topic(s.In.Topic).Table {
			continue // a compacted topic takes no record without a key
		}
		f := feeds[s.In.Topic]
		if err := errors.Join(f.PutRecord(ctx, input(s.In)), f.Commit(ctx, strconv.Itoa(i))); err != nil {
			return err
		}
	}
	return nil
}

// arrivals counts what comes into the sinks of a recording.
type arrivals struct {
	ctx  context.Context
	a    *stream.App
	rec  *conformance.Recording
	one  chan struct{} // of each record; nil: nobody counts yet
	seen int
}

func count(ctx context.Context, a *stream.App, rec *conformance.Recording) *arrivals {
	return &arrivals{ctx: ctx, a: a, rec: rec}
}

// wait waits until as much has come as the steps make: a worker calls by the clock when it has its turn, and a token says
// nothing of that.
func (c *arrivals) wait(ctx context.Context, steps []conformance.Step) error {
	if len(steps[len(steps)-1].Out) == 0 {
		return nil
	}
	if c.one == nil {
		c.one = make(chan struct{})
		for _, name := range c.rec.Sinks {
			go func() {
				for _, err := range stream.Read(c.ctx, c.a, blobs(name)) {
					if err != nil {
						return
					}
					select {
					case c.one <- struct{}{}:
					case <-c.ctx.Done():
						return
					}
				}
			}()
		}
	}
	want := 0
	for _, s := range steps {
		want += len(s.Out)
	}
	for c.seen < want {
		select {
		case <-c.one:
			c.seen++
		case <-ctx.Done():
			return fmt.Errorf("%d of %d records have come: %w", c.seen, want, ctx.Err())
		}
	}
	return nil
}

// collect reads sinks and stores.
func collect(ctx context.Context, a *stream.App, rec *conformance.Recording) (*outcome, error) {
	o := &outcome{written: written{sinks: rec.Sinks}}
	for _, name := range rec.Sinks {
		for r, err := range stream.Read(ctx, a, blobs(name), stream.ReadOptions{ToEnd: true}) {
			if errors.Is(err, kafka.ErrNoTopic) {
				break // a sink that the case's code gets by without, or one picked for no record
			}
			if err != nil {
				return nil, err
			}
			x := sunk{topic: name, Record: topology.Record[[]byte, []byte]{Key: r.Key, Time: r.Time, Headers: r.Headers, NoKey: r.NoKey}}
			if r.Value.OK {
				x.Value = r.Value.Value
			}
			o.out = append(o.out, x)
		}
	}
	for _, s := range rec.Stores {
		rows, ok := rec.Final.Stores[s.Name]
		if !ok || generated(s.Name) || readers[s.Kind] == nil {
			continue
		}
		if err := readers[s.Kind](a, ours(rec, s.Name), rows); err != nil {
			o.differs = append(o.differs, fmt.Sprintf("store %s: %v", s.Name, err))
		}
	}
	return o, nil
}

// blobs is a topic as bytes, null values included.
func blobs(name string) topology.Topic[[]byte, serde.Opt[[]byte]] {
	t := topology.Nullable(topology.NewTopic(name, serde.Bytes, serde.Bytes))
	t.Partitions = 1
	return t
}
