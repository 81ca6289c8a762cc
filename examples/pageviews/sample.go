package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/thalweg/thalweg/stream"
)

// sample writes profiles and the views of three made-up minutes, and prints every count as it changes.
func sample(ctx context.Context, a *stream.App) error {
	who, in := stream.NewWriter(a, profiles), stream.NewWriter(a, views)
	err := errors.Join(who.Put(ctx, "alice", profile{"europe"}), who.Put(ctx, "bob", profile{"asia"}), who.Close())
	begin := time.Now().Add(-5 * time.Minute)
	for i := range 3 {
		at := begin.Add(time.Duration(i) * time.Minute)
		err = errors.Join(err, in.Put(ctx, "/home", view{"alice", "/home", at}), in.Put(ctx, "/shop", view{"bob", "/shop", at.Add(time.Second)}))
	}
	if err = errors.Join(err, in.Close()); err != nil {
		return err
	}
	for r, err := range stream.Read(ctx, a, regions) {
		if err != nil {
			return err
		}
		fmt.Printf("%s to %s  %-7s %d\n", r.Key.Start.Time().Format(time.TimeOnly), r.Key.End.Time().Format(time.TimeOnly), r.Key.Key, r.Value)
	}
	return nil
}
