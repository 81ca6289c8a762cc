package stream_test

import (
	"bufio"
	"context"
	"fmt"
	"maps"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/thalweg/thalweg/state"
	"github.com/thalweg/thalweg/stream"
	"github.com/thalweg/thalweg/table"
	"github.com/thalweg/thalweg/topology"
)

// replays are what restores of one instance have read, from its events.
type replays struct {
	mu       sync.Mutex
	from     map[string]int64 // by store and task: where the last restore began
	lacked   map[string]int64 // and how much it had to read
	records  int64
	assigned []string
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
		Assigned: func(tasks []string) {
			r.mu.Lock()
			defer r.mu.Unlock()
			r.assigned = append(r.assigned, tasks...)
		},
	}
}

// clear forgets what was so far.
func (r *replays) clear() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.from, r.lacked, r.records, r.assigned = map[string]int64{}, map[string]int64{}, 0, nil
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
	i := &instance{}
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
	i.Handler().ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	values := map[string]float64{}
	for lines := bufio.NewScanner(w.Body); lines.Scan(); {
		series, value, _ := strings.Cut(lines.Text(), "} ")
		if labels, ok := strings.CutPrefix(series, name+"{"); ok {
			values[labels], _ = strconv.ParseFloat(value, 64)
		}
	}
	return values
}

// copiesCaughtUp waits until the instance has so many copies, and none of them is behind.
func copiesCaughtUp(t *testing.T, ctx context.Context, i *instance, n int) {
	t.Helper()
	until(t, ctx, func() (bool, error) {
		lags := gauges(i, "thalweg_standby_lag_records")
		for _, lag := range lags {
			if lag > 0 {
				return false, nil
			}
		}
		return len(lags) == n, nil
	})
}

// atWork waits until instances have so many tasks each, and all of them their state.
func atWork(t *testing.T, ctx context.Context, n int, is ...*instance) {
	t.Helper()
	until(t, ctx, func() (bool, error) {
		for _, i := range is {
			tasks := 0.0
			for _, x := range gauges(i, "thalweg_tasks") {
				tasks += x
			}
			if int(tasks) != n {
				return false, nil
			}
		}
		return true, nil
	})
}

// kinds are tables with the same sums, kept in different ways.
var kinds = map[string]func(s *summed, b *topology.Builder){
	"changelog": func(s *summed, b *topology.Builder) { s.topology(b) },
	"in memory": func(s *summed, b *topology.Builder) {
		s.total = stream.From(b, amounts).GroupByKey().Reduce("total", func(a, v int64) int64 { return a + v }, state.Options{InMemory: true})
		s.total.To(sums)
	},
	"suppressed": func(s *summed, b *topology.Builder) {
		s.topology(b)
		s.total.Suppress("calm", table.Suppression{After: time.Hour}).To(calm)
	},
}

var calm = topology.NewTopic("calm", amounts.Key, amounts.Value)

// TestStandbysTakeOver has two instances with copies of each other's tasks. One goes away: the other goes on at once, having read
// of each changelog no more than its end, and the sums are exact. Another comes, and it happens again.
func TestStandbysTakeOver(t *testing.T) {
	for kind, define := range kinds {
		t.Run(kind, func(t *testing.T) {
			const keys = 200
			ctx, broker := limit(t), host(t)
			var s, s2, s3 summed
			cfg := stream.Config{Standbys: 1}
			a := join(t, func(b *topology.Builder) { define(&s, b) }, broker, cfg)
			b := join(t, func(b *topology.Builder) { define(&s2, b) }, broker, cfg)
			want := map[string]int64{}
			put := func(i *instance, v int64) {
				putSums(t, ctx, i.App, keys, v)
				for k := range keys {
					want[fmt.Sprint("k", k)] += v
				}
			}
			put(a, 1)
			put(a, 10)
			atWork2(t, ctx, 3, a, b)
			until(t, ctx, func() (bool, error) { return copies(a)+copies(b) == 3, nil })
			put(b, 100)
			copiesCaughtUp(t, ctx, a, copies(a))
			copiesCaughtUp(t, ctx, b, copies(b))

			for _, next := range []*summed{&s3, nil} {
				b.clear()
				if err := a.stop(); err != nil {
					t.Fatal(err)
				}
				atWork(t, ctx, 3, b)
				b.onlyTails(t)
				put(b, 1000)
				until(t, ctx, func() (bool, error) {
					got, err := rowsOf(ctx, s2.total.Query(b))
					return err == nil && maps.Equal(got, want), err
				})
				if next == nil {
					return
				}
				a = join(t, func(b *topology.Builder) { define(next, b) }, broker, cfg)
				atWork2(t, ctx, 3, a, b)
				until(t, ctx, func() (bool, error) { return copies(a)+copies(b) == 3, nil })
				copiesCaughtUp(t, ctx, a, copies(a))
				copiesCaughtUp(t, ctx, b, copies(b))
			}
		})
	}
}

// atWork2 waits until two instances have some of n tasks each.
func atWork2(t *testing.T, ctx context.Context, n int, a, b *instance) {
	t.Helper()
	until(t, ctx, func() (bool, error) { return tasks(a) > 0 && tasks(b) > 0 && tasks(a)+tasks(b) == n, nil })
}

func tasks(i *instance) (n int)  { return sumOf(i, "thalweg_tasks") }
func copies(i *instance) (n int) { return sumOf(i, "thalweg_standby_tasks") }

func sumOf(i *instance, metric string) (n int) {
	for _, x := range gauges(i, metric) {
		n += int(x)
	}
	return n
}

// onlyTails fails the test if a restore has read more than the end of a changelog: markers, and at most a few records.
func (r *replays) onlyTails(t *testing.T) {
	t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.from) == 0 {
		t.Error("nothing was restored: the test shows little")
	}
	for name, from := range r.from {
		if from == 0 || r.lacked[name] > 20 {
			t.Errorf("%s was restored from %d, %d offsets", name, from, r.lacked[name])
		}
	}
	if r.records > 10 {
		t.Errorf("%d records were restored", r.records)
	}
}
