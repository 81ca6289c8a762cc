package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/thalweg/thalweg/stream"
)

// sample writes made-up users and clicks, and prints the totals. Dora's region is not known.
func sample(ctx context.Context, a *stream.App) error {
	where := stream.NewWriter(a, regions)
	err := errors.Join(where.Put(ctx, "alice", "europe"), where.Put(ctx, "bob", "americas"), where.Put(ctx, "chen", "asia"), where.Close())
	if err != nil {
		return err
	}
	in := stream.NewWriter(a, clicks)
	for i := range int64(3) {
		err = errors.Join(err, in.Put(ctx, "alice", 1+i), in.Put(ctx, "bob", 1), in.Put(ctx, "chen", 2), in.Put(ctx, "dora", i))
	}
	if err = errors.Join(err, in.Close()); err != nil {
		return err
	}
	for r, err := range stream.Read(ctx, a, totals) {
		if err != nil {
			return err
		}
		fmt.Printf("%-9s %d\n", r.Key, r.Value)
	}
	return nil
}
