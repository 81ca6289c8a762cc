package model

import (
	"encoding/binary"
	"slices"

	"github.com/twmb/murmur3"
)

// Instructions of a subscription: SEMANTICS 4.6.
const (
	deleteOnly = iota
	deleteAndPropagate
	propagateNull
	propagatePresent
)

const hashSeed = 104729

// hashed is the hash of a row's value, "" of none.
func hashed(v opt) string {
	if !v.OK {
		return ""
	}
	a, b := murmur3.SeedSum128(hashSeed, hashSeed, []byte(v.Value))
	return string(binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(nil, a), b))
}

// head is version and hash.
func head(version byte, hash string, between ...byte) string {
	if hash == "" {
		version |= 0x80
	}
	return string(append([]byte{version}, between...)) + hash
}

type subscription struct {
	instruction byte
	hash, pk    string
	partition   int32
}

func (s subscription) bytes() string {
	return head(1, s.hash, s.instruction) + s.pk + string(binary.BigEndian.AppendUint32(nil, uint32(s.partition)))
}

func subscriptionOf(b string) (s subscription) {
	s.instruction = b[1]
	rest := b[2:]
	if b[0]&0x80 == 0 {
		s.hash, rest = rest[:16], rest[16:]
	}
	n := len(rest) - 4
	s.pk, s.partition = rest[:n], int32(binary.BigEndian.Uint32([]byte(rest[n:])))
	return s
}

// foreignJoin: SEMANTICS 4.6.
func (m *machine) foreignJoin(x *operator, o op, name string, l, r *operator) {
	left := o.a%2 == 1
	l.askOld(true)
	r.askOld(true)
	l.keep()
	r.keep()
	registration := "test-" + name + "-subscription-registration-topic"
	response := "test-" + name + "-subscription-response-topic"
	l.out.edges = append(l.out.edges, edge{recv: func(e event) { m.subscribe(o, left, registration, e) }})
	subs := map[string]map[string]subscription{} // by foreign key and key
	answer := func(s subscription, rv opt, at int64, headers string) {
		value := head(0, s.hash)
		if rv.OK {
			value += rv.Value
		}
		m.write(response, s.partition, raw{key: s.pk, value: value, time: at, headers: headers})
	}
	m.enter[registration] = func(w raw) {
		s := subscriptionOf(w.value)
		if w.noKey && s.instruction != propagateNull {
			return
		}
		at, rv := w.time, opt{}
		if !w.noKey {
			switch {
			case s.instruction <= deleteAndPropagate:
				delete(subs[w.key], s.pk)
			case subs[w.key] == nil:
				subs[w.key] = map[string]subscription{}
				fallthrough
			default:
				subs[w.key][s.pk] = s
			}
			var rat int64
			if rv, rat = r.get(w.key); rv.OK {
				at = max(at, rat)
			}
		}
		switch {
		case s.instruction == deleteAndPropagate:
			answer(s, opt{}, at, w.headers)
		case s.instruction == propagateNull, s.instruction == propagatePresent && rv.OK:
			answer(s, rv, at, w.headers)
		}
	}
	r.out.edges = append(r.out.edges, edge{recv: func(e event) {
		for _, pk := range sortedKeys(subs[e.key]) {
			answer(subs[e.key][pk], e.val, e.time, e.headers)
		}
	}})
	sendsOld := x.kept()
	x.out = &node{}
	m.enter[response] = func(w raw) {
		hash, rest := "", w.value[1:]
		if w.value[0]&0x80 == 0 {
			hash, rest = rest[:16], rest[16:]
		}
		lv, _ := l.get(w.key)
		if hashed(lv) != hash {
			return
		}
		rv := opt{Value: rest, OK: rest != ""}
		e := event{key: w.key, time: w.time, headers: w.headers}
		if rv.OK || left && lv.OK {
			e.val = some(joined(lv, rv))
		}
		if *sendsOld {
			e.old, _ = x.stored(w.key)
		}
		x.put(w.key, e.val, w.time)
		x.out.emit(e)
	}
}

// subscribe says whom a left row refers to, and no longer does.
func (m *machine) subscribe(o op, left bool, topic string, e event) {
	ref := func(v opt) opt {
		if !v.OK {
			return opt{}
		}
		k, ok := refers(o.b, v.Value)
		return opt{Value: k, OK: ok}
	}
	was, is := ref(e.old), ref(e.val)
	send := func(fk opt, instruction byte) {
		if !fk.OK {
			fk.Value = ""
		}
		w := raw{key: fk.Value, noKey: !fk.OK, time: e.time, headers: e.headers,
			value: subscription{instruction, hashed(e.val), e.key, m.partition}.bytes()}
		partition := int32(-1)
		if fk.OK {
			partition = m.of(fk.Value)
		}
		m.write(topic, partition, w)
	}
	switch {
	case left && (e.val.OK || e.old.OK):
		if was.OK && was != is {
			send(was, deleteOnly)
		}
		send(is, propagateNull)
	case left:
	case !e.val.OK || !is.OK:
		if was.OK {
			send(was, deleteAndPropagate)
		}
	case !was.OK || was == is:
		send(is, propagatePresent)
	default:
		send(was, deleteOnly)
		send(is, propagateNull)
	}
}

func sortedKeys[V any](m map[string]V) (ks []string) {
	for k := range m {
		ks = append(ks, k)
	}
	slices.Sort(ks)
	return ks
}
