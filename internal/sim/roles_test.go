package sim

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"

	"github.com/thalweg/thalweg/serde"
	"github.com/thalweg/thalweg/stream"
	"github.com/thalweg/thalweg/topology"
)

// roles are the programs that this test binary can play.
var roles = map[string]func(args []string) error{"keys": keys, "limited": limited, "asking": asking, "tiered": tiered, "shops": shops}

// many is a topic of numbers, each its own key, and seen how often each came.
func many(name string) (in topology.Topic[int64, int64], out topology.Topic[int64, int64], define func(*topology.Builder)) {
	in, out = topology.NewTopic(name+"-in", serde.Int64, serde.Int64), topology.NewTopic(name+"-out", serde.Int64, serde.Int64)
	in.Partitions, out.Partitions = 4, 4
	return in, out, func(b *topology.Builder) { stream.From(b, in).GroupByKey().Count("seen").To(out) }
}

// keys puts numbers into a topic from where it stood, each once, and counts them; when all are in it begins anew with the
// first. It prints "fed N" after every commit of the feed, "first output" when there is output that was not there before, and
// "much output" when there is so much that every partition has had some. Arguments: name, directory, brokers ("-": the bundled engine), number of keys.
func keys(args []string) error {
	name, dir, addrs := args[0], args[1], args[2]
	n, err := strconv.ParseInt(args[3], 10, 64)
	if err != nil {
		return err
	}
	in, out, define := many(name)
	topo, err := topology.Define(name, define)
	if err != nil {
		return err
	}
	cfg := stream.Config{Dir: dir, Workers: 2, CreateTopics: true, Logger: slog.New(slog.NewTextHandler(os.Stdout, &slog.HandlerOptions{Level: slog.LevelDebug}))}
	if addrs != "-" {
		cfg.Brokers = strings.Split(addrs, ",")
	}
	a, err := stream.New(topo, cfg)
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	done := make(chan error, 1)
	go func() {
		err := a.Run(ctx)
		stop()
		done <- err
	}()
	go func() {
		read := int64(0)
		for _, err := range stream.Read(ctx, a, out, stream.ReadOptions{From: topology.Latest}) {
			switch read++; {
			case err != nil:
				return
			case read == 1:
				fmt.Println("first output")
			case read == 2*n:
				fmt.Println("much output")
				return
			}
		}
	}()
	if err := feedNumbers(ctx, a, in, n); err != nil && ctx.Err() == nil {
		stop()
		return errors.Join(err, <-done)
	}
	return <-done
}

// limited is keys with files that cannot grow beyond a few megabytes, as on a full disk.
func limited(args []string) error {
	signal.Ignore(syscall.SIGXFSZ)
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: 9 << 20, Max: 9 << 20}); err != nil {
		return err
	}
	return keys(args)
}

func feedNumbers(ctx context.Context, a *stream.App, in topology.Topic[int64, int64], n int64) error {
	f, err := stream.NewFeed(ctx, a, "numbers", in)
	if err != nil {
		return err
	}
	defer f.Close()
	at := int64(0)
	if p := f.Position(); p != "" {
		if at, err = strconv.ParseInt(p, 10, 64); err != nil {
			return err
		}
	}
	for ctx.Err() == nil {
		for range min(n/6, 50_000) {
			if err := f.Put(ctx, at%n, at); err != nil {
				return err
			}
			at++
		}
		if err := f.Commit(ctx, strconv.FormatInt(at, 10)); err != nil {
			return err
		}
		fmt.Println("fed", at)
	}
	return nil
}
