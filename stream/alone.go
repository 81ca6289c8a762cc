package stream

import (
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/thalweg/thalweg/internal/edge"
	"github.com/thalweg/thalweg/internal/hashed"
	"github.com/thalweg/thalweg/internal/store"
	"github.com/thalweg/thalweg/serde"
)

// waiting are the records of one side, time and key that have no partner yet, as they came.
type waiting[V, V2 any] struct {
	left  []V
	right []V2
}

// waitingSerde writes them as Kafka Streams does: 1, their number(4), then for each length(4) side(1) value.
type waitingSerde[V, V2 any] struct {
	left  serde.Serde[V]
	right serde.Serde[V2]
}

func (s waitingSerde[V, V2]) String() string {
	return "unmatched " + serde.Name(s.left) + " or " + serde.Name(s.right)
}

func (s waitingSerde[V, V2]) Parts() []any { return []any{s.left, s.right} }

func (s waitingSerde[V, V2]) At(p serde.Place) serde.Serde[waiting[V, V2]] {
	return waitingSerde[V, V2]{serde.At(s.left, p), serde.At(s.right, p)}
}

const (
	sideRight = 0
	sideLeft  = 1
)

func (s waitingSerde[V, V2]) Append(dst []byte, w waiting[V, V2]) (_ []byte, err error) {
	dst = binary.BigEndian.AppendUint32(append(dst, 1), uint32(len(w.left)+len(w.right)))
	for _, v := range w.left {
		if dst, err = appendSided(dst, sideLeft, s.left, v); err != nil {
			return nil, err
		}
	}
	for _, v := range w.right {
		if dst, err = appendSided(dst, sideRight, s.right, v); err != nil {
			return nil, err
		}
	}
	return dst, nil
}

func appendSided[V any](dst []byte, side byte, s serde.Serde[V], v V) ([]byte, error) {
	at := len(dst)
	out, err := s.Append(append(dst, 0, 0, 0, 0, side), v)
	if err != nil {
		return nil, err
	}
	if out == nil {
		return nil, errors.New("stream: a value that has no partner is written as null")
	}
	binary.BigEndian.PutUint32(out[at:], uint32(len(out)-at-4))
	return out, nil
}

func (s waitingSerde[V, V2]) Decode(data []byte) (w waiting[V, V2], err error) {
	short := fmt.Errorf("stream: unmatched records end early, after %d bytes", len(data))
	if len(data) < 5 || data[0] != 1 {
		return w, short
	}
	n := binary.BigEndian.Uint32(data[1:])
	for data = data[5:]; n > 0; n-- {
		if len(data) < 5 || uint64(binary.BigEndian.Uint32(data)) > uint64(len(data)-4) {
			return w, short
		}
		end := 4 + int(binary.BigEndian.Uint32(data))
		if end < 5 {
			return w, short
		}
		if data[4] == sideLeft {
			var v V
			v, err = s.left.Decode(data[5:end:end])
			w.left = append(w.left, v)
		} else {
			var v V2
			v, err = s.right.Decode(data[5:end:end])
			w.right = append(w.right, v)
		}
		if err != nil {
			return w, err
		}
		data = data[end:]
	}
	return w, nil
}

// alone holds the records of a left or outer join that have no partner yet, until their time is over. Keys of its store
// are time(8) side(1) key: by time, right before left.
type alone[K, V, V2, R any] struct {
	j      *joiner[K, V, V2, R]
	kv     *store.KV[waiting[V, V2]]
	key    serde.Serde[K]
	buf    []byte
	asked  hashed.Key // what of returned
	every  int64      // ms of the clock between two emissions
	due    *int64     // when the next may be
	lowest *int64     // below this no record waits; -1: not looked yet
}

func openAlone[K, V, V2, R any](j *joiner[K, V, V2, R], store string, kv *store.KV[waiting[V, V2]], key serde.Serde[K], every int64) *alone[K, V, V2, R] {
	a := &alone[K, V, V2, R]{j: j, kv: kv, key: key, every: every, due: j.at.Keep(store + " due"), lowest: j.at.Keep(store + " lowest")}
	return a
}

// of returns the store's key; it lives until the next call.
func (a *alone[K, V, V2, R]) of(key hashed.Key, at int64, left bool) *hashed.Key {
	side := byte(sideRight)
	if left {
		side = sideLeft
	}
	a.buf = append(append(binary.BigEndian.AppendUint64(a.buf[:0], uint64(at)), side), key.Bytes...)
	a.asked.Bytes = a.buf
	a.j.at.Hash(&a.asked)
	return &a.asked
}

