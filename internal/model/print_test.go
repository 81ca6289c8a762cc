package model

import (
	"fmt"
	"strings"
)

// String is the case as a program.
func (p *program) String() string {
	var b strings.Builder
	for i, o := range p.ops {
		fmt.Fprintf(&b, "\top%d := %s\n", i, o.text(i))
	}
	for _, i := range p.sunkOps() {
		fmt.Fprintf(&b, "\top%d.To(%s)\n", i, sinkName(i))
	}
	fmt.Fprintf(&b, "\td := streamtest.New(t, define, streamtest.Options{Partitions: %d, Instances: %d, CommitEvery: %d, Seed: %d})\n", p.partitions, p.instances, p.commitEvery, p.seed+1)
	for _, s := range p.steps {
		b.WriteString("\t" + s.text() + "\n")
	}
	return b.String()
}

func (s step) text() string {
	if s.kind == "put" {
		var rs []string
		for _, r := range s.records {
			rs = append(rs, raw{key: r.key, value: r.value.Value, noKey: r.key == "", null: !r.value.OK, time: r.at, headers: fmt.Sprint("id=", r.id)}.String())
		}
		return fmt.Sprintf("in%d.PutAll(%s)", s.topic, strings.Join(rs, ", "))
	}
	call := fmt.Sprintf("d.%s(%d)", strings.ToUpper(s.kind[:1])+s.kind[1:], s.instance)
	if s.kind == "commit" {
		call = "d.Commit()"
	}
	if s.after > 0 {
		return fmt.Sprintf("d.After(%d, func() { %s })", s.after, call)
	}
	return call
}

// text is the call that makes an operator; functions are named by what they are in functions_test.go, with their salt.
func (o op) text(i int) string {
	var in [2]string
	for j, k := range o.in {
		in[j] = fmt.Sprint("op", k)
	}
	name := fmt.Sprintf("%q", fmt.Sprint("op", i))
	group := ".GroupByKey()"
	if o.groupsAnew() {
		group = fmt.Sprintf(".GroupBy(rekeyed/%d)", o.b)
	}
	call := func(format string, args ...any) string { return in[0] + fmt.Sprintf(format, args...) }
	side := map[string]string{"inner": "Join", "left": "LeftJoin", "outer": "OuterJoin"}[o.sides()]
	half := "Join"
	if o.a%2 == 1 {
		half = "LeftJoin"
	}
	switch o.kind {
	case "source":
		return fmt.Sprintf("stream.From(in%d)", o.a)
	case "tableSource":
		return fmt.Sprintf("table.From(in%d)", o.a)
	case "merge":
		return call(".Merge(%s)", in[1])
	case "split":
		return call(".Split(keep/%d), the others marked/%d, merged", o.a, o.b)
	case "map":
		return call(".Map(rekeyed/%d, marked/%d)", o.a, o.b)
	case "repartition":
		return call(".Repartition(%s)", name)
	case "dedup":
		return call(".Dedup(%s, %d ms, key and value)", name, 1+o.a%20)
	case "toTable":
		return call(".Then(Upsert(%s))", name)
	case "window":
		return call("%s, %+v, %s(%s, %+v)", group, o.span(), o.aggregation(), name, o.options())
	case "windowSuppress", "suppress":
		if o.kind == "windowSuppress" && o.untilClose() {
			return call(".Suppress(%s, UntilClose)", name)
		}
		return call(".Suppress(%s, %+v)", name, o.suppression())
	case "tableJoin":
		return call(".%s(%s, joined)", side, in[1])
	case "foreignJoin":
		return call(".%sForeign(%s, %s, refers/%d, joined)", half, name, in[1], o.b)
	case "streamTableJoin":
		return call(".%sTable(%s, %s, joined)", half, name, in[1])
	case "streamJoin":
		return call(".%s(%s, %s, %+v, joined)", side, name, in[1], o.reach())
	case "tableGroup":
		return call(".GroupBy(rekeyed/%d).%s(%s)", o.b, o.aggregation(), name)
	case "count", "reduce", "aggregate", "fold", "sum", "top":
		return call("%s.%s(%s, %d)", group, o.kind, name, o.a)
	}
	return call(".%s(%d)", o.kind, o.a)
}
