package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/thalweg/thalweg/stream"
)

// sample writes the hits of a made-up day, an hour a visitor, and prints the visits that are over. The last one is not.
func sample(ctx context.Context, a *stream.App) error {
	in := stream.NewWriter(a, hits)
	at := time.Now().UTC().Add(-24 * time.Hour)
	var err error
	for i := range 20 {
		for _, page := range []string{"/home", "/shop", "/shop/lamp", "/cart"}[:1+i%4] {
			at = at.Add(4 * time.Minute)
			err = errors.Join(err, in.Put(ctx, fmt.Sprint("visitor-", i%3), hit{page, at}))
		}
		at = at.Add(50 * time.Minute)
	}
	if err = errors.Join(err, in.Close()); err != nil {
		return err
	}
	for r, err := range stream.Read(ctx, a, visits) {
		if err != nil {
			return err
		}
		v := r.Value
		fmt.Printf("%s: %d pages in %v, from %s to %s\n", r.Key, v.Pages, v.To.Sub(v.From), v.Entry, v.Exit)
	}
	return nil
}
