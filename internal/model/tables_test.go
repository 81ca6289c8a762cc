package model

import (
	"encoding/binary"
	"slices"
	"strconv"
	"strings"

	"github.com/thalweg/thalweg/serde"
)

func some(s string) opt { return serde.Some(s) }

// kept makes x a table whose rows are in its own store from the start.
func (x *operator) kept() (sendsOld *bool) {
	sendsOld = new(bool)
	x.get = x.stored
	x.keep = func() {}
	x.askOld = func(bool) bool { *sendsOld = true; return true }
	return sendsOld
}

// stored is the row of a key.
func (x *operator) stored(k string) (opt, int64) {
	r, ok := x.store[k]
	return opt{Value: r.v, OK: ok}, r.at
}

// put writes a row, or deletes it.
func (x *operator) put(k string, v opt, at int64) {
	if !v.OK {
		delete(x.store, k)
		return
	}
	x.store[k] = row{v.Value, at}
}

// tableSource is a table read from a topic: SEMANTICS 5.1. It keeps rows once somebody needs them.
func (m *machine) tableSource(x *operator, topic *node) {
	stored, sendsOld := false, false
	x.get = x.stored
	x.keep = func() { stored = true }
	x.askOld = func(force bool) bool {
		stored = stored || force
		sendsOld = sendsOld || stored
		return stored
	}
	x.out = topic.then(func(e event, emit func(event)) {
		if e.noKey {
			return
		}
		if stored {
			if sendsOld {
				e.old, _ = x.stored(e.key)
			}
			x.put(e.key, e.val, e.time)
		}
		emit(e)
	})
}

// aggregateOp makes a table of a stream: SEMANTICS 1.4 and 2.1.
func (m *machine) aggregateOp(x *operator, o op, name string, in *operator) {
	sendsOld := x.kept()
	from := in.out
	rekeyedBefore := in.rekeyed
	if o.kind != "toTable" && o.groupsAnew() {
		from, rekeyedBefore = from.then(func(e event, emit func(event)) { emit(e.rekey(rekeyed(o.b, e.key, e.val))) }), true
	}
	x.out = m.keyedNode(from, rekeyedBefore, name).then(func(e event, emit func(event)) {
		if e.noKey || o.kind != "toTable" && !e.val.OK {
			return
		}
		old, was := x.stored(e.key)
		if o.kind != "toTable" {
			if old.OK {
				e.time = max(e.time, was)
			}
			e.val = o.aggregated(e.val, old)
		}
		if *sendsOld {
			e.old = old
		}
		x.put(e.key, e.val, e.time)
		emit(e)
	})
}

// aggregated is an aggregate with one more value, both as text.
func (o op) aggregated(v, a opt) opt {
	switch o.kind {
	case "count":
		n, _ := strconv.Atoi(a.Value)
		return some(strconv.Itoa(n + 1))
	case "reduce":
		if !a.OK {
			return v
		}
		return some(added(a.Value, v))
	case "aggregate":
		return some(added(a.Or("0"), v))
	case "fold":
		return folded(o.a, v, a)
	case "sum":
		n, _ := strconv.ParseInt(a.Value, 10, 64)
		return some(strconv.FormatInt(n+weight(v), 10))
	}
	top := append(strings.Fields(a.Value), oneWord(v))
	slices.SortStableFunc(top, func(a, b string) int { return len(b) - len(a) })
	return some(strings.Join(top[:min(len(top), 1+o.a%3)], " "))
}

// tableOp makes a table of tables.
func (m *machine) tableOp(x *operator, o op, name string, in, other *operator) {
	switch o.kind {
	case "tableFilter":
		x.filtered(in, func(k string, v opt) opt {
			if v.OK && keep(o.a, k, v) {
				return v
			}
			return opt{}
		})
	case "tableMap":
		x.mapped(in, func(v opt) opt {
			if !v.OK {
				return v
			}
			return some(added(v.Value, some("t")))
		})
	case "changed":
		in.askOld(true)
		x.get, x.keep, x.askOld = in.get, in.keep, in.askOld
		x.out = in.out.then(func(e event, emit func(event)) {
			same := e.val.OK == e.old.OK && (!e.val.OK || pick(3, o.a, e.old.Value) == pick(3, o.a, e.val.Value))
			if !same {
				emit(e)
			}
		})
	case "materialize":
		x.materialized(in, m.p.ops[o.in[0]].kind == "tableFilter")
	case "suppress":
		m.suppressTable(x, o, in)
	case "tableJoin":
		joinTables(x, in, other, o.sides())
	case "tableGroup":
		m.groupTable(x, o, name, in)
	case "foreignJoin":
		m.foreignJoin(x, o, name, in, other)
	}
}

// filtered: SEMANTICS 5.2. With old values, deletions of what was never passed on are left out.
func (x *operator) filtered(in *operator, pass func(k string, v opt) opt) {
	sendsOld := in.askOld(false)
	x.askOld = func(force bool) bool { sendsOld = in.askOld(force) || sendsOld; return sendsOld }
	x.keep = in.keep
	x.get = func(k string) (opt, int64) { v, at := in.get(k); return pass(k, v), at }
	x.out = in.out.then(func(e event, emit func(event)) {
		e.val = pass(e.key, e.val)
		if sendsOld {
			if e.old = pass(e.key, e.old); !e.val.OK && !e.old.OK {
				return
			}
		}
		emit(e)
	})
}

