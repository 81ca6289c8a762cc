package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/thalweg/thalweg/stream"
)

// sample plays the monolith and a user: two customers are made there, one moves here, and a command comes for a customer
// that nobody knows. It prints what the monolith is told.
func sample(ctx context.Context, a *stream.App) error {
	rows, asked := stream.NewWriter(a, cdc), stream.NewWriter(a, commands)
	id := func(n int) string { return fmt.Sprintf("c%d-%d", n, time.Now().UnixMilli()) }
	err := errors.Join(
		rows.Put(ctx, 1, row{"c", &customer{"Ada", "ada@example.org"}, time.Now(), ""}),
		rows.Put(ctx, 2, row{"c", &customer{"Bob", "bob@example.org"}, time.Now(), ""}),
		rows.Close(),
	)
	if err != nil {
		return err
	}
	err = errors.Join(
		asked.Put(ctx, 1, command{id(1), "ada@lovelace.example"}),
		asked.Put(ctx, 3, command{id(2), "who@example.org"}),
		asked.Close(),
	)
	if err != nil {
		return err
	}
	var other sync.WaitGroup
	defer other.Wait()
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	other.Go(func() {
		for r, err := range stream.Read(ctx, a, refused) {
			if err != nil {
				return // the other reader has it too
			}
			fmt.Printf("customer %d: command %s refused\n", r.Key, r.Value)
		}
	})
	for r, err := range stream.Read(ctx, a, outbox) {
		if err != nil {
			return err
		}
		fmt.Printf("customer %d: %s is now %s\n", r.Key, r.Value.Was.Mail, r.Value.Is.Mail)
	}
	return nil
}
