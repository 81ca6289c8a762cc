// Wordcount counts the words of real text, exactly once, whatever happens to it in between.
//
//	go run ./examples/wordcount               the Go sources of the toolchain itself
//	go run ./examples/wordcount FILE FOLDER   these
//	go run ./examples/wordcount - <FILE       standard input
//
// Stop it, or kill it, and start it again: it goes on where the last commit stood.
package main

import (
	"context"
	"fmt"
	"iter"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"unicode"

	"github.com/thalweg/thalweg/serde"
	"github.com/thalweg/thalweg/stream"
	"github.com/thalweg/thalweg/table"
	"github.com/thalweg/thalweg/topology"
)

// linesOf is the topic of the text. The name is that of the app.
func linesOf(name string) topology.Topic[serde.Void, string] {
	return topology.Topic[serde.Void, string]{Name: name + "-lines", Key: serde.None, Value: serde.String, Partitions: 4}
}

// counts is the table of the topology, for whoever asks for its rows.
type counts struct {
	table.Table[string, int64]
	lines topology.Topic[serde.Void, string]
}

func (c *counts) topology(b *topology.Builder) {
	c.Table = stream.From(b, c.lines).
		FlatMapValues(words).
		GroupBy(func(_ serde.Void, word string) string { return word }).
		Count("counts")
}

// words returns the runs of letters and digits in a line, in lower case.
func words(line string) iter.Seq[string] {
	return func(yield func(string) bool) {
		for w := range strings.FieldsFuncSeq(line, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) }) {
			if !yield(strings.ToLower(w)) {
				return
			}
		}
	}
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdout)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "wordcount:", err)
		os.Exit(1)
	}
}
