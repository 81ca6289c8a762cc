package model

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
)

// compare checks a history against the model.
func (p *program) compare(h *history, t testing.TB) {
	logs := p.logs(h, t)
	machines := make([]*machine, p.partitions)
	for i := range machines {
		machines[i] = evaluate(p, int32(i))
	}
	for _, x := range h.taken {
		if enter := machines[x.at.Partition].enter[x.at.Topic]; enter != nil {
			enter(x.raw)
		} else {
			t.Fatalf("task %s has read %v, which nothing reads in the model", x.task, x.at)
		}
	}
	p.checkInput(logs, t)
	for i, o := range p.ops {
		if topic := sinkName(i); h.sunk[topic] != nil {
			logs[topic] = map[int32][]raw{}
			for _, r := range h.sunk[topic] {
				key := r.key
				if kinds[o.kind].out == windows {
					key = innerKey(key, machines[0].ops[i].span)
				}
				at := machines[0].of(key)
				logs[topic][at] = append(logs[topic][at], r)
			}
		}
	}
	topics := map[string]bool{}
	for topic := range logs {
		topics[topic] = true
	}
	for _, m := range machines {
		for topic := range m.wrote {
			topics[topic] = true
		}
	}
	for _, topic := range slices.Sorted(maps.Keys(topics)) {
		if !strings.HasPrefix(topic, "in") {
			p.checkTopic(topic, logs[topic], machines, t)
		}
	}
}

// logs are the topics that tasks have read, by partition: each record was taken once, in its order.
func (p *program) logs(h *history, t testing.TB) map[string]map[int32][]raw {
	logs, by := map[string]map[int32][]raw{}, map[string]string{}
	for _, x := range h.taken {
		if logs[x.at.Topic] == nil {
			logs[x.at.Topic] = map[int32][]raw{}
		}
		log := logs[x.at.Topic][x.at.Partition]
		if int64(len(log)) != x.at.Offset {
			t.Errorf("task %s has taken %v, want offset %d", x.task, x.at, len(log))
		}
		logs[x.at.Topic][x.at.Partition] = append(log, x.raw)
		place := fmt.Sprint(x.at.Topic, x.at.Partition)
		if was := by[place]; was != "" && was != x.task {
			t.Errorf("%v was taken by task %s, before by %s", x.at, x.task, was)
		}
		by[place] = x.task
	}
	return logs
}

// checkInput checks that sources were read as they were written.
func (p *program) checkInput(logs map[string]map[int32][]raw, t testing.TB) {
	m := machine{p: p}
	for i := range maxSources {
		var wrote machine
		wrote.wrote = map[string]map[int32][]raw{}
		topic := sourceTopic(i).Name
		read := slices.ContainsFunc(p.ops, func(o op) bool { return (o.kind == "source" || o.kind == "tableSource") && o.a == i })
		for _, s := range p.steps {
			if s.kind != "put" || s.topic != i || !read {
				continue
			}
			for _, r := range s.records {
				at := int32(-1)
				if r.key != "" {
					at = m.of(r.key)
				}
				wrote.write(topic, at, raw{key: r.key, value: r.value.Value, noKey: r.key == "", null: !r.value.OK, time: r.at, headers: fmt.Sprint("id=", r.id)})
			}
		}
		p.checkTopic(topic, logs[topic], []*machine{&wrote}, t)
	}
}

// checkTopic checks that a topic holds what the machines wrote: in each partition the records of each machine in their
// order, and those without a key anywhere.
func (p *program) checkTopic(topic string, log map[int32][]raw, machines []*machine, t testing.TB) {
	var loose, wantLoose []string
	for at := range int32(p.partitions) {
		var got []raw
		for _, r := range log[at] {
			if r.noKey {
				loose = append(loose, r.String())
			} else {
				got = append(got, r)
			}
		}
		var want [][]raw
		for _, m := range machines {
			if w := m.wrote[topic][at]; len(w) > 0 {
				var keyed []raw
				for _, r := range w {
					if r.noKey { // written to a partition that was chosen
						wantLoose = append(wantLoose, r.String())
					} else {
						keyed = append(keyed, r)
					}
				}
				want = append(want, keyed)
			}
		}
		if !interleaved(got, want) {
			t.Errorf("%s, partition %d:\n  got  %v\n  want %v", topic, at, texts(got), wanted(want))
		}
	}
	for _, m := range machines {
		for _, r := range m.wrote[topic][-1] {
			wantLoose = append(wantLoose, r.String())
		}
	}
	slices.Sort(loose)
	slices.Sort(wantLoose)
	if !slices.Equal(loose, wantLoose) {
		t.Errorf("%s, records without a key:\n  got  %v\n  want %v", topic, loose, wantLoose)
	}
}

// interleaved reports whether log is made of the parts, each in its order.
func interleaved(log []raw, parts [][]raw) bool {
	failed := map[string]bool{}
	var walk func(n int, at []int) bool
	walk = func(n int, at []int) bool {
		for ; n < len(log); n++ {
			var next []int // parts that go on with this record
			for i, k := range at {
				if k < len(parts[i]) && parts[i][k] == log[n] {
					next = append(next, i)
				}
			}
			switch len(next) {
			case 0:
				return false
			case 1: // no choice, and a log may have millions of records
				at[next[0]]++
				continue
			}
			place := fmt.Sprint(at)
			if failed[place] {
				return false
			}
			for _, i := range next {
				there := slices.Clone(at)
				there[i]++
				if walk(n+1, there) {
					return true
				}
			}
			failed[place] = true
			return false
		}
		for i, k := range at {
			if k < len(parts[i]) {
				return false
			}
		}
		return true
	}
	return walk(0, make([]int, len(parts)))
}

func (r raw) String() string {
	k, v := fmt.Sprintf("%q", r.key), fmt.Sprintf("%q", r.value)
	if r.noKey {
		k = "no key"
	}
	if r.null {
		v = "null"
	}
	return fmt.Sprintf("(%s, %s)@%d %s", k, v, r.time, r.headers)
}

func texts(rs []raw) string {
	var b strings.Builder
	for _, r := range rs {
		b.WriteString("\n    " + r.String())
	}
	return b.String()
}

func wanted(parts [][]raw) string {
	var b strings.Builder
	for i, rs := range parts {
		if i > 0 {
			b.WriteString("\n    and, in between as it comes,")
		}
		b.WriteString(texts(rs))
	}
	return b.String()
}
