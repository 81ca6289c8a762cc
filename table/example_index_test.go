package table_test

import (
	"context"
	"fmt"

	"github.com/thalweg/thalweg/stream/streamtest"
	"github.com/thalweg/thalweg/table"
	"github.com/thalweg/thalweg/topology"
)

func ExampleTable_Index() {
	var byColor table.Index[string, string, string]
	streamtest.Example(func(b *topology.Builder) {
		byColor = table.From(b, texts).Index("by-color", func(_, color string) string { return color })
	}, func(d *streamtest.Driver) {
		paint(d)
		for e, err := range byColor.Query(d).Get(context.Background(), "red") {
			fmt.Println("red:", e.Key, err)
		}
		for e, err := range byColor.Query(d).Range(context.Background(), "a", "z") {
			fmt.Println(e.Value, e.Key, err)
		}
	})
	// Output:
	// red: b <nil>
	// blue a <nil>
	// red b <nil>
}

func ExampleIndex_Query() {
	var bySize table.Index[int64, string, string]
	streamtest.Example(func(b *topology.Builder) {
		bySize = table.From(b, texts).Index("by-size", func(_, s string) int64 { return int64(len(s)) })
	}, func(d *streamtest.Driver) {
		in := d.Topic(texts)
		in.Put("a", "four")
		in.Put("b", "seven")
		in.Put("c", "no")
		in.Delete("b")
		for e, err := range bySize.Query(d).Range(context.Background(), 0, 10) {
			fmt.Println(e.Key, e.Value, err)
		}
	})
	// Output:
	// c no <nil>
	// a four <nil>
}
