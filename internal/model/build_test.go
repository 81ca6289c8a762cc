package model

import (
	"cmp"
	"fmt"
	"iter"
	"strconv"
	"strings"
	"time"

	"github.com/thalweg/thalweg/serde"
	"github.com/thalweg/thalweg/serde/windowed"
	"github.com/thalweg/thalweg/stream"
	"github.com/thalweg/thalweg/table"
	"github.com/thalweg/thalweg/topology"
	"github.com/thalweg/thalweg/window"
)

type (
	streamOf = stream.Stream[string, opt]
	tableOf  = table.Table[string, string]
	windowOf = table.Windowed[string, string]
)

// handle is an operator's output, of one shape.
type handle struct {
	s    streamOf
	t    tableOf
	w    windowOf
	span span // of w
}

func sourceTopic(i int) topology.Topic[string, string] {
	return topology.NewTopic(fmt.Sprint("in", i), serde.String, serde.String)
}

func nullable(name string) topology.Topic[string, opt] {
	return topology.Nullable(topology.NewTopic(name, serde.String, serde.String))
}

func sinkName(i int) string { return fmt.Sprint("out", i) }

// define is the topology.
func (p *program) define(b *topology.Builder) {
	hs := make([]handle, len(p.ops))
	for i, o := range p.ops {
		var in [2]handle
		for j, k := range o.in {
			in[j] = hs[k]
		}
		name := fmt.Sprint("op", i)
		switch out := kinds[o.kind].out; {
		case o.kind == "source":
			hs[i].s = stream.From(b, topology.Nullable(sourceTopic(o.a)))
		case o.kind == "tableSource":
			hs[i].t = table.From(b, sourceTopic(o.a))
		case out == windows:
			hs[i] = o.buildWindows(name, in[0])
		case out == tables && kinds[o.kind].in[0] == streams:
			hs[i].t = o.buildAggregate(name, in[0].s)
		case out == tables:
			hs[i].t = o.buildTable(name, in[0].t, in[1].t)
		case kinds[o.kind].in[0] == streams:
			hs[i].s = o.buildStream(name, in[0].s, in[1])
		default:
			hs[i].s = o.buildUpdates(in[0])
		}
	}
	for _, i := range p.sunkOps() {
		switch kinds[p.ops[i].kind].out {
		case streams:
			hs[i].s.To(nullable(sinkName(i)))
		case tables:
			hs[i].t.To(topology.NewTopic(sinkName(i), serde.String, serde.String))
		case windows:
			key := windowed.Session(serde.String)
			if hs[i].span.kind != "session" {
				key = windowed.Time(serde.String, time.Duration(hs[i].span.size)*ms)
			}
			hs[i].w.To(topology.NewTopic(sinkName(i), key, serde.String))
		}
	}
}

