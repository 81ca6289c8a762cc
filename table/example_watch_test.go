package table_test

import (
	"context"
	"fmt"

	"github.com/thalweg/thalweg/stream"
	"github.com/thalweg/thalweg/stream/streamtest"
	"github.com/thalweg/thalweg/table"
	"github.com/thalweg/thalweg/topology"
)

func ExampleTable_Query_watch() {
	var counts table.Table[string, int64]
	streamtest.Example(func(b *topology.Builder) {
		counts = stream.From(b, numbers).GroupByKey().Count("counts")
	}, func(d *streamtest.Driver) {
		in := d.Topic(numbers)
		in.Put("a", 5)
		more := []string{"b", "a", "c"}
		for e, err := range counts.Query(d).WatchAll(context.Background()) {
			fmt.Println(e.Key, e.Value.Value, e.Value.OK, err)
			if len(more) > 0 {
				in.Put(more[0], 1)
				more = more[1:]
			}
		}
	})
	// Output:
	// a 1 true <nil>
	// b 1 true <nil>
	// a 2 true <nil>
	// c 1 true <nil>
}
