package stream_test

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"testing"

	"github.com/thalweg/thalweg/serde"
	"github.com/thalweg/thalweg/state"
	"github.com/thalweg/thalweg/stream/streamtest"
	"github.com/thalweg/thalweg/table"
	"github.com/thalweg/thalweg/topology"
)

// priceTables is a topology with a stored table whose rows can be deleted, and one computed from it.
type priceTables struct {
	all, high table.Table[string, int64]
}

var priceList = topology.NewTopic("price-list", serde.String, serde.Int64)

func (p *priceTables) topology(b *topology.Builder) {
	p.all = table.From(b, priceList).Materialize("all")
	p.high = p.all.Filter(func(_ string, n int64) bool { return n >= 50 })
}

// TestAMirrorFollowsItsTable keeps a copy of a table by WatchAll, while rows change and go, instances die and tasks move. The
// copy equals the table whenever the watch has nothing more to say.
func TestAMirrorFollowsItsTable(t *testing.T) {
	var p priceTables
	d := streamtest.New(t, p.topology, streamtest.Options{Instances: 2, Seed: rand.Uint64()})
	in := d.Topic(priceList)
	r := rand.New(rand.NewPCG(1, 2))
	steps, want := 200, map[string]int64{}
	step := func() {
		steps--
		switch n := r.IntN(30); n {
		case 0:
			d.Crash(0)
			d.Restart(0)
		case 1, 2:
			d.Scale(n)
		default:
			k := fmt.Sprint("k", r.IntN(10))
			if r.IntN(3) == 0 {
				in.Delete(k)
				delete(want, k)
				return
			}
			want[k] = r.Int64N(100)
			in.Put(k, want[k])
		}
	}
	mirror := map[string]int64{}
	for steps > 0 {
		step() // where the watch ended there was nothing left to say
		for e, err := range p.all.Query(d).WatchAll(t.Context()) {
			if err != nil {
				t.Fatal(err)
			}
			if e.Value.OK {
				mirror[e.Key] = e.Value.Value
			} else {
				delete(mirror, e.Key)
			}
			if steps > 0 && r.IntN(2) == 0 {
				step()
			}
		}
		if !maps.Equal(mirror, want) {
			t.Fatalf("%d steps left: the copy is %v, the table %v", steps, mirror, want)
		}
		clear(mirror)
	}
}

// TestWatchSeesOneRow follows one key, whose row a filter has for a while.
func TestWatchSeesOneRow(t *testing.T) {
	var p priceTables
	d := streamtest.New(t, p.topology)
	in := d.Topic(priceList)
	var got []string
	steps := []func(){
		func() { in.Put("lamp", 20); in.Put("chair", 90); in.Put("lamp", 60) },
		func() { in.Put("lamp", 70) },
		func() { d.Crash(0); d.Restart(0); in.Put("lamp", 71) },
		func() { in.Delete("lamp") },
	}
	for v, err := range p.high.Query(d).Watch(t.Context(), "lamp") {
		got = append(got, fmt.Sprint(v.Value, v.OK, err))
		if len(steps) > 0 {
			steps[0]()
			steps = steps[1:]
		}
	}
	want := []string{"0 false <nil>", "60 true <nil>", "70 true <nil>", "71 true <nil>", "0 false <nil>"}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("saw  %q\nwant %q", got, want)
	}
}

// TestWhatCannotBeWatchedSaysSo asks for what is not there, not stored, or of other types.
func TestWhatCannotBeWatchedSaysSo(t *testing.T) {
	var p priceTables
	var joined table.Table[string, int64]
	d := streamtest.New(t, func(b *topology.Builder) {
		p.topology(b)
		joined = p.all.Join(p.high, func(a, b int64) int64 { return a + b })
	})
	for _, err := range joined.Query(d).WatchAll(t.Context()) {
		if err == nil {
			t.Error("rows that are computed from two stores were watched")
		}
	}
	for _, err := range state.RowsOf(d, "none", serde.String, serde.Int64).WatchAll(t.Context()) {
		if !errors.Is(err, state.ErrNoStore) {
			t.Errorf("a store that is not there: %v", err)
		}
	}
	if _, _, err := state.RowsOf(d, "all", serde.String, serde.String).Get(t.Context(), "k"); err == nil {
		t.Error("a store was read as of another type")
	}
	if h, err := p.all.Query(d).Owner(t.Context(), "lamp"); err != nil || h.Addr != "instance-0" || h.Partition != topology.Partition([]byte("lamp"), 4) {
		t.Errorf("the owner of lamp is %+v, %v", h, err)
	}
}
