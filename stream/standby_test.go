package stream_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/thalweg/thalweg/state"
	"github.com/thalweg/thalweg/state/statetest"
	"github.com/thalweg/thalweg/stream"
	"github.com/thalweg/thalweg/table"
	"github.com/thalweg/thalweg/topology"
)

// replays are what restores of one instance have read, from its events.
type replays struct {
	mu      sync.Mutex
	from    map[string]int64 // by store and task: where the last restore began
	lacked  map[string]int64 // and how much it had to read
	records int64

	hold chan struct{} // restores wait until it is closed; nil: they do not
}

func (r *replays) events() stream.Events {
	return stream.Events{
		RestoreBegin: func(store, task string, from, to int64) {
			r.mu.Lock()
			defer r.mu.Unlock()
			r.from[store+" "+task], r.lacked[store+" "+task] = from, to-from
		},
		RestoreEnd: func(_, _ string, records int64) {
			r.mu.Lock()
			defer r.mu.Unlock()
			r.records += records
		},
		RestoreBatch: func(_, _ string, _ int64) {
			if r.hold != nil {
				<-r.hold
			}
		},
	}
}

// clear forgets what was so far.
func (r *replays) clear() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.from, r.lacked, r.records = map[string]int64{}, map[string]int64{}, 0
}

// instance is an app of several under one name, with what it has restored.
type instance struct {
	*stream.App
	stop func() error
	replays
}

// join starts an instance of a topology on brokers.
func join(t *testing.T, define func(*topology.Builder), broker string, cfg stream.Config) *instance {
	t.Helper()
	return joinHeld(t, define, broker, cfg, nil)
}

// joinHeld is join; restores wait until hold is closed.
func joinHeld(t *testing.T, define func(*topology.Builder), broker string, cfg stream.Config, hold chan struct{}) *instance {
	t.Helper()
	i := &instance{}
	i.hold = hold
	i.clear()
	cfg.App, cfg.Dir, cfg.Workers, cfg.Brokers, cfg.CreateTopics, cfg.Events = "copied", t.TempDir(), 1, []string{broker}, true, i.events()
	i.App, i.stop = start(t, define, cfg)
	return i
}

// host runs an engine for others, under an app of its own, and returns its address.
func host(t *testing.T) string {
	t.Helper()
	broker := freePort(t)
	a, _ := start(t, words, stream.Config{App: "host", Dir: t.TempDir(), Workers: 1, Listen: broker})
	if _, err := a.Token(limit(t)); err != nil {
		t.Fatal(err)
	}
	return broker
}

// gauges returns the values of a metric of the instance, by what stands between the braces.
func gauges(i *instance, name string) map[string]float64 {
	w := httptest.NewRecorder()
	r := httptest.NewRequest("GET", "/metrics", nil)
	r.Header.Set("Authorization", "Bearer secret")
	i.Handler().ServeHTTP(w, r)
	values := map[string]float64{}
	for lines := bufio.NewScanner(w.Body); lines.Scan(); {
		series, value, _ := strings.Cut(lines.Text(), "} ")
		if labels, ok := strings.CutPrefix(series, name+"{"); ok {
			values[labels], _ = strconv.ParseFloat(value, 64)
		}
	}
	return values
}

// kinds are tables with the same sums, kept in different ways.
var kinds = map[string]func(s *summed, b *topology.Builder){
	"changelog": func(s *summed, b *topology.Builder) { s.topology(b) },
	"in memory": func(s *summed, b *topology.Builder) {
		s.total = stream.From(b, amounts).GroupByKey().Reduce("total", func(a, v int64) int64 { return a + v }, state.Options{InMemory: true})
		s.total.To(sums)
	},
	"in a tier of one's own": func(s *summed, b *topology.Builder) {
		s.total = stream.From(b, amounts).GroupByKey().Reduce("total", func(a, v int64) int64 { return a + v }, state.Options{Backend: single{}})
		s.total.To(sums)
	},
	"in a store of one's own": func(s *summed, b *topology.Builder) {
		s.total = stream.From(b, amounts).ProcessValues("add", adding, ownSums).ToTable("total")
		s.total.To(sums)
	},
	"suppressed": func(s *summed, b *topology.Builder) {
		s.topology(b)
		s.total.Suppress("calm", table.Suppression{After: time.Hour}).To(calm)
	},
}

