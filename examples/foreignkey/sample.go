package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/thalweg/thalweg/stream"
)

// sample writes customers, products and orders, makes the lamp cheaper, and prints what each customer has spent, as it
// changes.
func sample(ctx context.Context, a *stream.App) error {
	c, p, o := stream.NewWriter(a, customers), stream.NewWriter(a, products), stream.NewWriter(a, orders)
	err := errors.Join(
		c.Put(ctx, 1, customer{"Ada"}), c.Put(ctx, 2, customer{"Bob"}), c.Close(),
		p.Put(ctx, 7, product{"lamp", 20}), p.Put(ctx, 8, product{"chair", 45}), p.Flush(ctx),
		o.Put(ctx, 100, order{1, 7, 2}), o.Put(ctx, 101, order{2, 8, 1}), o.Put(ctx, 102, order{1, 8, 1}), o.Close(),
	)
	if err != nil {
		return err
	}
	token, err := a.Token(ctx)
	if err == nil {
		err = a.WaitFor(ctx, token) // so that the orders are seen at the first price
	}
	if err = errors.Join(err, p.Put(ctx, 7, product{"lamp", 15}), p.Close()); err != nil {
		return err
	}
	for r, err := range stream.Read(ctx, a, spent) {
		if err != nil {
			return err
		}
		fmt.Printf("%s has spent %.2f\n", r.Key, r.Value)
	}
	return nil
}
