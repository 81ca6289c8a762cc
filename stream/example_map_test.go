package stream_test

import (
	"fmt"
	"iter"
	"strconv"
	"strings"

	"github.com/thalweg/thalweg/stream"
	"github.com/thalweg/thalweg/stream/streamtest"
	"github.com/thalweg/thalweg/topology"
)

func ExampleStream_Map() {
	streamtest.Example(func(b *topology.Builder) {
		stream.From(b, numbers).
			Map(func(k string, n int64) (string, int64) { return k + "!", n * 10 }).
			To(results)
	}, func(d *streamtest.Driver) {
		in := d.Topic(numbers)
		in.Put("a", 1)
		in.Put("b", 2)
		d.Topic(results).Print()
	})
	// Output:
	// a! 10
	// b! 20
}

func ExampleStream_TryMap() {
	streamtest.Example(func(b *topology.Builder) {
		stream.From(b, texts).
			TryMap(func(k, text string) (string, int64, error) {
				n, err := strconv.ParseInt(text, 10, 64)
				return k, n, err
			}).
			To(results)
	}, func(d *streamtest.Driver) {
		in := d.Topic(texts)
		in.Put("a", "1")
		in.Put("b", "two")
		in.Put("c", "3")
		d.Topic(results).Print()
	}, streamtest.Options{Partitions: 1, Seed: 1, Errors: func(string, error) bool { return true }})
	// Output:
	// a 1
	// c 3
}

func ExampleStream_MapValues() {
	streamtest.Example(func(b *topology.Builder) {
		stream.From(b, numbers).
			MapValues(func(n int64) int64 { return n * 10 }).
			To(results)
	}, func(d *streamtest.Driver) {
		in := d.Topic(numbers)
		in.Put("a", 1)
		in.Put("b", 2)
		d.Topic(results).Print()
	})
	// Output:
	// a 10
	// b 20
}

func ExampleStream_TryMapValues() {
	streamtest.Example(func(b *topology.Builder) {
		stream.From(b, texts).
			TryMapValues(func(text string) (int64, error) { return strconv.ParseInt(text, 10, 64) }).
			To(results)
	}, func(d *streamtest.Driver) {
		in := d.Topic(texts)
		in.Put("a", "1")
		in.Put("b", "two")
		in.Put("c", "3")
		d.Topic(results).Print()
	}, streamtest.Options{Partitions: 1, Seed: 1, Errors: func(string, error) bool { return true }})
	// Output:
	// a 1
	// c 3
}

func ExampleStream_MapWithKey() {
	streamtest.Example(func(b *topology.Builder) {
		stream.From(b, numbers).
			MapWithKey(func(k string, n int64) string { return fmt.Sprintf("%s has %d", k, n) }).
			To(labels)
	}, func(d *streamtest.Driver) {
		in := d.Topic(numbers)
		in.Put("a", 1)
		in.Put("b", 2)
		d.Topic(labels).Print()
	})
	// Output:
	// a a has 1
	// b b has 2
}

func ExampleStream_MapRecord() {
	streamtest.Example(func(b *topology.Builder) {
		stream.From(b, numbers).
			MapRecord(func(r topology.Record[string, int64]) topology.Record[string, string] {
				return topology.Record[string, string]{Key: r.Key, Value: r.Time.String(), Time: r.Time}
			}).
			To(labels)
	}, func(d *streamtest.Driver) {
		d.Topic(numbers).PutAt(1500, "a", 1)
		d.Topic(labels).Print()
	})
	// Output:
	// a 1970-01-01T00:00:01.5Z
}

func ExampleStream_FlatMap() {
	streamtest.Example(func(b *topology.Builder) {
		stream.From(b, numbers).
			FlatMap(func(k string, n int64) iter.Seq2[string, int64] {
				return func(yield func(string, int64) bool) {
					_ = yield(k, n) && yield("total", n)
				}
			}).
			To(results)
	}, func(d *streamtest.Driver) {
		in := d.Topic(numbers)
		in.Put("a", 1)
		in.Put("b", 2)
		d.Topic(results).Print()
	})
	// Output:
	// a 1
	// total 1
	// b 2
	// total 2
}

func ExampleStream_FlatMapValues() {
	streamtest.Example(func(b *topology.Builder) {
		stream.From(b, texts).
			FlatMapValues(strings.FieldsSeq).
			To(labels)
	}, func(d *streamtest.Driver) {
		in := d.Topic(texts)
		in.Put("a", "x y")
		in.Put("b", "")
		in.Put("c", "z")
		d.Topic(labels).Print()
	})
	// Output:
	// a x
	// a y
	// c z
}

func ExampleStream_SelectKey() {
	streamtest.Example(func(b *topology.Builder) {
		stream.From(b, numbers).
			SelectKey(func(_ string, n int64) string { return []string{"even", "odd"}[n%2] }).
			To(results)
	}, func(d *streamtest.Driver) {
		in := d.Topic(numbers)
		in.Put("a", 1)
		in.Put("b", 2)
		in.Put("c", 3)
		d.Topic(results).Print()
	})
	// Output:
	// odd 1
	// even 2
	// odd 3
}
