package stream_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/thalweg/thalweg/serde"
	"github.com/thalweg/thalweg/serde/windowed"
	"github.com/thalweg/thalweg/stream"
	"github.com/thalweg/thalweg/stream/streamtest"
	"github.com/thalweg/thalweg/table"
	"github.com/thalweg/thalweg/topology"
	"github.com/thalweg/thalweg/window"
)

const ms = time.Millisecond

var sessionsOut = topology.NewTopic("finals", windowed.Session(serde.String), serde.Int64)

// finals are what has been written to out since the last call, as "key@[start,end)=value".
func finals(out *streamtest.Topic[window.Key[string], int64]) (text []string) {
	for _, r := range out.Read() {
		text = append(text, fmt.Sprintf("%s@[%d,%d)=%d", r.Key.Key, r.Key.Start, r.Key.End, r.Value))
	}
	return text
}

// counted are the counts per window, as the definition says.
func counted(w window.Windows) func(b *topology.Builder) table.Windowed[string, int64] {
	return func(b *topology.Builder) table.Windowed[string, int64] {
		return stream.From(b, numbers).GroupByKey().Windowed(w).Count("counts")
	}
}

// TestFinalLosesNothing: time that jumps over many windows closes each, although the store keeps none longer than it takes
// records.
func TestFinalLosesNothing(t *testing.T) {
	for name, c := range map[string]struct {
		w    window.Windows
		want []string
	}{
		"tumbling": {window.Tumbling(10 * ms), []string{"a@[10,20)=1", "b@[10,20)=1"}},
		"hopping":  {window.Hopping(10*ms, 5*ms), []string{"a@[5,15)=1", "b@[5,15)=1", "a@[10,20)=1", "b@[10,20)=1"}},
		"sliding":  {window.Sliding(10 * ms), []string{"a@[2,12)=1", "b@[2,12)=1"}},
		"calendar": {window.Day(time.UTC), nil},
	} {
		t.Run(name, func(t *testing.T) {
			d := streamtest.New(t, func(b *topology.Builder) { counted(c.w)(b).Final().To(sessionsOut) }, streamtest.Options{Partitions: 1})
			in, out := d.Topic(numbers), d.Topic(sessionsOut)
			in.PutAt(12, "a", 1)
			in.PutAt(12, "b", 1)
			in.PutAt(3500, "c", 1)
			if got := finals(out); !slices.Equal(got, c.want) {
				t.Errorf("got %v, want %v", got, c.want)
			}
		})
	}
}

// TestFinalOnce: wherever it is killed, each window is final once, and what is late after a restart does not open it again.
func TestFinalOnce(t *testing.T) {
	type put struct {
		at  window.Instant
		key string
	}
	puts := []put{{3, "a"}, {7, "b"}, {12, "a"}, {4, "a"}, {9, "b"}, {25, "b"}, {13, "a"}, {31, "a"}, {2, "a"}, {45, "c"}}
	want := []string{"a@[0,10)=1", "b@[0,10)=1", "a@[10,20)=1", "b@[20,30)=1", "a@[30,40)=1"}
	for crash := range len(puts) {
		for _, wipe := range []bool{false, true} {
			t.Run(fmt.Sprintf("%d/wiped=%v", crash, wipe), func(t *testing.T) {
				d := streamtest.New(t, func(b *topology.Builder) { counted(window.Tumbling(10 * ms))(b).Final().To(sessionsOut) },
					streamtest.Options{Partitions: 1})
				in, out := d.Topic(numbers), d.Topic(sessionsOut)
				for i, p := range puts {
					if i == crash {
						d.Crash(0)
						if wipe {
							d.Wipe(0)
						} else {
							d.Restart(0)
						}
					}
					in.PutAt(p.at, p.key, 1)
				}
				if got := finals(out); !slices.Equal(got, want) {
					t.Errorf("got %v, want %v", got, want)
				}
			})
		}
	}
}

// TestFinalMovesUp: what is between the aggregate and Final maps the closed windows too, beside the updates.
func TestFinalMovesUp(t *testing.T) {
	updates := topology.NewTopic("updates", windowed.Session(serde.String), serde.Int64)
	d := streamtest.New(t, func(b *topology.Builder) {
		counts := counted(window.Tumbling(10 * ms))(b).
			Filter(func(_ window.Key[string], n int64) bool { return n != 1 }).
			MapValues(func(n int64) int64 { return 10 * n }).
			MapWithKey(func(k window.Key[string], n int64) int64 { return n + int64(k.Start) })
		counts.Then(stream.WindowUpdates).To(updates)
		counts.Final().Then(stream.WindowUpdates).To(sessionsOut)
	}, streamtest.Options{Partitions: 1})
	in, out, all := d.Topic(numbers), d.Topic(sessionsOut), d.Topic(updates)
	for _, at := range []window.Instant{11, 12, 13, 21, 31} {
		in.PutAt(at, "a", 1)
	}
	if got, want := finals(all), []string{"a@[10,20)=30", "a@[10,20)=40"}; !slices.Equal(got, want) {
		t.Errorf("updates %v, want %v", got, want)
	}
	if got, want := finals(out), []string{"a@[10,20)=40"}; !slices.Equal(got, want) {
		t.Errorf("final %v, want %v", got, want)
	}
}
