package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/thalweg/thalweg/serde"
	"github.com/thalweg/thalweg/stream"
)

// usage is what a tenant has used at some time.
type usage struct {
	Tenant, Metric string
	Units          int64
	At             time.Time
}

// meter is what is rolled up.
type meter struct{ Tenant, Metric string }

// roll is a day of a meter.
type roll struct{ N, Units, Peak int64 }

// bill is a month of a tenant.
type bill struct {
	Tenant, Month string
	Units         int64
}

// sample writes made-up usage of four months and prints the bills. The last month is not over yet.
func sample(ctx context.Context, a *stream.App) error {
	in := stream.NewWriter(a, usages)
	begin := time.Now().AddDate(0, -4, 0)
	var err error
	for at := begin; at.Before(time.Now()); at = at.Add(6 * time.Hour) {
		err = errors.Join(err,
			in.Put(ctx, serde.Void{}, usage{"acme", "requests", 100, at}),
			in.Put(ctx, serde.Void{}, usage{"acme", "bytes", 5, at.Add(time.Minute)}),
			in.Put(ctx, serde.Void{}, usage{"umbrella", "requests", 7, at.Add(2 * time.Minute)}))
	}
	if err = errors.Join(err, in.Close()); err != nil {
		return err
	}
	for r, err := range stream.Read(ctx, a, bills) {
		if err != nil {
			return err
		}
		fmt.Printf("%s  %-9s %6d units\n", r.Value.Month, r.Key, r.Value.Units)
	}
	return nil
}
