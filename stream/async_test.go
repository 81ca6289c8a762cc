package stream_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/thalweg/thalweg/serde"
	"github.com/thalweg/thalweg/stream"
	"github.com/thalweg/thalweg/stream/streamtest"
	"github.com/thalweg/thalweg/topology"
)

var (
	questions = topology.Topic[string, int64]{Name: "questions", Key: serde.String, Value: serde.Int64, Partitions: 2}
	answers   = topology.Topic[string, string]{Name: "answers", Key: serde.String, Value: serde.String, Partitions: 2}
)

// asking maps questions to answers by f.
func asking(concurrency int, f func(context.Context, int64) (string, error), opts ...stream.AsyncOptions) func(*topology.Builder) {
	return func(b *topology.Builder) {
		stream.From(b, questions).MapValuesAsync("ask", concurrency, f, opts...).To(answers)
	}
}

// answered are the answers read so far by key, in their order.
type answered map[string][]string

// read adds what is new.
func (a answered) read(t *streamtest.Topic[string, string]) {
	for _, r := range t.Read() {
		a[r.Key] = append(a[r.Key], r.Value)
	}
}

// want compares.
func (a answered) want(t *testing.T, want map[string][]string) {
	t.Helper()
	if !maps.EqualFunc(a, want, slices.Equal[[]string]) {
		t.Errorf("got %v, want %v", a, want)
	}
}

// TestAsyncKeepsTheOrderOfAKey answers the second question of one key sooner than the first, and lets another key overtake.
func TestAsyncKeepsTheOrderOfAKey(t *testing.T) {
	first := make(chan struct{})
	d := streamtest.New(t, asking(4, func(ctx context.Context, v int64) (string, error) {
		if v == 1 {
			<-first
		}
		return fmt.Sprint(v), nil
	}), streamtest.Options{LeaveCalls: true})
	in, out := d.Topic(questions), d.Topic(answers)
	in.Put("a", 1)
	in.Put("a", 2)
	in.Put("b", 3)
	got := answered{}
	for len(got) == 0 {
		d.Advance(0) // b's answer comes when it does; a's cannot
		got.read(out)
	}
	got.want(t, map[string][]string{"b": {"3"}})
	close(first)
	d.Wait()
	got.read(out)
	got.want(t, map[string][]string{"a": {"1", "2"}, "b": {"3"}})
}

// TestAsyncCallsAreMadeAgainAfterACrash crashes while calls are under way: their records are committed, their results are not.
func TestAsyncCallsAreMadeAgainAfterACrash(t *testing.T) {
	var dying atomic.Bool // calls last until the task is gone
	dying.Store(true)
	d := streamtest.New(t, asking(4, func(ctx context.Context, v int64) (string, error) {
		if dying.Load() {
			<-ctx.Done()
		}
		return fmt.Sprint(v), ctx.Err()
	}), streamtest.Options{LeaveCalls: true})
	in, out := d.Topic(questions), d.Topic(answers)
	for v := range int64(3) {
		in.Put("a", v)
	}
	in.Put("b", 7)
	d.Crash(0)
	d.Restart(0)
	d.Crash(0)
	dying.Store(false)
	d.Restart(0)
	d.Wait()
	got := answered{}
	got.read(out)
	got.want(t, map[string][]string{"a": {"0", "1", "2"}, "b": {"7"}})
}

// TestAsyncParksBetweenAttempts has a key wait for its next attempt, over a restart, while another goes on.
func TestAsyncParksBetweenAttempts(t *testing.T) {
	var mu sync.Mutex
	tries := 0
	d := streamtest.New(t, asking(1, func(_ context.Context, v int64) (string, error) {
		mu.Lock()
		defer mu.Unlock()
		if v == 1 {
			if tries++; tries < 3 {
				return "", errors.New("busy")
			}
		}
		return fmt.Sprint(v), nil
	}, stream.AsyncOptions{Attempts: 3, Park: true, Backoff: func(int) time.Duration { return time.Minute }}))
	in, out := d.Topic(questions), d.Topic(answers)
	in.Put("a", 1)
	in.Put("a", 2)
	in.Put("b", 3)
	got := answered{}
	got.read(out)
	got.want(t, map[string][]string{"b": {"3"}})
	d.Advance(time.Minute)
	d.Crash(0)
	d.Restart(0)
	d.Wait()
	if tries != 2 {
		t.Errorf("%d attempts before the second minute is over, want 2", tries)
	}
	d.Advance(time.Minute)
	got.read(out)
	got.want(t, map[string][]string{"a": {"1", "2"}, "b": {"3"}})
}

