package stream_test

import (
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/thalweg/thalweg/state"
	"github.com/thalweg/thalweg/stream"
	"github.com/thalweg/thalweg/topology"
	"github.com/thalweg/thalweg/window"
)

// TestWorkersComeAndGo changes the number of workers while records are summed: every task is always somebody's, and no record
// is lost or counted twice. A task that changes hands is opened anew.
func TestWorkersComeAndGo(t *testing.T) {
	ctx, dir := limit(t), t.TempDir()
	var s summed
	var opened atomic.Int64
	define := func(b *topology.Builder) {
		s.topology(b)
		stream.From(b, amounts).Process("opens", func(ctx *topology.Context[string, int64]) (topology.Processor[string, int64], error) {
			opened.Add(1)
			return nothing{}, nil
		})
	}
	a, stop := start(t, define, stream.Config{Dir: dir, Workers: 1})
	putSums(t, ctx, a, 30, 1)
	total, opens := int64(1), int64(3)
	for i, n := range []int{3, 1, 2, 5, 1} {
		if err := a.SetWorkers(n); err != nil {
			t.Fatal(err)
		}
		putSums(t, ctx, a, 30, int64(i+10))
		total += int64(i + 10)
		opens += []int64{2, 2, 1, 1, 2}[i]
		if got := opened.Load(); got != opens {
			t.Errorf("%d workers: tasks were opened %d times, want %d", n, got, opens)
		}
		check(t, s.total.Query(a), total)
	}
	if err := a.SetWorkers(0); err == nil {
		t.Error("no workers were taken")
	}
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	again, _ := start(t, define, stream.Config{Dir: dir, Workers: 1})
	putSums(t, ctx, again, 30, 100)
	check(t, s.total.Query(again), total+100)
}

// check compares all thirty sums.
func check(t *testing.T, r state.Rows[string, int64], want int64) {
	t.Helper()
	ctx := limit(t)
	until(t, ctx, func() (bool, error) {
		rows, err := rowsOf(ctx, r)
		if err != nil {
			return false, err
		}
		for i := range 30 {
			if k := fmt.Sprint("k", i); rows[k] != want {
				t.Errorf("%s = %d, want %d", k, rows[k], want)
			}
		}
		return true, nil
	})
}

// nothing takes records and does nothing.
type nothing struct{}

func (nothing) Process(topology.Record[string, int64]) error { return nil }

// TestLagAndDropsAreTold pauses an app: its lag is known by records and by time. A record without a key is dropped, and told.
func TestLagAndDropsAreTold(t *testing.T) {
	ctx := limit(t)
	var s summed
	drops := make(chan string, 10)
	a, _ := start(t, s.topology, stream.Config{Dir: t.TempDir(), Workers: 1, Events: stream.Events{
		Dropped: func(node, reason string, n int64) { drops <- fmt.Sprint(node != "", " ", reason, " ", n) },
	}})
	w := stream.NewWriter(a, amounts)
	old := window.At(time.Now().Add(-time.Hour))
	for _, r := range []topology.Record[string, int64]{{Value: 1, NoKey: true, Time: old}, {Key: "k", Value: 1, Time: old}} {
		if err := w.PutRecord(ctx, r); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Flush(ctx); err != nil {
		t.Fatal(err)
	}
	if got := <-drops; got != "true null-key 1" {
		t.Errorf("dropped: %s", got)
	}
	sum := func() (n int64, behind time.Duration, at int64) {
		for _, l := range a.Lag() {
			if l.Topic == amounts.Name && !l.Restoring {
				n, behind, at = n+l.Records, max(behind, l.Behind), at+l.Checkpoint
			}
		}
		return n, behind, at
	}
	until(t, ctx, func() (bool, error) {
		n, behind, at := sum()
		return n == 0 && behind == 0 && at >= 2, nil
	})
	a.Pause()
	if err := errors.Join(w.PutRecord(ctx, topology.Record[string, int64]{Key: "k", Value: 1, Time: old}), w.Close()); err != nil {
		t.Fatal(err)
	}
	until(t, ctx, func() (bool, error) {
		n, behind, _ := sum()
		return n == 1 && behind >= time.Hour, nil
	})
	a.Resume()
	until(t, ctx, func() (bool, error) {
		n, behind, _ := sum()
		return n == 0 && behind == 0, nil
	})
}
