package topology_test

import (
	"time"

	"github.com/thalweg/thalweg/serde"
	"github.com/thalweg/thalweg/state"
	"github.com/thalweg/thalweg/stream/streamtest"
	"github.com/thalweg/thalweg/topology"
	"github.com/thalweg/thalweg/window"
)

var (
	carts     = topology.NewTopic("carts", serde.String, serde.String)
	reminders = topology.NewTopic("reminders", serde.String, serde.String)
	wakeups   = state.NewTimers("wakeups", serde.String)
)

// An order within the hour stops the reminder.
func ExampleTask_OnTimer() {
	streamtest.Example(func(b *topology.Builder) {
		topology.Source(b, carts).
			Process("remind", func(ctx *topology.Context[string, string]) (topology.Processor[string, string], error) {
				wake := ctx.Store(wakeups)
				ctx.OnTimer(wakeups, topology.WallTime, func(customer string, due window.Instant) error {
					return ctx.Forward(topology.Record[string, string]{Key: customer, Value: "your cart is waiting", Time: due})
				})
				return topology.ProcessorFunc[string, string](func(r topology.Record[string, string]) error {
					if r.Value == "ordered" {
						return wake.Stop(r.Key)
					}
					return wake.Set(r.Key, ctx.Now().Add(time.Hour))
				}), nil
			}, wakeups).
			Sink(reminders)
	}, func(d *streamtest.Driver) {
		d.Topic(carts).Put("ann", "filled")
		d.Topic(carts).Put("bob", "filled")
		d.Topic(carts).Put("ann", "ordered")
		d.Crash(0)
		d.Restart(0)
		d.Advance(time.Hour)
		d.Topic(reminders).Print()
	})
	// Output:
	// bob your cart is waiting
}
