package conformance_test

import (
	"fmt"
	"strings"

	"github.com/thalweg/thalweg/serde"
	"github.com/thalweg/thalweg/stream"
	"github.com/thalweg/thalweg/table"
	"github.com/thalweg/thalweg/topology"
	"github.com/thalweg/thalweg/window"
)

var _ = register(map[string]build{
	"tbl-to-table-direct": func(b *topology.Builder) { stream.Upsert(source(b, "t"), "s").Filter(evenRow).To(texts("out")) },
	"tbl-to-table": func(b *topology.Builder) {
		stream.Upsert(source(b, "t").MapRecord(func(r record) record {
			n := num(r.Value)
			if r.Key, r.NoKey = fmt.Sprint("m", n%3), n%9 == 1; r.NoKey {
				r.Key = ""
			}
			return r
		}), "s").To(texts("out"))
	},
	"multi-table-stream-table": func(b *topology.Builder) {
		changes := stream.Changes(kept(b, "t", "t-store")).
			MapValues(func(c table.Change[string]) opt {
				if !c.New.OK {
					return null
				}
				return some(c.New.Value + "m")
			}).
			SelectKey(func(k string, _ opt) string { return strings.ToLower(k) })
		stream.Upsert(changes, "s").Join(kept(b, "u", "u-store"), both).To(texts("out"))
	},
	"trace-layouts": func(b *topology.Builder) {
		in := source(b, "in")
		g := in.GroupByKey()
		g.Count("kv").To(longs("o1"))
		g.Windowed(tumbling(10, 5)).Count("w").To(windowsTo("o2"))
		g.Sessions(session(5, 5)).Count("se").To(sessionsTo("o3"))
		g.Windowed(tumbling(10, 5)).Count("we").Final().To(windowsTo("o4"))
		g.Sessions(session(5, 5)).Count("see").Final().To(sessionsTo("o5"))
		g.Windowed(sliding(10, 5)).Count("sle").Final().To(windowsTo("o6"))
		stream.Upsert(in, "v", keeping(100)).To(texts("o7"))
		in.OuterJoin("j", source(b, "in2"), within(10, 10, 5), outerOpt).To(texts("o8"))
		stream.Upsert(in, "pt").Suppress("sup", after(7, 0)).To(texts("o9"))
	},
})

func windowsTo(name string) topology.Topic[window.Key[string], int64] {
	t := timed(10, serde.Int64)
	t.Name = name
	return t
}

func sessionsTo(name string) topology.Topic[window.Key[string], int64] {
	t := sessions(serde.Int64)
	t.Name = name
	return t
}