// single is a backend of files that are not open twice at a time.
type single struct{ statetest.Files }

func (s single) Open(dir, store string, partition int32) (state.Tier, error) {
	mark := filepath.Join(dir, "open")
	f, err := os.OpenFile(mark, os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return nil, fmt.Errorf("it is open already: %w", err)
	}
	if err := f.Close(); err != nil {
		return nil, err
	}
	tier, err := s.Files.Open(dir, store, partition)
	return marked{tier, mark}, err
}

type marked struct {
	state.Tier
	mark string
}

func (m marked) Close() error { return errors.Join(m.Tier.Close(), os.Remove(m.mark)) }

var calm = topology.NewTopic("calm", amounts.Key, amounts.Value)

// TestStandbysTakeOver has two instances with copies of each other's tasks. One goes away: the other goes on at once, having read
// of each changelog no more than its end, and the sums are exact. Another comes, and it happens again.
func TestStandbysTakeOver(t *testing.T) {
	for kind, define := range kinds {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			ctx, broker := limit(t), host(t)
			var s, s2, s3 summed
			cfg := stream.Config{Standbys: 1}
			a := join(t, func(b *topology.Builder) { define(&s, b) }, broker, cfg)
			b := join(t, func(b *topology.Builder) { define(&s2, b) }, broker, cfg)
			want := sumsWanted{}
			want.put(t, ctx, a, 1)
			want.put(t, ctx, a, 10)
			atWork(t, ctx, 3, a, b)
			want.put(t, ctx, b, 100)
			want.copied(t, ctx, s.total.Query(a))
			want.copied(t, ctx, s2.total.Query(b))
			caughtUp(t, ctx, a, b)

			goOn := func() {
				b.clear()
				if err := a.stop(); err != nil {
					t.Fatal(err)
				}
				atWork(t, ctx, 3, b)
				b.onlyTails(t, 20)
				if b.records > 20 {
					t.Errorf("%d records were restored", b.records)
				}
				want.put(t, ctx, b, 1000)
				want.copied(t, ctx, s2.total.Query(b))
			}
			goOn()
			a = join(t, func(b *topology.Builder) { define(&s3, b) }, broker, cfg)
			atWork(t, ctx, 3, a, b)
			want.copied(t, ctx, s2.total.Query(b))
			caughtUp(t, ctx, a, b)
			goOn()
		})
	}
}

// TestATaskMovesOnceItsCopyIsWarm has two instances come to one that has all state, which is more than AcceptableLag: no task
// begins there before its copy lacks less than that, and one copy is made at a time. Meanwhile records come; two of the three go.
func TestATaskMovesOnceItsCopyIsWarm(t *testing.T) {
	t.Parallel()
	const acceptable = 30
	ctx, broker := limit(t), host(t)
	var ss [3]summed
	cfg := stream.Config{AcceptableLag: acceptable, WarmUps: 1}
	want := sumsWanted{}
	a := join(t, ss[0].topology, broker, cfg)
	want.put(t, ctx, a, 1)
	want.put(t, ctx, a, 10)
	cfg.Standbys = 1
	b := join(t, ss[1].topology, broker, cfg)
	c := join(t, ss[2].topology, broker, cfg)
	until(t, ctx, func() (bool, error) {
		n := 0
		for _, i := range []*instance{a, b, c} {
			n += sumOf(i, "thalweg_warmup_tasks")
		}
		if n > 2 { // one to be made, and one that waits for its task to be given up
			t.Fatalf("%d warm-ups at once", n)
		}
		return tasks(b) == 1 && tasks(c) == 1 && tasks(a) == 1, nil
	})
	b.onlyTails(t, acceptable)
	c.onlyTails(t, acceptable)
	want.put(t, ctx, b, 100)
	if err := a.stop(); err != nil {
		t.Fatal(err)
	}
	atWork(t, ctx, 3, b, c)
	want.put(t, ctx, c, 1000)
	want.copied(t, ctx, ss[2].total.Query(c)) // one task, and what the other has left on this side
	if err := b.stop(); err != nil {
		t.Fatal(err)
	}
	atWork(t, ctx, 3, c)
	want.put(t, ctx, c, 10000)
	want.copied(t, ctx, ss[2].total.Query(c))
}

