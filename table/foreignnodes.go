package table

import (
	"bytes"
	"encoding/binary"
	"fmt"

	"github.com/thalweg/thalweg/internal/edge"
	"github.com/thalweg/thalweg/internal/hashed"
	"github.com/thalweg/thalweg/internal/store"
	"github.com/thalweg/thalweg/serde"
	"github.com/thalweg/thalweg/state"
)

// sender is the sending end of a foreign-key join in one task.
type sender[K, V, K2, V2, R any] struct {
	*foreign[K, V, K2, V2, R]
	next         edge.Emit[K2, subscription]
	keys         *edge.Keyer[K]
	stale, noRef *int64
	partition    int32
	old, new     []byte // keys referred to
	value        []byte
}

// refersTo returns the key that a row refers to, and its bytes in buf; ok is false if there is no row, or it names none.
func (s *sender[K, V, K2, V2, R]) refersTo(k K, v serde.Opt[V], buf *[]byte) (k2 K2, ok bool, err error) {
	if !v.OK {
		return k2, false, nil
	}
	if k2, ok = s.ref(k, v.Value); !ok {
		return k2, false, nil
	}
	b, err := s.key2.Append(append((*buf)[:0], 0), k2)
	if err != nil || b == nil {
		return k2, false, err
	}
	*buf = b
	return k2, true, nil
}

func (s *sender[K, V, K2, V2, R]) receive(m *edge.Meta, k K, c Change[V]) error {
	if m.Stale {
		*s.stale++
		return nil
	}
	old, hadRef, err := s.refersTo(k, c.Old, &s.old)
	if err != nil {
		return err
	}
	now, hasRef, err := s.refersTo(k, c.New, &s.new)
	if err != nil {
		return err
	}
	keyed, err := s.keys.Key(m, k)
	if err != nil {
		return err
	}
	sub := subscription{key: keyed.Bytes, partition: s.partition}
	if c.New.OK {
		if s.value, err = s.val.Append(append(s.value[:0], 0), c.New.Value); err != nil {
			return err
		}
		if s.value != nil {
			sub.hash = hashOf(s.value[1:])
		}
	}
	moved := hadRef && !(hasRef && bytes.Equal(s.old, s.new))
	send := func(k2 K2, key []byte, none bool, do instruction) error {
		was := m.Rekeyed(none)
		if !none {
			m.SetKey(key[1:])
		}
		sub.do = do
		err := s.next(m, k2, sub)
		m.Restore(was)
		return err
	}
	if s.left {
		if !c.New.OK && !c.Old.OK {
			return nil
		}
		if moved {
			if err := send(old, s.old, false, leave); err != nil {
				return err
			}
		}
		return send(now, s.new, !hasRef, subscribe)
	}
	switch {
	case c.New.OK && !hasRef:
		*s.noRef++
		fallthrough
	case !c.New.OK:
		if hadRef {
			return send(old, s.old, false, leaveAndTell)
		}
		return nil
	case moved:
		if err := send(old, s.old, false, leave); err != nil {
			return err
		}
		return send(now, s.new, false, subscribe)
	}
	return send(now, s.new, false, subscribeToAny)
}

// subscriptions are the references to the right table's rows in one task: keys are length(4) foreign key | key.
type subscriptions struct {
	at  edge.Place
	kv  *store.KV[subscription]
	buf []byte
}

func (j *foreign[K, V, K2, V2, R]) subscriptions(at edge.Place) (*subscriptions, error) {
	h, err := at.Store(j.name + "-subscription-store")
	if err != nil {
		return nil, err
	}
	return &subscriptions{at: at, kv: state.RawKV[[]byte, subscription](h.(state.Timestamped[[]byte, subscription]))}, nil
}

// to returns what the references to a key begin with. It lives until the next call.
func (s *subscriptions) to(key []byte) []byte {
	s.buf = append(binary.BigEndian.AppendUint32(s.buf[:0], uint32(len(key))), key...)
	return s.buf
}

// update writes or removes a reference.
func (s *subscriptions) update(key []byte, sub subscription, at int64) error {
	s.buf = append(s.to(key), sub.key...)
	k := hashed.Key{Bytes: s.buf}
	s.at.Hash(&k)
	if sub.do == leave || sub.do == leaveAndTell {
		return s.kv.Delete(&k, at)
	}
	return s.kv.Put(&k, sub, at)
}