// TestAsyncFailuresGoToThePolicy shows that the error after the last attempt, and a panic, name the record, and can be skipped.
func TestAsyncFailuresGoToThePolicy(t *testing.T) {
	var failed []string
	d := streamtest.New(t, asking(2, func(ctx context.Context, v int64) (string, error) {
		switch v {
		case 0:
			panic("none of that")
		case 1:
			<-ctx.Done()
			return "", ctx.Err()
		}
		return fmt.Sprint(v), nil
	}, stream.AsyncOptions{Timeout: time.Millisecond, Attempts: 2, Backoff: func(int) time.Duration { return 0 }}), streamtest.Options{
		Errors: func(node string, err error) bool {
			failed = append(failed, node+": "+strings.SplitN(err.Error(), "\n", 2)[0])
			return true
		},
	})
	in, out := d.Topic(questions), d.Topic(answers)
	for v := range int64(3) {
		in.Put("a", v)
	}
	got := answered{}
	got.read(out)
	got.want(t, map[string][]string{"a": {"2"}})
	want := []string{"ask: panic: none of that", "ask: context deadline exceeded"}
	if !slices.Equal(failed, want) {
		t.Errorf("failures %q, want %q", failed, want)
	}
}

// TestAsyncTakesNoMoreThanItMayKeep puts more records than may wait: the rest stays in the topic until there is room.
func TestAsyncTakesNoMoreThanItMayKeep(t *testing.T) {
	const records, most = 3000, 1024
	open := make(chan struct{})
	taken := 0
	d := streamtest.New(t, func(b *topology.Builder) {
		stream.From(b, questions).
			Peek(func(topology.Record[string, int64]) { taken++ }).
			MapValuesAsync("ask", 2, func(_ context.Context, v int64) (string, error) { <-open; return fmt.Sprint(v), nil }).
			To(answers)
	}, streamtest.Options{LeaveCalls: true, CommitEvery: 100})
	in, out := d.Topic(questions), d.Topic(answers)
	for v := range int64(records) {
		in.Put("a", v) // one key, one partition
	}
	if taken != most {
		t.Errorf("%d records are taken while none has a result, want %d", taken, most)
	}
	close(open)
	d.Wait()
	want := map[string][]string{}
	for v := range records {
		want["a"] = append(want["a"], fmt.Sprint(v))
	}
	got := answered{}
	got.read(out)
	got.want(t, want)
}

// TestAsyncGivesEachResultOnce runs random records, crashes and times of commits, on several instances.
func TestAsyncGivesEachResultOnce(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	for range 30 {
		opts := stream.AsyncOptions{Attempts: 1 + r.IntN(3), Park: r.IntN(2) == 0, Backoff: func(int) time.Duration { return time.Millisecond }}
		instances := 1 + r.IntN(3)
		var mu sync.Mutex
		tries := map[int64]int{}
		d := streamtest.New(t, asking(1+r.IntN(4), func(_ context.Context, v int64) (string, error) {
			mu.Lock()
			defer mu.Unlock()
			if tries[v]++; tries[v] < opts.Attempts && v%3 == 0 {
				return "", errors.New("again")
			}
			return fmt.Sprint(v), nil
		}, opts), streamtest.Options{LeaveCalls: true, Instances: instances, CommitEvery: 1 + r.IntN(5), Seed: r.Uint64()})
		in, out := d.Topic(questions), d.Topic(answers)
		want := map[string][]string{}
		for v := range int64(60) {
			k := string(rune('a' + r.IntN(5)))
			in.Put(k, v)
			want[k] = append(want[k], fmt.Sprint(v))
			switch r.IntN(12) {
			case 0:
				i := r.IntN(instances)
				d.Crash(i)
				d.Restart(i)
			case 1:
				d.Wait()
			case 2:
				d.Advance(time.Millisecond)
			}
		}
		for range 200 { // parked ones become due one after the other
			d.Wait()
			d.Advance(time.Millisecond)
		}
		d.Commit()
		got := answered{}
		got.read(out)
		if got.want(t, want); t.Failed() {
			return
		}
	}
}