// TestWhoComesBackWithoutStateGivesWay has an instance die and come back, as the static member it was, with an empty directory. It
// is given what it had, which the other has warm copies of: it gives that up, and gets its share back once it has copies of its own.
func TestWhoComesBackWithoutStateGivesWay(t *testing.T) {
	t.Parallel()
	ctx, broker := limit(t), host(t)
	var s, s2, s3 summed
	cfg := stream.Config{Standbys: 1, AcceptableLag: 30}
	b := join(t, s.topology, broker, cfg)
	cfg.Instance, cfg.Drain = "frail", time.Nanosecond // it has no time to leave the group
	a := join(t, s2.topology, broker, cfg)
	want := sumsWanted{}
	atWork(t, ctx, 3, a, b)
	want.put(t, ctx, b, 1)
	want.put(t, ctx, b, 10)
	want.copied(t, ctx, s.total.Query(b))
	caughtUp(t, ctx, a, b)
	b.clear()
	_ = a.stop()
	cfg.Drain = 0
	moving := make(chan struct{})
	var once sync.Once
	cfg.OnState = func(_, is stream.State) {
		if is == stream.StateRebalancing {
			once.Do(func() { close(moving) })
		}
	}
	a = joinHeld(t, s3.topology, broker, cfg, moving)
	select {
	case <-moving:
	case <-ctx.Done():
		t.Fatal("it keeps what it has no state of")
	}
	a.clear()
	until(t, ctx, func() (bool, error) { return b.restores() > 0, nil })
	atWork(t, ctx, 3, a, b)
	b.onlyTails(t, 30)
	if a.restores() > 0 { // else what it has left is its share
		a.onlyTails(t, 30)
	}
	want.put(t, ctx, a, 100)
	want.copied(t, ctx, s.total.Query(b))
}

// TestStaleRowsComeFromCopies asks for keys that another instance has, where that one cannot be reached.
func TestStaleRowsComeFromCopies(t *testing.T) {
	t.Parallel()
	ctx, broker := limit(t), host(t)
	nowhere := freePort(t)
	var ss [3]summed
	cfg := stream.Config{Standbys: 1, Ops: stream.Ops{Addr: "127.0.0.1:0", Queries: true, Token: "secret"}}
	b := join(t, ss[1].topology, broker, cfg)
	c := join(t, ss[2].topology, broker, cfg)
	cfg.Ops.Advertise = nowhere
	a := join(t, ss[0].topology, broker, cfg)
	want := sumsWanted{}
	want.put(t, ctx, a, 7)
	until(t, ctx, func() (bool, error) { return tasks(a) == 1 && tasks(b) == 1 && tasks(c) == 1, nil })
	for _, i := range []*instance{a, b, c} {
		caughtUp(t, ctx, i)
	}
	refused := 0
	for k, v := range want {
		h, err := ss[2].total.Query(c).Owner(ctx, k)
		if err != nil || len(h.Standbys) != 1 || h.Standbys[0] == h.Addr {
			t.Fatalf("the owner of %s is %+v, %v", k, h, err)
		}
		until(t, ctx, func() (bool, error) {
			n, _, err := ss[2].total.Query(c).Stale().Get(ctx, k)
			return n == v, err
		})
		if h.Addr == nowhere {
			if _, _, err := ss[2].total.Query(c).Get(ctx, k); !errors.Is(err, state.ErrRebalancing) {
				t.Errorf("%s, of an instance that cannot be reached: %v", k, err)
			}
			refused++
		}
	}
	if refused == 0 {
		t.Error("every owner could be reached: the test shows little")
	}
	want.copied(t, ctx, ss[2].total.Query(c))
}

// prices are rows restored from their topic itself. Their times are in their values.
var prices = topology.Topic[string, int64]{Name: "prices", Key: amounts.Key, Value: amounts.Value, Partitions: 3,
	Timestamp: func(r topology.Record[string, int64]) time.Time { return time.UnixMilli(r.Value) }}