// respond sends an answer to the row that asked.
func respond[K, V2 any](m *edge.Meta, next edge.Emit[K, answer[V2]], key serde.Serde[K], sub *subscription, row serde.Opt[V2], at int64) error {
	k, err := key.Decode(sub.key)
	if err != nil {
		return err
	}
	was, t := m.Rekeyed(false), m.Time
	m.Time = at
	err = next(m, k, answer[V2]{sub.hash, row, sub.partition})
	m.Time = t
	m.Restore(was)
	return err
}

// openReceive makes the node that keeps a reference and answers it.
func (j *foreign[K, V, K2, V2, R]) openReceive(at edge.Place, next edge.Emit[K, answer[V2]]) (edge.Emit[K2, subscription], error) {
	subs, err := j.subscriptions(at)
	if err != nil {
		return nil, err
	}
	get, err := j.r.Open(at)
	if err != nil {
		return nil, err
	}
	keys, key, noKey := edge.NewKeyer(at, j.key2), serde.Single(j.key), at.Drop("null-foreign-key")
	return func(m *edge.Meta, k2 K2, sub subscription) (err error) {
		var row serde.Opt[V2]
		t := m.Time
		switch {
		case m.NoKey && sub.do != subscribe:
			*noKey++
			return nil
		case !m.NoKey:
			keyed, err := keys.Key(m, k2)
			if err != nil {
				return err
			}
			if err := subs.update(keyed.Bytes, sub, m.Time); err != nil {
				return err
			}
			var at int64
			if row.Value, at, row.OK, err = get(m, k2); err != nil {
				return err
			}
			if row.OK {
				t = max(t, at)
			}
		}
		switch {
		case sub.do == leave || sub.do == subscribeToAny && !row.OK:
			return nil
		case sub.do == leaveAndTell:
			row = serde.Opt[V2]{}
		}
		return respond(m, next, key, &sub, row, t)
	}, nil
}

// openScan makes the node that tells a change of a right row to all that refer to it, in the order of their keys.
func (j *foreign[K, V, K2, V2, R]) openScan(at edge.Place, next edge.Emit[K, answer[V2]]) (edge.Emit[K2, Change[V2]], error) {
	subs, err := j.subscriptions(at)
	if err != nil {
		return nil, err
	}
	keys, key, stale := edge.NewKeyer(at, j.key2), serde.Single(j.key), at.Drop("stale")
	return func(m *edge.Meta, k2 K2, c Change[V2]) error {
		if m.Stale {
			*stale++
			return nil
		}
		keyed, err := keys.Key(m, k2)
		if err != nil {
			return err
		}
		for e, err := range subs.kv.Prefix(bytes.Clone(subs.to(keyed.Bytes))) {
			if err == nil {
				err = respond(m, next, key, &e.Value, c.New, m.Time)
			}
			if err != nil {
				return err
			}
		}
		return nil
	}, nil
}

// openResolve makes the node that joins an answer with the row that asked, if that is still as it was.
func (j *foreign[K, V, K2, V2, R]) openResolve(at edge.Place, rows *Rows[K, R], next edge.Emit[K, Change[R]]) (edge.Emit[K, answer[V2]], error) {
	get, err := j.l.Open(at)
	if err != nil {
		return nil, err
	}
	put, err := rows.Writer(at, next, false)
	if err != nil {
		return nil, err
	}
	stale, buf := at.Drop("stale"), make([]byte, 0, 64)
	return func(m *edge.Meta, k K, a answer[V2]) error {
		v, _, ok, err := get(m, k)
		if err != nil {
			return err
		}
		var now valueHash
		if ok {
			b, err := j.val.Append(append(buf[:0], 0), v)
			if err != nil {
				return fmt.Errorf("table: %s: %w", j.name, err)
			}
			if b != nil {
				buf, now = b, hashOf(b[1:])
			}
		}
		if now != a.hash {
			*stale++
			return nil
		}
		if !a.row.OK && !(j.left && ok) {
			return put(m, k, serde.Opt[R]{})
		}
		return put(m, k, serde.Some(j.f(v, a.row)))
	}, nil
}
