package stream

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/thalweg/thalweg/topology"
)

// Main is the main function of a program that is one app and no more. It builds the topology, works until SIGINT or
// SIGTERM, and exits with 1 on an error. With an argument it does something else:
//
//	describe, mermaid, dot, json  print the topology
//	lock                          print its lock file
//	diff FILE                     compare it with a lock file; exits with 1 if state would be left behind
//	reset                         Reset
func Main(app string, define func(*topology.Builder), cfg Config) {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := mainWith(ctx, app, define, cfg, os.Args[1:], os.Stdout)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func mainWith(ctx context.Context, app string, define func(*topology.Builder), cfg Config, args []string, out io.Writer) error {
	t, err := topology.Define(app, define)
	if err != nil {
		return err
	}
	if len(args) == 0 {
		return Run(ctx, t, cfg)
	}
	switch what := args[0]; {
	case what == "describe":
		fmt.Fprint(out, t)
	case what == "mermaid":
		fmt.Fprint(out, t.Mermaid())
	case what == "dot":
		fmt.Fprint(out, t.DOT())
	case what == "json":
		return json.NewEncoder(out).Encode(t)
	case what == "lock":
		text, err := t.Lock().MarshalText()
		if err != nil {
			return err
		}
		_, err = out.Write(text)
		return err
	case what == "diff" && len(args) == 2:
		return diff(t, args[1], out)
	case what == "reset":
		return Reset(ctx, t, cfg)
	default:
		return fmt.Errorf("stream: %q is not known: describe, mermaid, dot, json, lock, diff FILE, reset; without an argument the app runs", args)
	}
	return nil
}

// diff prints what changed since a lock file was written. State left behind is an error.
func diff(t *topology.Topology, file string, out io.Writer) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	lock, err := topology.ParseLock(text)
	if err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	orphans := 0
	for _, d := range lock.Diff(t.Lock()) {
		fmt.Fprintln(out, d)
		if d.Orphans {
			orphans++
		}
	}
	if orphans > 0 {
		return fmt.Errorf("stream: %d changes since %s leave state behind", orphans, file)
	}
	return nil
}
