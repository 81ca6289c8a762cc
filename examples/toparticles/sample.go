package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/thalweg/thalweg/serde"
	"github.com/thalweg/thalweg/stream"
	"github.com/thalweg/thalweg/topology"
	"github.com/thalweg/thalweg/window"
)

// sample writes the reads of five made-up hours and prints the chart of each hour that is over, as it fills.
func sample(ctx context.Context, a *stream.App) error {
	in := stream.NewWriter(a, reads)
	begin := window.At(time.Now().Add(-5 * time.Hour).Truncate(time.Hour))
	var err error
	for i := range 600 {
		r := read{fmt.Sprint("article-", rand.IntN(1+rand.IntN(8))), []string{"news", "sports"}[i%2]}
		at := begin.Add(time.Duration(i) * 30 * time.Second)
		err = errors.Join(err, in.PutRecord(ctx, topology.Record[serde.Void, read]{Value: r, Time: at, NoKey: true}))
	}
	if err = errors.Join(err, in.Close()); err != nil {
		return err
	}
	for r, err := range stream.Read(ctx, a, tops) {
		if err != nil {
			return err
		}
		fmt.Printf("%s %-6s %v\n", r.Key.Start.Time().Format("15:04"), r.Key.Key, r.Value)
	}
	return nil
}
