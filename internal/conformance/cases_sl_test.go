package conformance_test

import (
	"fmt"
	"iter"
	"strconv"
	"strings"

	"github.com/thalweg/thalweg/serde"
	"github.com/thalweg/thalweg/topology"
	"github.com/thalweg/thalweg/window"
)

var _ = register(map[string]build{
	"sl-filter": func(b *topology.Builder) {
		source(b, "in").Filter(func(_ string, v opt) bool { return even(v) }).To(nullable("out"))
	},
	"sl-filter-not": func(b *topology.Builder) {
		source(b, "in").FilterNot(func(_ string, v opt) bool { return even(v) }).To(nullable("out"))
	},
	"sl-map": func(b *topology.Builder) {
		source(b, "in").MapRecord(func(r record) topology.Record[string, string] {
			return r.Rekey(fmt.Sprint("m", num(r.Value)%3), keyOf(r)+":"+str(r.Value))
		}).To(texts("out"))
	},
	"sl-map-values": func(b *topology.Builder) {
		source(b, "in").MapValues(func(v opt) opt {
			if num(v)%5 == 0 {
				return null
			}
			return serde.Some(str(v) + "!")
		}).MapRecord(func(r record) record {
			if r.Value.OK {
				r.Value.Value = keyOf(r) + "=" + r.Value.Value
			}
			return r
		}).To(nullable("out"))
	},
	"sl-flat-map": func(b *topology.Builder) {
		source(b, "in").MapRecord(func(r record) topology.Record[string, spread] {
			return r.Rekey(keyOf(r), spread{keyOf(r) + ":" + str(r.Value), num(r.Value) % 3})
		}).FlatMap(func(_ string, s spread) iter.Seq2[string, string] {
			return func(yield func(string, string) bool) {
				for i := range s.n {
					if !yield(fmt.Sprint("f", i), s.text) {
						return
					}
				}
			}
		}).To(texts("out"))
	},
	"sl-flat-map-values": func(b *topology.Builder) {
		source(b, "in").FlatMapValues(func(v opt) iter.Seq[string] {
			return func(yield func(string) bool) {
				for i := range num(v) % 3 {
					if !yield(str(v) + "." + strconv.Itoa(i)) {
						return
					}
				}
			}
		}).To(texts("out"))
	},
	"sl-select-key":  func(b *topology.Builder) { source(b, "in").MapRecord(rekeyed).To(nullable("out")) },
	"sl-repartition": func(b *topology.Builder) { source(b, "in").MapRecord(rekeyed).Repartition("rp").To(nullable("out")) },
	"sl-peek":        func(b *topology.Builder) { source(b, "in").Peek(func(record) {}).To(nullable("out")) },
	"sl-merge": func(b *topology.Builder) {
		marked := source(b, "in").MapValues(func(v opt) opt { return serde.Some(str(v) + "<") })
		marked.Merge(source(b, "in2").Filter(func(_ string, v opt) bool { return even(v) })).To(nullable("out"))
	},
	"sl-process":        func(b *topology.Builder) { source(b, "in").Process("process", openTwice).To(nullable("out")) },
	"sl-process-values": func(b *topology.Builder) { source(b, "in").ProcessValues("process", openLouder).To(nullable("out")) },
	"sl-context": func(b *topology.Builder) {
		source(b, "in").Merge(source(b, "in2")).Process("process", openContext).To(texts("out"))
	},
	"sl-chain": func(b *topology.Builder) {
		source(b, "in").MapRecord(func(r record) record { r.Value.OK = r.Value.OK && !r.NoKey; return r }).
			Filter(func(_ string, v opt) bool { return v.OK }).
			Map(func(k string, v opt) (string, string) { return strings.ToLower(k), v.Value }).
			FlatMapValues(func(v string) iter.Seq[string] {
				return func(yield func(string) bool) {
					if yield(v) && numOf(v)%2 == 0 {
						yield(v + "'")
					}
				}
			}).
			SelectKey(func(k, v string) string { return k + strconv.Itoa(len(v)) }).
			MapWithKey(func(k, v string) string { return k + "/" + v }).
			FilterNot(func(_, v string) bool { return numOf(v)%7 == 0 }).
			To(texts("out"))
	},
	"sl-split": func(b *topology.Builder) {
		sw := source(b, "in").Switch()
		sw.Case(func(_ string, v opt) bool { return num(v)%3 == 0 }).To(nullable("out0"))
		sw.Case(func(_ string, v opt) bool { return even(v) }).To(nullable("out1"))
		sw.Default().MapValues(func(v opt) opt { return serde.Some(str(v) + "?") }).To(nullable("out2"))
	},
	"sl-split-no-default": func(b *topology.Builder) {
		sw := source(b, "in").Switch()
		sw.Case(func(_ string, v opt) bool { return num(v)%3 == 0 }).To(nullable("out0"))
		sw.Case(func(_ string, v opt) bool { return num(v)%2 == 0 }).To(nullable("out1"))
	},
	"sl-through-topic": func(b *topology.Builder) {
		source(b, "in").MapValues(func(v opt) opt { return serde.Some(str(v) + "1") }).To(nullable("mid"))
		source(b, "mid").MapValues(func(v opt) opt { return serde.Some(str(v) + "2") }).To(nullable("out"))
	},
	"sl-to-dynamic": func(b *topology.Builder) {
		source(b, "in").ToDynamic(nullable("like"), func(r record) string { return fmt.Sprint("out", num(r.Value)%3) })
	},
	"trace-stream-punct": func(b *topology.Builder) { ticking(b, topology.StreamTime) },
	"trace-wall-punct":   func(b *topology.Builder) { ticking(b, topology.WallTime) },
})

