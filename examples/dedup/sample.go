package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/thalweg/thalweg/stream"
)

// sample writes made-up events, some of them several times, and prints those that pass. Start it again: none passes twice.
func sample(ctx context.Context, a *stream.App) error {
	in := stream.NewWriter(a, raw)
	var err error
	for i := range 20 {
		id := fmt.Sprint("e", i*i%11)
		err = errors.Join(err, in.Put(ctx, id, event{id, fmt.Sprint("attempt ", i)}))
	}
	if err = errors.Join(err, in.Close()); err != nil {
		return err
	}
	for r, err := range stream.Read(ctx, a, unique) {
		if err != nil {
			return err
		}
		fmt.Printf("%s: %s\n", r.Value.ID, r.Value.Body)
	}
	return nil
}
