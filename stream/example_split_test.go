package stream_test

import (
	"fmt"
	"log/slog"
	"os"
	"strconv"

	"github.com/thalweg/thalweg/serde"
	"github.com/thalweg/thalweg/stream"
	"github.com/thalweg/thalweg/stream/streamtest"
	"github.com/thalweg/thalweg/topology"
)

// others is where what is not wanted goes.
var others = topology.NewTopic("others", serde.String, serde.Int64)

func ExampleStream_Split() {
	streamtest.Example(func(b *topology.Builder) {
		big, small := stream.From(b, numbers).Split(func(_ string, n int64) bool { return n > 5 })
		big.To(results)
		small.To(others)
	}, func(d *streamtest.Driver) {
		in := d.Topic(numbers)
		in.Put("a", 1)
		in.Put("b", 6)
		in.Put("c", 7)
		d.Topic(results).Print()
		fmt.Println("small:")
		d.Topic(others).Print()
	})
	// Output:
	// b 6
	// c 7
	// small:
	// a 1
}

func ExampleStream_Switch() {
	streamtest.Example(func(b *topology.Builder) {
		sw := stream.From(b, numbers).Switch()
		sw.Case(func(_ string, n int64) bool { return n > 5 }).MapValues(func(n int64) int64 { return -n }).To(results)
		sw.Case(func(k string, _ int64) bool { return k == "a" }).To(results)
		sw.Default().To(others)
	}, func(d *streamtest.Driver) {
		in := d.Topic(numbers)
		in.Put("a", 9) // the first case that takes it
		in.Put("a", 1)
		in.Put("b", 2)
		d.Topic(results).Print()
		fmt.Println("others:")
		d.Topic(others).Print()
	})
	// Output:
	// a -9
	// a 1
	// others:
	// b 2
}

func ExampleSwitch_Case() {
	streamtest.Example(func(b *topology.Builder) {
		sw := stream.From(b, numbers).Switch()
		sw.Case(func(_ string, n int64) bool { return n%2 == 0 }).To(results)
	}, func(d *streamtest.Driver) {
		in := d.Topic(numbers)
		in.Put("a", 1) // no case takes it, and there is no default: it is dropped
		in.Put("a", 2)
		d.Topic(results).Print()
	})
	// Output:
	// a 2
}

func ExampleSwitch_Default() {
	streamtest.Example(func(b *topology.Builder) {
		sw := stream.From(b, numbers).Switch()
		sw.Case(func(_ string, n int64) bool { return n%2 == 0 }).To(others)
		sw.Default().To(results)
	}, func(d *streamtest.Driver) {
		in := d.Topic(numbers)
		in.Put("a", 1)
		in.Put("a", 2)
		d.Topic(results).Print()
	})
	// Output:
	// a 1
}

func ExamplePresent() {
	streamtest.Example(func(b *topology.Builder) {
		stream.From(b, numbers).MapValues(func(n int64) serde.Opt[int64] {
			if n < 0 {
				return serde.Opt[int64]{}
			}
			return serde.Some(n * 10)
		}).Then(stream.Present).To(results)
	}, func(d *streamtest.Driver) {
		in := d.Topic(numbers)
		in.Put("a", 1)
		in.Put("b", -1)
		in.Put("c", 3)
		d.Topic(results).Print()
	})
	// Output:
	// a 10
	// c 30
}

func ExampleTry() {
	words := topology.NewTopic("words", serde.String, serde.String)
	bad := topology.NewTopic("bad", serde.String, serde.String)
	streamtest.Example(func(b *topology.Builder) {
		ok, failed := stream.Try(stream.From(b, words), func(s string) (int64, error) { return strconv.ParseInt(s, 10, 64) })
		ok.To(results)
		failed.MapValues(func(f stream.Failed[string]) string { return f.Err.Error() }).To(bad)
	}, func(d *streamtest.Driver) {
		in := d.Topic(words)
		in.Put("a", "1")
		in.Put("b", "x")
		d.Topic(results).Print()
		d.Topic(bad).Print()
	})
	// Output:
	// a 1
	// b strconv.ParseInt: parsing "x": invalid syntax
}

func ExampleStream_Print() {
	streamtest.Example(func(b *topology.Builder) {
		stream.From(b, numbers).Print("in").MapValues(func(n int64) int64 { return 2 * n }).Print("out").To(results)
	}, func(d *streamtest.Driver) {
		d.Topic(numbers).Put("a", 1)
	})
	// Output:
	// in: a 1
	// out: a 2
}

func ExampleStream_Log() {
	text := slog.New(slog.NewTextHandler(os.Stdout, &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey {
			return slog.Attr{}
		}
		return a
	}}))
	streamtest.Example(func(b *topology.Builder) {
		stream.From(b, numbers).Log(text, "number").To(results)
	}, func(d *streamtest.Driver) {
		d.Topic(numbers).PutAt(0, "a", 1)
	})
	// Output:
	// level=INFO msg=number key=a value=1 at=1970-01-01T00:00:00Z
}

func ExampleStream_ToDynamic() {
	streamtest.Example(func(b *topology.Builder) {
		stream.From(b, numbers).ToDynamic(results, func(r topology.Record[string, int64]) string {
			if r.Value%2 == 0 {
				return "results"
			}
			return "others"
		})
	}, func(d *streamtest.Driver) {
		even, odd := d.Topic(results), d.Topic(others)
		in := d.Topic(numbers)
		in.Put("a", 1)
		in.Put("b", 2)
		even.Print()
		odd.Print()
	})
	// Output:
	// b 2
	// a 1
}
