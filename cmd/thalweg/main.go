// Thalweg is the bundled log engine as a server, and the tools to look after it or after any Kafka cluster.
//
//	thalweg serve -dir data                        the engine, on 127.0.0.1:9092
//	thalweg serve -print-config >thalweg.toml      its settings as a file for -config
//	thalweg topics create lines -partitions 4
//	thalweg produce lines -key-separator : <file
//	thalweg consume lines -from-beginning -to-end
//	thalweg groups describe wordcount -json
//	thalweg users add ann <password                a user for thalweg serve -auth
//	thalweg acls allow ann read -topic lines       for thalweg serve -auth -acls
//	thalweg registry                               a schema registry, on http://127.0.0.1:8081
//	thalweg backup -dir data -to copy              copies a folder, under a running server, too
//	thalweg verify -dir data                       names all damage in a folder without a server
//
// The tools take -brokers, or -dir: the folder of a running server or program, in whose lock file its address stands.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/alecthomas/kong"
)

// commandLine is everything that can be said to thalweg.
type commandLine struct {
	Serve    serve          `cmd:"" help:"Run the bundled log engine as a server that speaks the Kafka protocol."`
	Topics   topics         `cmd:"" help:"List, describe, create and delete topics."`
	Configs  configs        `cmd:"" help:"Show and change the settings of topics and brokers."`
	Produce  produce        `cmd:"" help:"Write the lines of standard input to a topic, one record a line."`
	Consume  consume        `cmd:"" help:"Print the records of a topic."`
	Records  records        `cmd:"" help:"Delete the oldest records of partitions."`
	Registry schemaRegistry `cmd:"" help:"Serve a schema registry on a topic of the engine or of any Kafka cluster."`
	Groups   groups         `cmd:"" help:"List, describe and delete consumer groups, with their lag."`
	Log      dump           `cmd:"" help:"Show the batches of a partition in a folder without a server."`
	Backup   backup         `cmd:"" help:"Copy a folder, with or without a server, as it is at one moment."`
	Verify   verify         `cmd:"" help:"Look for damage in a folder without a server."`
	Users    users          `cmd:"" help:"Add, list and delete users who may log in."`
	ACLs     acls           `cmd:"" name:"acls" help:"List, add and remove ACLs: who may do what."`
}

// session is what a command has to work with.
type session struct {
	ctx      context.Context
	in       io.Reader
	out, err io.Writer
}

const description = "The Thalweg log engine as a server, and tools for it and for any Kafka cluster. Flags may be written with one dash or two."

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the program at once
	err := run(session{ctx, os.Stdin, os.Stdout, os.Stderr}, os.Args[1:])
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "thalweg:", err)
		os.Exit(1)
	}
}

// run carries out one command line.
func run(s session, args []string) error {
	if len(args) == 0 {
		args = []string{"--help"}
	}
	helped := false // kong prints help while it parses, and then wants to end the program
	parser, err := kong.New(&commandLine{}, kong.Name("thalweg"), kong.Description(description), kong.Writers(s.out, s.err),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, FlagsLast: true}), kong.Exit(func(int) { helped = true }))
	if err != nil {
		return err
	}
	c, err := parser.Parse(doubleDashes(args))
	switch {
	case helped:
		return nil
	case err != nil:
		return fmt.Errorf("%w (see thalweg --help)", err)
	}
	return c.Run(s)
}

// doubleDashes lets flags be written as Go's are, with one dash.
func doubleDashes(args []string) []string {
	out := make([]string, 0, len(args))
	for i, a := range args {
		if a == "--" {
			return append(out, args[i:]...)
		}
		if len(a) > 2 && a[0] == '-' && strings.ContainsRune("abcdefghijklmnopqrstuvwxyz", rune(a[1])) {
			a = "-" + a
		}
		out = append(out, a)
	}
	return out
}
