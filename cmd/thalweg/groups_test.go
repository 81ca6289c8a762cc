package main

import (
	"context"
	"log/slog"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/thalweg/thalweg/serde"
	"github.com/thalweg/thalweg/stream"
	"github.com/thalweg/thalweg/topology"
)

// TestGroups describes the group of a real program, while it runs and afterwards, and deletes it.
func TestGroups(t *testing.T) {
	dir := t.TempDir()
	s := start(t, dir)
	defer s.stop(t, os.Interrupt)
	works(t, "", "topics", "create", "words", "copies", "-partitions", "2", "-dir", dir)
	works(t, "one\ntwo\nthree\n", "produce", "words", "-dir", dir)
	copying(t, s.addr, func() {
		got := works(t, "", "groups", "describe", "copy", "-dir", dir)
		if !strings.Contains(got, "MEMBER") || !strings.Contains(got, "words") {
			t.Errorf("describe printed %q", got)
		}
		fails(t, []string{`"copy"`, "1 members"}, "groups", "delete", "copy", "-dir", dir)
	})
	if got := works(t, "", "groups", "list", "-dir", dir); strings.Join(strings.Fields(got)[:5], " ") != "GROUP STATE TYPE copy Empty" {
		t.Errorf("list printed %q", got)
	}
	var described []struct {
		Name      string
		Positions []struct{ Committed, Lag int64 }
	}
	parse(t, works(t, "", "groups", "describe", "copy", "-json", "-dir", dir), &described)
	var committed int64
	for _, p := range described[0].Positions {
		committed += p.Committed
		if p.Lag != 0 {
			t.Errorf("lag of %+v", p)
		}
	}
	if committed != 3 {
		t.Errorf("%d committed, want 3: %+v", committed, described)
	}
	works(t, "", "groups", "delete", "copy", "-dir", dir)
	fails(t, []string{`"copy"`, "does not exist", "thalweg groups list"}, "groups", "describe", "copy", "-dir", dir)
	if got := works(t, "", "groups", "list", "-json", "-dir", dir); got != "[]\n" {
		t.Errorf("list printed %q", got)
	}
}

// copying runs a program that copies words, and calls f once it has copied them.
func copying(t *testing.T, addr string, f func()) {
	t.Helper()
	words, copies := topology.NewTopic("words", serde.None, serde.String), topology.NewTopic("copies", serde.None, serde.String)
	topo, err := topology.Define("copy", func(b *topology.Builder) { stream.From(b, words).To(copies) })
	if err != nil {
		t.Fatal(err)
	}
	app, err := stream.New(topo, stream.Config{Brokers: []string{addr}, Dir: t.TempDir(), Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	done := make(chan error, 1)
	go func() { done <- app.Run(ctx) }()
	n := 0
	for _, err := range stream.Read(ctx, app, copies) {
		if err != nil {
			t.Error(err)
			break
		}
		if n++; n == 3 {
			f()
			break
		}
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}