// TestTablesOfTopicsAreCopied has a copy follow the topic of a table as far as the task has committed it, and take over.
func TestTablesOfTopicsAreCopied(t *testing.T) {
	t.Parallel()
	ctx, broker := limit(t), host(t)
	define := func(b *topology.Builder) {
		stream.From(b, amounts).JoinTable("priced", table.From(b, prices), func(n, price int64) int64 { return n * price }).To(sums)
	}
	a := join(t, define, broker, stream.Config{Standbys: 1})
	b := join(t, define, broker, stream.Config{Standbys: 1})
	atWork(t, ctx, 3, a, b)
	caughtUp(t, ctx, a, b)
	w := stream.NewWriter(a.App, prices)
	for k := range int64(300) {
		if err := w.Put(ctx, fmt.Sprint("k", k), 1000+k); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	until(t, ctx, func() (bool, error) {
		return sumOf(a, "thalweg_copied_records_total")+sumOf(b, "thalweg_copied_records_total") == 300, nil
	})
	b.clear()
	if err := a.stop(); err != nil {
		t.Fatal(err)
	}
	atWork(t, ctx, 3, b)
	b.onlyTails(t, 20)
	putSums(t, ctx, b.App, 300, 2)
	got := map[string]int64{}
	for r, err := range stream.Read(ctx, b.App, sums) {
		if err != nil {
			t.Fatalf("%v: %d results", err, len(got))
		}
		if got[r.Key] = r.Value; len(got) == 300 {
			break
		}
	}
	for k := range int64(300) {
		if v := got[fmt.Sprint("k", k)]; v != 2*(1000+k) {
			t.Errorf("k%d: %d", k, v)
		}
	}
}

// sumsWanted are the sums there have to be.
type sumsWanted map[string]int64

// put adds v to 200 keys, and waits until that is done.
func (w sumsWanted) put(t *testing.T, ctx context.Context, i *instance, v int64) {
	t.Helper()
	const keys = 200
	putSums(t, ctx, i.App, keys, v)
	for k := range keys {
		w[fmt.Sprint("k", k)] += v
	}
}

// copied waits until an instance has all rows, its own or copies.
func (w sumsWanted) copied(t *testing.T, ctx context.Context, r state.Rows[string, int64]) {
	t.Helper()
	until(t, ctx, func() (bool, error) {
		got, err := rowsOf(ctx, r.Stale())
		return err == nil && maps.Equal(got, w), err
	})
}

// caughtUp waits until instances have copies, which are not behind.
func caughtUp(t *testing.T, ctx context.Context, is ...*instance) {
	t.Helper()
	until(t, ctx, func() (bool, error) {
		for _, i := range is {
			lags := gauges(i, "thalweg_standby_lag_records")
			for _, lag := range lags {
				if lag > 0 {
					return false, nil
				}
			}
			if len(lags) == 0 || len(lags) != sumOf(i, "thalweg_standby_tasks") {
				return false, nil
			}
		}
		return true, nil
	})
}

// atWork waits until n tasks are spread over the instances.
func atWork(t *testing.T, ctx context.Context, n int, is ...*instance) {
	t.Helper()
	until(t, ctx, func() (bool, error) {
		all := 0
		for _, i := range is {
			if tasks(i) == 0 {
				return false, nil
			}
			all += tasks(i)
		}
		return all == n, nil
	})
}

func tasks(i *instance) int { return sumOf(i, "thalweg_tasks") }

func sumOf(i *instance, metric string) (n int) {
	for _, x := range gauges(i, metric) {
		n += int(x)
	}
	return n
}

// restores is how many stores have begun to be restored.
func (r *replays) restores() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.from)
}

// onlyTails fails the test if a restore had more than so many offsets to read, or all of a changelog.
func (r *replays) onlyTails(t *testing.T, most int64) {
	t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.from) == 0 {
		t.Error("nothing was restored: the test shows little")
	}
	for name, from := range r.from {
		if from == 0 || r.lacked[name] > most {
			t.Errorf("%s was restored from %d, %d offsets", name, from, r.lacked[name])
		}
	}
}