func (o op) buildStream(name string, s streamOf, other handle) streamOf {
	switch o.kind {
	case "filter":
		return s.Filter(func(k string, v opt) bool { return keep(o.a, k, v) })
	case "mapValues":
		return s.MapValues(func(v opt) opt { return marked(o.a, v) })
	case "map":
		return s.Map(func(k string, v opt) (string, opt) { return rekeyed(o.a, k, v), marked(o.b, v) })
	case "flatMap":
		return s.FlatMap(func(k string, v opt) iter.Seq2[string, opt] {
			return func(yield func(string, opt) bool) {
				for _, x := range several(o.a, k, v) {
					if !yield(x.k, x.v) {
						return
					}
				}
			}
		})
	case "flatMapValues":
		return s.FlatMapValues(func(v opt) iter.Seq[opt] {
			return func(yield func(opt) bool) {
				for _, x := range several(o.a, "", v) {
					if !yield(x.v) {
						return
					}
				}
			}
		})
	case "selectKey":
		return s.SelectKey(func(k string, v opt) string { return rekeyed(o.a, k, v) })
	case "merge":
		return s.Merge(other.s)
	case "split":
		yes, no := s.Split(func(k string, v opt) bool { return keep(o.a, k, v) })
		return yes.Merge(no.MapValues(func(v opt) opt { return marked(o.b, v) }))
	case "repartition":
		return s.Repartition(name)
	case "dedup":
		return s.Dedup(name, time.Duration(1+o.a%20)*ms, func(k string, v opt) string { return k + text(v) })
	case "streamTableJoin":
		if o.a%2 == 0 {
			return s.JoinTable(name, other.t, func(v opt, row string) opt { return serde.Some(joined(v, serde.Some(row))) })
		}
		return s.LeftJoinTable(name, other.t, func(v, row opt) opt { return serde.Some(joined(v, row)) })
	}
	w := o.reach().window()
	switch o.sides() {
	case "inner":
		return s.Join(name, other.s, w, func(l, r opt) opt { return serde.Some(joined(l, r)) })
	case "left":
		return s.LeftJoin(name, other.s, w, func(l opt, r serde.Opt[opt]) opt { return serde.Some(joined(l, r.Value)) })
	}
	return s.OuterJoin(name, other.s, w, func(l, r serde.Opt[opt]) opt { return serde.Some(joined(l.Value, r.Value)) })
}

func (o op) group(s streamOf) stream.Grouped[string, opt] {
	if o.groupsAnew() {
		return s.GroupBy(func(k string, v opt) string { return rekeyed(o.b, k, v) })
	}
	return s.GroupByKey()
}

func decimal(n int64) string { return strconv.FormatInt(n, 10) }
func zero() string           { return "0" }

func (o op) buildAggregate(name string, s streamOf) tableOf {
	switch o.kind {
	case "toTable":
		return stream.Upsert(s, name)
	case "count":
		return o.group(s).Count(name).MapValues(decimal)
	case "reduce":
		return o.group(s).Reduce(name, func(a, v opt) opt { return serde.Some(added(text(a), v)) }).MapValues(text)
	case "aggregate":
		return o.group(s).Aggregate(name, zero, add)
	case "fold":
		return o.group(s).Fold(name, func(_ string, v, a opt) opt { return folded(o.a, v, a) })
	case "sum":
		return o.group(s).Sum(name, weight).MapValues(decimal)
	}
	return o.group(s).Top(name, 1+o.a%3, func(a, b opt) int { return cmp.Compare(weight(a), weight(b)) }).MapValues(listed)
}

func listed(vs []opt) string {
	var texts []string
	for _, v := range vs {
		texts = append(texts, oneWord(v))
	}
	return strings.Join(texts, " ")
}

func (o op) buildTable(name string, t, other tableOf) tableOf {
	switch o.kind {
	case "tableFilter":
		return t.Filter(func(k, v string) bool { return keep(o.a, k, serde.Some(v)) })
	case "tableMap":
		return t.MapValues(func(v string) string { return added(v, serde.Some("t")) })
	case "changed":
		return t.Changed(func(a, b string) bool { return pick(3, o.a, a) == pick(3, o.a, b) })
	case "materialize":
		return t.Materialize(name)
	case "suppress":
		return t.Suppress(name, o.suppression())
	case "tableJoin":
		switch o.sides() {
		case "inner":
			return t.Join(other, func(l, r string) string { return joined(serde.Some(l), serde.Some(r)) })
		case "left":
			return t.LeftJoin(other, func(l string, r opt) string { return joined(serde.Some(l), r) })
		}
		return t.OuterJoin(other, joined)
	case "tableGroup":
		g := t.GroupBy(func(k, v string) (string, string) { return rekeyed(o.b, k, serde.Some(v)), v })
		switch o.aggregation() {
		case "count":
			return g.Count(name).MapValues(decimal)
		case "aggregate":
			return g.Aggregate(name, zero, func(_, v, a string) string { return added(a, serde.Some(v)) }, func(_, v, a string) string { return removed(a, serde.Some(v)) })
		}
		return g.Reduce(name, func(a, v string) string { return added(a, serde.Some(v)) }, func(a, v string) string { return removed(a, serde.Some(v)) })
	}
	ref := func(_, v string) (string, bool) { return refers(o.b, v) }
	if o.a%2 == 0 {
		return t.JoinForeign(name, other, ref, func(l, r string) string { return joined(serde.Some(l), serde.Some(r)) })
	}
	return t.LeftJoinForeign(name, other, ref, func(l string, r opt) string { return joined(serde.Some(l), r) })
}