// mapped: SEMANTICS 5.3.
func (x *operator) mapped(in *operator, f func(opt) opt) {
	sendsOld := false
	x.askOld = func(force bool) bool { sendsOld = in.askOld(force) || sendsOld; return sendsOld }
	x.keep = in.keep
	x.get = func(k string) (opt, int64) { v, at := in.get(k); return f(v), at }
	x.out = in.out.then(func(e event, emit func(event)) {
		e.val = f(e.val)
		if e.old = f(e.old); !sendsOld {
			e.old = opt{}
		}
		emit(e)
	})
}

// materialized: SEMANTICS 5.2 and 5.4, of a filter and of other tables.
func (x *operator) materialized(in *operator, ofFilter bool) {
	sendsOld := x.kept()
	x.out = in.out.then(func(e event, emit func(event)) {
		e.old = opt{}
		if *sendsOld {
			if e.old, _ = x.stored(e.key); ofFilter && !e.val.OK && !e.old.OK {
				return
			}
		}
		x.put(e.key, e.val, e.time)
		emit(e)
	})
}

// joinTables: SEMANTICS 4.5.
func joinTables(x, l, r *operator, sides string) {
	leftStays, rightStays := sides != "inner", sides == "outer"
	l.keep()
	r.keep()
	if leftStays {
		l.askOld(true)
	}
	if rightStays {
		r.askOld(true)
	}
	sendsOld := false
	result := func(l, r opt) opt {
		if !l.OK && (!r.OK || !rightStays) || !r.OK && !leftStays {
			return opt{}
		}
		return some(joined(l, r))
	}
	x.out = &node{}
	side := func(this, other *operator, stays bool, result func(this, other opt) opt) {
		this.out.edges = append(this.out.edges, edge{to: x.out, recv: func(e event) {
			o, at := other.get(e.key)
			switch {
			case !o.OK && !stays, !o.OK && !e.val.OK && !e.old.OK:
				return
			case o.OK:
				e.time = max(e.time, at)
			}
			if e.val = result(e.val, o); sendsOld {
				e.old = result(e.old, o)
			} else {
				e.old = opt{}
			}
			x.out.emit(e)
		}})
	}
	side(l, r, leftStays, result)
	side(r, l, rightStays, func(r, l opt) opt { return result(l, r) })
	x.keep = func() { l.keep(); r.keep() }
	x.askOld = func(bool) bool { l.askOld(true); r.askOld(true); sendsOld = true; return true }
	x.get = func(k string) (opt, int64) {
		lv, lat := l.get(k)
		rv, rat := r.get(k)
		at := max(lat, rat)
		if !lv.OK {
			at = rat
		} else if !rv.OK {
			at = lat
		}
		return result(lv, rv), at
	}
}

// groupTable: SEMANTICS 2.2, with the wire format of a change.
func (m *machine) groupTable(x *operator, o op, name string, in *operator) {
	in.askOld(true)
	topic := "test-" + name + "-repartition"
	in.out.edges = append(in.out.edges, edge{recv: func(e event) {
		send := func(k string, old, new opt) {
			m.write(topic, m.of(k), raw{key: k, value: changeBytes(old, new), time: e.time, headers: e.headers})
		}
		oldKey, newKey := rekeyed(o.b, e.key, e.old), rekeyed(o.b, e.key, e.val)
		if e.old.OK && e.val.OK && oldKey == newKey {
			send(newKey, e.old, e.val)
			return
		}
		if e.old.OK {
			send(oldKey, e.old, opt{})
		}
		if e.val.OK {
			send(newKey, opt{}, e.val)
		}
	}})
	sendsOld := x.kept()
	x.out = &node{}
	m.enter[topic] = func(r raw) {
		e := event{key: r.key, time: r.time, headers: r.headers}
		old, new := changeOf(r.value)
		agg, was := x.stored(r.key)
		result := agg
		if old.OK && agg.OK {
			result = o.regrouped(old, agg, true)
		}
		if new.OK {
			result = o.regrouped(new, result, false)
		}
		if agg.OK {
			e.time = max(e.time, was)
		}
		if e.val = result; *sendsOld {
			e.old = agg
		}
		x.put(r.key, result, e.time)
		x.out.emit(e)
	}
}

// regrouped is a group's aggregate with a row taken out of it, or in.
func (o op) regrouped(v, a opt, out bool) opt {
	switch n, _ := strconv.Atoi(a.Value); {
	case o.aggregation() == "count" && out:
		return some(strconv.Itoa(n - 1))
	case o.aggregation() == "count":
		return some(strconv.Itoa(n + 1))
	case out:
		return some(removed(a.Value, v))
	case o.aggregation() == "reduce" && !a.OK:
		return v
	}
	return some(added(a.Or("0"), v))
}

func changeBytes(old, new opt) string {
	switch {
	case !new.OK:
		return old.Value + "\x00"
	case !old.OK:
		return new.Value + "\x01"
	}
	return string(binary.AppendVarint(nil, int64(len(new.Value)))) + new.Value + old.Value + "\x02"
}

func changeOf(s string) (old, new opt) {
	body := s[:len(s)-1]
	switch s[len(s)-1] {
	case 0:
		return some(body), opt{}
	case 1:
		return opt{}, some(body)
	}
	n, w := binary.Varint([]byte(body))
	return some(body[w+int(n):]), some(body[w : w+int(n)])
}
