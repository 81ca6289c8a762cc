package bench

import (
	"testing"
	"time"

	"github.com/thalweg/thalweg/serde"
	"github.com/thalweg/thalweg/stream"
	"github.com/thalweg/thalweg/topology"
	"github.com/thalweg/thalweg/window"
)

// joinStreams joins the even with the odd orders: two that follow each other have the same customer. Time goes on by a
// millisecond every ten orders, so that what is kept expires as fast as more comes.
func joinStreams(b *topology.Builder) {
	n := int64(0)
	timed := topology.Topic[int64, order]{Name: "in", Key: serde.Int64, Value: orderSerde{},
		Timestamp: func(topology.Record[int64, order]) time.Time { n++; return time.UnixMilli(n / 10) }}
	in := stream.From(b, timed)
	even := in.Filter(func(_ int64, v order) bool { return v.ID%2 == 0 })
	odd := in.Filter(func(_ int64, v order) bool { return v.ID%2 == 1 })
	discard(even.Join("j", odd, window.Within(200*time.Millisecond), func(l, r order) order { l.Count += r.Count; return l }))
}

// pairs is the i-th order: two in a row have the same customer, of so many.
func pairs(customers int) func(i int, key, value []byte) (k, v []byte, at int64) {
	return func(i int, key, value []byte) (k, v []byte, at int64) {
		n := int64(i)
		k, _ = serde.Int64.Append(key, n/2%int64(customers))
		v, _ = orderSerde{}.Append(value, order{n, n / 2 % int64(customers), 7, 3, n % 365})
		return k, v, 0
	}
}

// TestJoinedStreamsAllocateNothing runs batches through a stream-stream join, with commits: what a row has left is used
// again after its commit. What is allocated is the commit's own, and the same for one batch and for four.
func TestJoinedStreamsAllocateNothing(t *testing.T) {
	const commits = 8 // allocations that a commit may make
	for _, batches := range []int{1, 4} {
		l := open(t, joinStreams, 8*perBatch, pairs(2048))
		for _, side := range []string{"this", "other"} {
			l.bed.Out("test-j-" + side + "-join-store-changelog").Discard = true
		}
		step := func() {
			for range batches {
				l.step(t)
			}
			l.commit()
		}
		for range 64 {
			step()
		}
		was := seen
		got := testing.AllocsPerRun(32, step)
		if seen == was {
			t.Fatal("nothing has joined: the test measures nothing")
		}
		t.Logf("%.0f allocations for %d records and a commit", got, batches*perBatch)
		if got > commits {
			t.Errorf("%.0f allocations for %d records and a commit, want at most %d", got, batches*perBatch, commits)
		}
	}
}
