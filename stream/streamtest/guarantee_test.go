package streamtest_test

import (
	"slices"
	"testing"

	"github.com/thalweg/thalweg/stream"
	"github.com/thalweg/thalweg/stream/streamtest"
	"github.com/thalweg/thalweg/topology"
)

// TestGuarantees: a crash before the commit has records processed again. What they wrote is there twice if it counts at
// least once, and once if exactly; the state stands for each record once.
func TestGuarantees(t *testing.T) {
	for _, x := range []struct {
		name        string
		atLeastOnce bool
		before      []int64 // to be read before the crash
		after       []int64 // in all after it
	}{
		{"exactly once", false, nil, []int64{1, 2, 3, 4}},
		{"at least once", true, []int64{1, 2, 3}, []int64{1, 2, 3, 1, 2, 3, 4}},
	} {
		t.Run(x.name, func(t *testing.T) {
			d := streamtest.New(t, func(b *topology.Builder) {
				stream.From(b, lines).GroupByKey().Count("seen").To(counts)
			}, streamtest.Options{Partitions: 1, CommitEvery: 100, AtLeastOnce: x.atLeastOnce})
			in, out := d.Topic(lines), d.Topic(counts)
			var got []int64
			read := func() {
				for _, r := range out.Read() {
					got = append(got, r.Value)
				}
			}
			d.After(3, func() {
				read()
				if !slices.Equal(got, x.before) {
					t.Errorf("%d before the commit, want %d", got, x.before)
				}
				d.Crash(0)
				d.Restart(0)
			})
			r := topology.Record[string, string]{Key: "gold"}
			in.PutAll(r, r, r, r)
			if read(); !slices.Equal(got, x.after) {
				t.Errorf("%d in the end, want %d", got, x.after)
			}
		})
	}
}