func (o op) suppression() table.Suppression {
	if o.a%3 == 0 {
		return table.Suppression{MaxRecords: 1 + o.b%3}
	}
	return table.Suppression{After: time.Duration(1+o.b%20) * ms}
}

// untilClose reports whether a suppress of windows waits for their end.
func (o op) untilClose() bool { return o.a%4 > 0 }

func (o op) buildWindows(name string, in handle) handle {
	out := handle{span: in.span}
	switch o.kind {
	case "windowFilter":
		out.w = in.w.Filter(func(k window.Key[string], v string) bool { return keep(o.a, k.Key, serde.Some(v)) })
		return out
	case "windowMap":
		out.w = in.w.MapWithKey(func(k window.Key[string], v string) string { return windowMapped(k.Key, int64(k.Start), v) })
		return out
	case "final":
		out.w = in.w.Final()
		return out
	case "windowSuppress":
		until := o.suppression()
		if o.untilClose() {
			until = table.Suppression{UntilClose: true}
		}
		out.w = in.w.Suppress(name, until)
		return out
	}
	out.span = o.span()
	switch session, agg := out.span.kind == "session", o.aggregation(); {
	case agg == "reduce":
		reduced := func(a, v string) string { return added(a, serde.Some(v)) }
		g := stream.Present(in.s).GroupByKey()
		if o.groupsAnew() {
			g = stream.Present(in.s).GroupBy(func(k, v string) string { return rekeyed(o.b, k, serde.Some(v)) })
		}
		if session {
			out.w = g.Sessions(out.span.sessions()).Reduce(name, reduced, o.options()...)
		} else {
			out.w = g.Windowed(out.span.windows()).Reduce(name, reduced, o.options()...)
		}
	case session && agg == "count":
		out.w = o.group(in.s).Sessions(out.span.sessions()).Count(name, o.options()...).MapValues(decimal)
	case session:
		out.w = o.group(in.s).Sessions(out.span.sessions()).Aggregate(name, zero, add, func(_, a, b string) string { return merged(a, b) }, o.options()...)
	case agg == "count":
		out.w = o.group(in.s).Windowed(out.span.windows()).Count(name, o.options()...).MapValues(decimal)
	default:
		out.w = o.group(in.s).Windowed(out.span.windows()).Aggregate(name, zero, add, o.options()...)
	}
	return out
}

func add(_ string, v opt, a string) string { return added(a, v) }

func windowMapped(k string, start int64, v string) string { return clip(fmt.Sprint(v, k, start)) }

func (o op) buildUpdates(in handle) streamOf {
	some := func(v string) opt { return serde.Some(v) }
	switch o.kind {
	case "updates":
		return stream.Updates(in.t).MapValues(some)
	case "changes":
		return stream.Changes(in.t).MapValues(func(c table.Change[string]) opt { return change(c.Old, c.New) })
	case "windowUpdates":
		return stream.WindowUpdates(in.w).Map(func(k window.Key[string], v string) (string, opt) { return windowKey(k.Key, int64(k.Start)), some(v) })
	case "windowChanges":
		return stream.WindowChanges(in.w).Map(func(k window.Key[string], c table.Change[string]) (string, opt) {
			return windowKey(k.Key, int64(k.Start)), change(c.Old, c.New)
		})
	}
	return stream.Unwindowed(in.w).MapValues(some)
}

// windowKey is a key of a plain stream made of a window's.
func windowKey(k string, start int64) string { return letter(pick(letters, int(start%7), k)) }