// spread is a text that is to become n records.
type spread struct {
	text string
	n    int
}

// rekeyed gives a record the key of its number, and every sixth none.
func rekeyed(r record) record {
	n := num(r.Value)
	r.Key, r.NoKey = fmt.Sprint("s", n%4), false
	if n%6 == 0 {
		r.Key, r.NoKey = "", true
	}
	return r
}

// openTwice forwards each even value under a marked key, and again later, with a header more.
func openTwice(ctx *topology.Context[string, opt]) (topology.Processor[string, opt], error) {
	return topology.ProcessorFunc[string, opt](func(r record) error {
		if !even(r.Value) {
			return nil
		}
		if err := ctx.Forward(r.Rekey("p"+keyOf(r), r.Value)); err != nil {
			return err
		}
		later := r.With(serde.Some(fmt.Sprintf("%s@%d", str(r.Value), r.Time))).At(r.Time + 5)
		later.Headers = r.Headers.Add("p", []byte("q"))
		return ctx.Forward(later)
	}), nil
}

// openLouder forwards each value with a mark, later and with a header more, and each even one again as it is.
func openLouder(ctx *topology.ValueContext[opt]) (topology.Processor[string, opt], error) {
	return topology.ProcessorFunc[string, opt](func(r record) error {
		h := r.Headers.Add("n", []byte(strconv.Itoa(num(r.Value))))
		if err := ctx.ForwardAt(serde.Some(str(r.Value)+"!"), r.Time+1, h); err != nil {
			return err
		}
		if even(r.Value) {
			return ctx.Forward(r.Value)
		}
		return nil
	}), nil
}

// openContext puts what the context says of the record into the value.
func openContext(ctx *topology.Context[string, string]) (topology.Processor[string, opt], error) {
	return topology.ProcessorFunc[string, opt](func(r record) error {
		o := ctx.Origin()
		return ctx.Forward(r.With(fmt.Sprintf("%s,%s,%d,%d,%d", str(r.Value), o.Topic, o.Partition, o.Offset, ctx.StreamTime())))
	}), nil
}

// ticking forwards a record at each punctuation, every 10 ms.
func ticking(b *topology.Builder, by topology.Time) {
	source(b, "in").Process("ticks", func(ctx *topology.Context[string, string]) (topology.Processor[string, opt], error) {
		ctx.Schedule(ms(10), by, func(now window.Instant) error {
			return ctx.Forward(topology.Record[string, string]{Key: "tick", Value: fmt.Sprint(int64(now)), Time: now})
		})
		return topology.ProcessorFunc[string, opt](func(record) error { return nil }), nil
	}).To(texts("out"))
}
