package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/thalweg/thalweg/state"
	"github.com/thalweg/thalweg/stream"
	"github.com/thalweg/thalweg/topology"
	"github.com/thalweg/thalweg/window"
)

// carts is the processor of one task.
type carts struct {
	reminding
	ctx   *topology.Context[string, cart]
	open  state.Timestamped[string, cart]
	wake  state.Timers[string]
	stats func(topology.Record[int32, stats]) error
	n     stats
}

func (rem reminding) newCarts(ctx *topology.Context[string, cart]) (topology.Processor[string, cart], error) {
	c := &carts{reminding: rem, ctx: ctx, open: ctx.Store(open), wake: ctx.Store(wakeup), stats: ctx.Side(statsTag)}
	ctx.OnTimer(wakeup, topology.WallTime, c.remind)
	ctx.Schedule(rem.count, topology.WallTime, c.report)
	return c, nil
}

func (c *carts) Process(r topology.Record[string, cart]) error {
	if r.Value.Ordered {
		c.n.Ordered++
		return errors.Join(c.open.Delete(r.Key), c.wake.Stop(r.Key))
	}
	return errors.Join(c.open.Put(r.Key, r.Value, r.Time), c.wake.Set(r.Key, c.ctx.Now().Add(c.after)))
}

func (c *carts) remind(key string, due window.Instant) error {
	left, _, ok, err := c.open.Get(key)
	if err != nil || !ok {
		return err
	}
	return c.ctx.Forward(topology.Record[string, cart]{Key: key, Value: left, Time: due})
}

func (c *carts) report(now window.Instant) error {
	c.n.Open = 0
	for range c.open.All() {
		c.n.Open++
	}
	return c.stats(topology.Record[int32, stats]{Key: c.ctx.Partition(), Value: c.n, Time: now})
}

// sample fills three carts, orders one, and prints the reminders for the others.
func sample(ctx context.Context, a *stream.App) error {
	in := stream.NewWriter(a, changes)
	err := errors.Join(
		in.Put(ctx, "ada", cart{Items: []string{"lamp"}}),
		in.Put(ctx, "bob", cart{Items: []string{"chair", "desk"}}),
		in.Put(ctx, "chen", cart{Items: []string{"rug"}}),
		in.Put(ctx, "bob", cart{Ordered: true}),
		in.Close(),
	)
	if err != nil {
		return err
	}
	for r, err := range stream.Read(ctx, a, reminders) {
		if err != nil {
			return err
		}
		fmt.Printf("%s, your cart is waiting: %v\n", r.Key, r.Value.Items)
	}
	return nil
}
