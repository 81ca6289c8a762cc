package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"strconv"
	"sync"
	"time"

	"github.com/thalweg/thalweg/stream"
)

// sample writes made-up payments, one of them twice, and prints which are blocked and which are cleared.
func sample(ctx context.Context, a *stream.App) error {
	in := stream.NewWriter(a, payments)
	var err error
	for i, amount := range []float64{12, 4800, 30, 7.5, 9900, 64} {
		p := payment{fmt.Sprintf("p%d-%d", i, time.Now().UnixMilli()), amount}
		card := fmt.Sprintf("card-%d", i%3)
		err = errors.Join(err, in.Put(ctx, card, p), in.Put(ctx, card, p))
	}
	if err = errors.Join(err, in.Close()); err != nil {
		return err
	}
	var other sync.WaitGroup
	defer other.Wait()
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	other.Go(func() {
		for r, err := range stream.Read(ctx, a, blocked) {
			if err != nil {
				return // the other reader has it too
			}
			fmt.Printf("blocked %s  %8.2f  score %.2f, reason %s\n", r.Key, r.Value.Amount, r.Value.Score, r.Headers.Get("reason"))
		}
	})
	for r, err := range stream.Read(ctx, a, cleared) {
		if err != nil {
			return err
		}
		fmt.Printf("cleared %s  %8.2f  score %.2f\n", r.Key, r.Value.Amount, r.Value.Score)
	}
	return nil
}

// serveScores starts a service in this process that takes its time and mistrusts high amounts. It returns its URL.
func serveScores() string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Fprintln(os.Stderr, "fraud:", err)
		os.Exit(1)
	}
	go http.Serve(l, http.HandlerFunc(score)) // until the program ends
	return "http://" + l.Addr().String()
}

// score answers with a number from 0 to 1.
func score(w http.ResponseWriter, r *http.Request) {
	amount, err := strconv.ParseFloat(r.FormValue("amount"), 64)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	select {
	case <-time.After(200 * time.Millisecond):
	case <-r.Context().Done():
	}
	fmt.Fprintf(w, "%.3f", min(amount/5000, 1))
}
