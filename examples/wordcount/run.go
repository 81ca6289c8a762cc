package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/thalweg/thalweg/stream"
	"github.com/thalweg/thalweg/topology"
)

// program is the name of the program, and of its app where none is given.
const program = "wordcount"

// options are the command line.
type options struct {
	cfg     stream.Config
	name    string
	brokers string
	feed    bool
	counts  string
	verbose bool
	inputs  []string
}

func parse(args []string) (o options, err error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		cache = os.TempDir()
	}
	f := flag.NewFlagSet(program, flag.ContinueOnError)
	f.StringVar(&o.cfg.Dir, "dir", filepath.Join(cache, "thalweg", program), "`folder` for the state, and for the log where no brokers are given")
	f.StringVar(&o.name, "name", program, "`name` of the app: of its topics, and of the group that its processes are")
	f.StringVar(&o.brokers, "brokers", "", "Kafka `addresses`, comma-separated; none: the bundled engine, in this process")
	f.IntVar(&o.cfg.Workers, "workers", 0, "`number` of workers; 0: one for each processor")
	f.StringVar(&o.cfg.Listen, "listen", "", "loopback `address` on which the bundled engine serves tools and further processes")
	f.BoolVar(&o.feed, "feed", false, "feed the text: with -brokers, one of the processes does")
	f.StringVar(&o.counts, "counts", "", "`file` to write all counts into at the end: a word, a tab and its count on each line, in order")
	f.DurationVar(&o.cfg.SessionTime, "session", 0, "`time` after which others take over from a process that died; 0: 45s")
	f.IntVar(&o.cfg.Standbys, "standbys", 0, "`copies` of the counts that other processes hold, to go on at once where one dies")
	f.StringVar(&o.cfg.Ops.Addr, "ops", "", "`address` for metrics and probes")
	f.BoolVar(&o.verbose, "v", false, "log what the app does")
	if err := f.Parse(args); err != nil {
		return o, err
	}
	o.inputs = f.Args()
	if o.brokers != "" {
		o.cfg.Brokers = strings.Split(o.brokers, ",")
	} else {
		o.feed = true
	}
	o.cfg.CreateTopics = true
	level := slog.LevelWarn
	if o.verbose {
		level = slog.LevelInfo
	}
	o.cfg.Logger = slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: level}))
	return o, nil
}

// run is the program.
func run(ctx context.Context, args []string, out io.Writer) error {
	o, err := parse(args)
	if errors.Is(err, flag.ErrHelp) {
		return nil
	}
	if err != nil {
		return err
	}
	// The first file is looked for before anything is started, so that a wrong name costs nothing.
	in, err := openInput(o.inputs)
	if err != nil {
		return err
	}
	table := counts{lines: linesOf(o.name)}
	topo, err := topology.Define(o.name, table.topology)
	if err != nil {
		return err
	}
	a, err := stream.New(topo, o.cfg)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "state in %s\n", o.cfg.Dir)
	ctx, cancel := context.WithCancelCause(ctx)
	done := make(chan error, 1)
	go func() {
		err := a.Run(ctx)
		cancel(errors.Join(errors.New("the app has ended"), err))
		done <- err
	}()
	if !o.feed {
		return <-done
	}
	began := time.Now()
	err = o.feedAndReport(ctx, a, in, out, began)
	if ctx.Err() != nil {
		fmt.Fprintln(out, "stopped: the same command goes on where the last commit stood")
		return <-done
	}
	cancel(nil)
	return errors.Join(err, <-done)
}

// feedAndReport puts the text in, waits until all of it is counted, and prints the result.
func (o options) feedAndReport(ctx context.Context, a *stream.App, in *input, out io.Writer, began time.Time) error {
	f, err := stream.NewFeed(ctx, a, "text", linesOf(o.name))
	if err != nil {
		return err
	}
	p, finished := newProgress(out, in.size), false
	err = p.watch(ctx, a, func(ctx context.Context) (err error) {
		finished, err = feed(ctx, f, in, p, out)
		if err = errors.Join(err, f.Close()); err != nil {
			return err
		}
		token, err := a.Token(ctx)
		if err != nil {
			return err
		}
		return a.WaitFor(ctx, token)
	})
	p.end()
	if err != nil {
		return err
	}
	if finished {
		fmt.Fprintf(out, "this text is counted already; to begin anew, remove the folder, or give another -dir\n")
	}
	rows, err := read(ctx, a, o.name)
	if err == nil && o.counts != "" {
		err = write(o.counts, rows)
	}
	if err == nil {
		report(rows, out, began)
	}
	return err
}
