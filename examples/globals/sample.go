package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/thalweg/thalweg/stream"
	"github.com/thalweg/thalweg/topology"
	"github.com/thalweg/thalweg/window"
)

// sample writes rates that change every minute and trades of those minutes, and prints what they were worth. The join waits
// a minute of event time for rates that come late: the trades of the last minute stay inside until there is a later one.
func sample(ctx context.Context, a *stream.App) error {
	c, r, in := stream.NewWriter(a, currencies), stream.NewWriter(a, rates), stream.NewWriter(a, trades)
	err := errors.Join(c.Put(ctx, "JPY", currency{0}), c.Close())
	begin := window.At(time.Now().Add(-10 * time.Minute))
	for i := range 10 {
		at := begin.Add(time.Duration(i) * time.Minute)
		err = errors.Join(err,
			r.PutRecord(ctx, topology.Record[string, float64]{Key: "USD", Value: 0.90 + float64(i)/100, Time: at}),
			r.PutRecord(ctx, topology.Record[string, float64]{Key: "JPY", Value: 0.006 + float64(i)/10000, Time: at}))
	}
	if err = errors.Join(err, r.Close()); err != nil {
		return err
	}
	for i := range 10 {
		at := begin.Add(time.Duration(i)*time.Minute + 30*time.Second)
		err = errors.Join(err,
			in.PutRecord(ctx, topology.Record[string, trade]{Key: fmt.Sprint("usd-", i), Value: trade{"USD", 100}, Time: at}),
			in.PutRecord(ctx, topology.Record[string, trade]{Key: fmt.Sprint("jpy-", i), Value: trade{"JPY", 5000}, Time: at}))
	}
	if err = errors.Join(err, in.Close()); err != nil {
		return err
	}
	for r, err := range stream.Read(ctx, a, inEuro) {
		if err != nil {
			return err
		}
		p := r.Value
		fmt.Printf("%s  %10.*f %s = %8.2f EUR\n", r.Time.Time().Format(time.TimeOnly), p.Digits, p.Amount, p.Currency, p.Euro)
	}
	return nil
}
