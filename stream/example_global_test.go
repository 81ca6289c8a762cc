package stream_test

import (
	"fmt"
	"strings"

	"github.com/thalweg/thalweg/serde"
	"github.com/thalweg/thalweg/stream"
	"github.com/thalweg/thalweg/stream/streamtest"
	"github.com/thalweg/thalweg/table"
	"github.com/thalweg/thalweg/topology"
)

// currency is what stands behind the amount: "5 EUR" names EUR.
func currency(_, amount string) (string, bool) {
	_, c, ok := strings.Cut(amount, " ")
	return c, ok
}

func ExampleStream_JoinGlobal() {
	streamtest.Example(func(b *topology.Builder) {
		rates := table.GlobalFrom(b, numbers)
		stream.From(b, texts).
			JoinGlobal(rates, currency, func(amount string, rate int64) string { return fmt.Sprint(amount, " at ", rate) }).
			To(labels)
	}, func(d *streamtest.Driver) {
		d.Topic(numbers).Put("EUR", 7)
		d.Topic(texts).Put("a", "5 EUR")
		d.Topic(texts).Put("b", "5 ABC") // has no rate
		d.Topic(labels).Print()
	})
	// Output:
	// a 5 EUR at 7
}

func ExampleStream_LeftJoinGlobal() {
	streamtest.Example(func(b *topology.Builder) {
		rates := table.GlobalFrom(b, numbers)
		stream.From(b, texts).
			LeftJoinGlobal(rates, currency, func(amount string, rate serde.Opt[int64]) string {
				return fmt.Sprint(amount, " at ", rate.Or(1))
			}).
			To(labels)
	}, func(d *streamtest.Driver) {
		d.Topic(numbers).Put("EUR", 7)
		d.Topic(texts).Put("a", "5 EUR")
		d.Topic(texts).Put("b", "5 ABC")
		d.Topic(texts).Put("c", "5")
		d.Topic(labels).Print()
	})
	// Output:
	// a 5 EUR at 7
	// b 5 ABC at 1
	// c 5 at 1
}
