package stream_test

import (
	"fmt"
	"time"

	"github.com/thalweg/thalweg/serde"
	"github.com/thalweg/thalweg/stream"
	"github.com/thalweg/thalweg/stream/streamtest"
	"github.com/thalweg/thalweg/topology"
	"github.com/thalweg/thalweg/window"
)

var near = window.Within(10 * time.Millisecond)

func ExampleStream_Join() {
	streamtest.Example(func(b *topology.Builder) {
		stream.From(b, numbers).
			Join("numbers-texts", stream.From(b, texts), near, func(n int64, s string) string { return fmt.Sprint(n, s) }).
			To(labels)
	}, func(d *streamtest.Driver) {
		d.Topic(numbers).PutAt(0, "a", 1)
		d.Topic(texts).PutAt(5, "a", "x")
		d.Topic(texts).PutAt(12, "a", "y")
		d.Topic(numbers).PutAt(20, "a", 2)
		d.Topic(labels).Print()
	})
	// Output:
	// a 1x
	// a 2y
}

func ExampleStream_LeftJoin() {
	streamtest.Example(func(b *topology.Builder) {
		stream.From(b, numbers).
			LeftJoin("numbers-texts", stream.From(b, texts), near, func(n int64, s serde.Opt[string]) string { return fmt.Sprint(n, s.Or("-")) }).
			To(labels)
	}, func(d *streamtest.Driver) {
		d.Topic(numbers).PutAt(0, "a", 1)
		d.Topic(texts).PutAt(5, "a", "x")
		d.Topic(numbers).PutAt(20, "a", 2)
		d.Topic(texts).PutAt(31, "b", "y") // the time of 2 is over
		d.Topic(labels).Print()
	})
	// Output:
	// a 1x
	// a 2-
}

func ExampleStream_OuterJoin() {
	streamtest.Example(func(b *topology.Builder) {
		stream.From(b, numbers).
			OuterJoin("numbers-texts", stream.From(b, texts), near, func(n serde.Opt[int64], s serde.Opt[string]) string {
				return fmt.Sprint(n.Or(-1), s.Or("-"))
			}).
			To(labels)
	}, func(d *streamtest.Driver) {
		d.Topic(numbers).PutAt(0, "a", 1)
		d.Topic(texts).PutAt(5, "a", "x")
		d.Topic(numbers).PutAt(20, "b", 2)
		d.Topic(texts).PutAt(31, "c", "y")
		d.Topic(texts).PutAt(60, "c", "z")
		d.Topic(labels).Print()
	})
	// Output:
	// a 1x
	// b 2-
	// c -1y
}
