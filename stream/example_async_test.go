package stream_test

import (
	"context"
	"fmt"

	"github.com/thalweg/thalweg/stream"
	"github.com/thalweg/thalweg/stream/streamtest"
	"github.com/thalweg/thalweg/topology"
)

func ExampleStream_MapValuesAsync() {
	square := func(_ context.Context, n int64) (string, error) { // a call over the network
		return fmt.Sprintf("%d squared is %d", n, n*n), nil
	}
	streamtest.Example(func(b *topology.Builder) {
		stream.From(b, questions).
			MapValuesAsync("ask", 8, square, stream.AsyncOptions{Attempts: 3, Park: true}).
			To(answers)
	}, func(d *streamtest.Driver) {
		in := d.Topic(questions)
		in.Put("ann", 3)
		in.Put("ann", 4)
		d.Topic(answers).Print()
	})
	// Output:
	// ann 3 squared is 9
	// ann 4 squared is 16
}
