package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/thalweg/thalweg/serde"
	"github.com/thalweg/thalweg/stream"
	"github.com/thalweg/thalweg/topology"
	"github.com/thalweg/thalweg/window"
)

// sample writes the clicks of ten made-up minutes, in which mallory hurries, and prints the alerts.
func sample(ctx context.Context, a *stream.App) error {
	in := stream.NewWriter(a, clicks)
	begin := window.At(time.Now().Add(-10 * time.Minute).Truncate(time.Minute))
	var err error
	click := func(user string, at time.Duration) {
		err = errors.Join(err, in.PutRecord(ctx, topology.Record[string, serde.Void]{Key: user, Time: begin.Add(at)}))
	}
	for minute := range 10 {
		at := time.Duration(minute) * time.Minute
		click("alice", at)
		for i := range minute % 4 * 2 {
			click("mallory", at+time.Duration(i)*time.Second)
		}
		click("alice", at+40*time.Second)
	}
	if err = errors.Join(err, in.Close()); err != nil {
		return err
	}
	for r, err := range stream.Read(ctx, a, alerts) {
		if err != nil {
			return err
		}
		fmt.Printf("%s: %s\n", r.Key, r.Value)
	}
	return nil
}
