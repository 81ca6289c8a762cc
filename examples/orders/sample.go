package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/thalweg/thalweg/stream"
	"github.com/thalweg/thalweg/topology"
	"github.com/thalweg/thalweg/window"
)

// sample writes stock, orders and most of their payments, two made-up hours ago, and one order of now, which shows that those
// hours are over. It prints where each order went.
func sample(ctx context.Context, a *stream.App) error {
	s, o, p := stream.NewWriter(a, stock), stream.NewWriter(a, orders), stream.NewWriter(a, payments)
	then := window.At(time.Now().Add(-2 * time.Hour))
	put := func(n int, product string, quantity int, paid float64, at window.Instant) error {
		id := fmt.Sprint("o", n)
		err := o.PutRecord(ctx, topology.Record[string, order]{Key: id, Value: order{id, product, quantity, 20}, Time: at})
		if paid > 0 {
			err = errors.Join(err, p.PutRecord(ctx, topology.Record[string, payment]{Key: id, Value: payment{paid}, Time: at.Add(time.Minute)}))
		}
		return err
	}
	err := errors.Join(
		s.PutRecord(ctx, topology.Record[string, int64]{Key: "lamp", Value: 5, Time: then}), s.Close(),
		put(1, "lamp", 1, 20, then), put(2, "lamp", 1, 0, then), put(3, "lamp", 9, 20, then), put(4, "chair", 1, 20, then),
		put(5, "lamp", 1, 20, window.At(time.Now())),
		o.Close(), p.Close(),
	)
	if err != nil {
		return err
	}
	ctx, stop := context.WithCancel(ctx)
	var readers sync.WaitGroup
	defer readers.Wait()
	defer stop()
	for _, t := range []topology.Topic[string, checked]{short, unpaid} {
		readers.Go(func() { _ = show(ctx, a, t) }) // the reader below has its error too
	}
	return show(ctx, a, accepted)
}

// show prints what comes to a topic.
func show(ctx context.Context, a *stream.App, t topology.Topic[string, checked]) error {
	for r, err := range stream.Read(ctx, a, t) {
		if err != nil {
			return err
		}
		c := r.Value
		fmt.Printf("%-20s %s: %d of %s, paid %g of %g, %d in stock\n", t.Name, r.Key, c.Quantity, c.Product, c.Paid, c.Amount, c.Left)
	}
	return nil
}
