package stream

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/thalweg/thalweg/topology"
)

// Main is the main function of a program that is one app and no more. It builds the topology, works until SIGINT or
// SIGTERM, and exits with 1 on an error. With an argument it does something else: "describe" and "mermaid" print the
// topology, "reset" is Reset.
func Main(app string, define func(*topology.Builder), cfg Config) {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := mainWith(ctx, app, define, cfg, os.Args[1:])
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func mainWith(ctx context.Context, app string, define func(*topology.Builder), cfg Config, args []string) error {
	t, err := topology.Define(app, define)
	if err != nil {
		return err
	}
	if len(args) == 0 {
		return Run(ctx, t, cfg)
	}
	switch args[0] {
	case "describe":
		fmt.Print(t)
	case "mermaid":
		fmt.Print(t.Mermaid())
	case "reset":
		return Reset(ctx, t, cfg)
	default:
		return errors.New("stream: " + args[0] + " is not known: describe, mermaid, reset; without an argument the app runs")
	}
	return nil
}
