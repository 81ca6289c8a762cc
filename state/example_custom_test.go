package state_test

import (
	"cmp"
	"encoding/binary"
	"slices"

	"github.com/thalweg/thalweg/serde"
	"github.com/thalweg/thalweg/state"
	"github.com/thalweg/thalweg/stream/streamtest"
	"github.com/thalweg/thalweg/topology"
	"github.com/thalweg/thalweg/window"
)

// podium knows the players by their points: what no map by key answers.
type podium struct {
	env    state.Env
	points map[string]int64
	ranked []string
}

func newPodium(env state.Env) (*podium, error) {
	return &podium{env: env, points: map[string]int64{}}, nil
}

// Add is for the processor.
func (p *podium) Add(player string, points int64, at window.Instant) {
	sum := p.points[player] + points
	p.set(player, sum)
	p.env.Changelog([]byte(player), binary.BigEndian.AppendUint64(nil, uint64(sum)), at)
}

func (p *podium) set(player string, sum int64) {
	p.points[player] = sum
	p.ranked = slices.DeleteFunc(p.ranked, func(x string) bool { return x == player })
	i, _ := slices.BinarySearchFunc(p.ranked, player, func(x, y string) int {
		return cmp.Or(cmp.Compare(p.points[y], p.points[x]), cmp.Compare(x, y))
	})
	p.ranked = slices.Insert(p.ranked, i, player)
}

// Restore implements state.Restorer.
func (p *podium) Restore(key, value []byte) error {
	player := string(key)
	if value == nil {
		delete(p.points, player)
		p.ranked = slices.DeleteFunc(p.ranked, func(x string) bool { return x == player })
		return nil
	}
	p.set(player, int64(binary.BigEndian.Uint64(value)))
	return nil
}

// A store of one's own kind: the leader changes as points come in, and a crash loses none.
func ExampleNew() {
	points := topology.NewTopic("points", serde.String, serde.Int64)
	leaders := topology.NewTopic("leaders", serde.String, serde.String)
	best := state.New("podium", newPodium)

	streamtest.Example(func(b *topology.Builder) {
		topology.Source(b, points).
			Process("rank", func(ctx *topology.Context[string, string]) (topology.Processor[string, int64], error) {
				podium := ctx.Store(best)
				return topology.ProcessorFunc[string, int64](func(r topology.Record[string, int64]) error {
					podium.Add(r.Key, r.Value, r.Time)
					return ctx.Forward(topology.Record[string, string]{Key: "leader", Value: podium.ranked[0], Time: r.Time})
				}), nil
			}, best).
			Sink(leaders)
	}, func(d *streamtest.Driver) {
		d.Topic(points).Put("ann", 3)
		d.Topic(points).Put("bob", 5)
		d.Crash(0)
		d.Restart(0)
		d.Topic(points).Put("ann", 4)
		d.Topic(leaders).Print()
	})
	// Output:
	// leader ann
	// leader bob
	// leader ann
}