// wait adds a record.
func (a *alone[K, V, V2, R]) wait(key hashed.Key, at int64, x sided[V, V2]) error {
	k := a.of(key, at, x.left)
	w, _, _, err := a.kv.Get(k)
	if err != nil {
		return err
	}
	// What was put is never changed in place.
	if x.left {
		w.left = append(w.left[:len(w.left):len(w.left)], x.v)
	} else {
		w.right = append(w.right[:len(w.right):len(w.right)], x.v2)
	}
	if *a.lowest < 0 {
		if err := a.first(); err != nil {
			return err
		}
	}
	*a.lowest = min(*a.lowest, at)
	return a.kv.Put(k, w, at)
}

// matched removes the records of a side, time and key: they have found a partner.
func (a *alone[K, V, V2, R]) matched(key hashed.Key, at int64, left bool) error {
	return a.kv.Delete(a.of(key, at, left), at)
}

// expire passes on the records whose time is over, by time, right before left, key bytes, and as they came. left is the
// side of the record at hand.
//
// Like Kafka Streams it takes the last time it has looked at for the lowest that waits, which may be later: then some
// leave later than they could.
func (a *alone[K, V, V2, R]) expire(m *edge.Meta, left bool) error {
	j := a.j
	if *a.lowest < 0 {
		if err := a.first(); err != nil {
			return err
		}
	}
	if *a.lowest != never && *a.lowest+a.look(left) >= *j.observed || *a.lowest == never && (a.every == 0 || a.look(left) == 0) {
		return nil
	}
	// An attempt counts although nothing waits: in Kafka Streams the lowest of none, and what is added to it, overflow.
	now := j.at.Now()
	if now < *a.due {
		return nil
	}
	*a.due = now + a.every
	return a.sweep(m)
}

// sweep passes on the records whose time is over.
func (a *alone[K, V, V2, R]) sweep(m *edge.Meta) error {
	j := a.j
	*a.lowest = never
	var open [2]bool
	for e, err := range a.kv.Range(nil, nil, false) {
		if err != nil {
			return err
		}
		at, side := int64(binary.BigEndian.Uint64(e.Key)), e.Key[8]
		if *a.lowest = at; open[0] && open[1] {
			break
		}
		if at+a.look(side == sideLeft) >= *j.observed {
			open[side] = true
			continue
		}
		if err := a.leave(m, e.Key, e.Value, at); err != nil {
			return err
		}
	}
	return nil
}

// closeIdle has records leave while none comes for so long.
func (a *alone[K, V, V2, R]) closeIdle(after time.Duration) {
	reach := max(a.look(true), a.look(false)) + 1
	a.j.listen(a.j.at, a.j.observed, after, func(int64) int64 { return reach }, func(_, t int64) bool { return a.over(t) }, a.sweep)
}

// over reports whether there is a record whose time is over at t.
func (a *alone[K, V, V2, R]) over(t int64) bool {
	for e, err := range a.kv.Range(nil, nil, false) {
		at := int64(0)
		if err == nil {
			at = int64(binary.BigEndian.Uint64(e.Key))
		}
		if err != nil || at+a.look(e.Key[8] == sideLeft) < t {
			return true // an error is met again, and told, where the records leave
		}
		if at+min(a.look(true), a.look(false)) >= t {
			return false
		}
	}
	return false
}

// first finds the lowest time that waits.
func (a *alone[K, V, V2, R]) first() error {
	*a.lowest = never
	for e, err := range a.kv.Range(nil, nil, false) {
		if err != nil {
			return err
		}
		*a.lowest = int64(binary.BigEndian.Uint64(e.Key))
		break
	}
	return nil
}

// look is how long a record of a side waits.
func (a *alone[K, V, V2, R]) look(left bool) int64 {
	if left {
		return a.j.after + a.j.grace
	}
	return a.j.before + a.j.grace
}

// leave passes on the records of one key and removes them.
func (a *alone[K, V, V2, R]) leave(m *edge.Meta, key []byte, w waiting[V, V2], at int64) error {
	k, err := a.key.Decode(key[9:])
	if err != nil {
		return err
	}
	was, t := m.Rekeyed(false), m.Time
	m.SetKey(key[9:])
	m.Time = at
	for _, v := range w.left {
		if err = a.j.single(m, k, sided[V, V2]{left: true, v: v}); err != nil {
			break
		}
	}
	for _, v := range w.right {
		if err != nil {
			break
		}
		err = a.j.single(m, k, sided[V, V2]{v2: v})
	}
	m.Time = t
	m.Restore(was)
	if err != nil {
		return err
	}
	return a.kv.Delete(a.of(hashed.Key{Bytes: key[9:]}, at, key[8] == sideLeft), at)
}
