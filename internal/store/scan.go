package store

import "sync/atomic"

// scan builds a filter of all keys that the database held when it began, beside processing.
type scan struct {
	since *filter // keys that left the table meanwhile
	stop  atomic.Bool
	done  chan *filter // gets the filter, or nil, and is closed
}

// startScan begins to build the table's filter. adopt ends it.
func (t *table[V]) startScan() {
	it, err := t.env.DB.iter(t.prefix)
	if err != nil {
		t.env.Logger.Warn("store: the filter could not be built; misses are read below", "err", err)
		return
	}
	s := &scan{since: newFilter(0), done: make(chan *filter, 1)}
	t.scan = s
	h, n := t.env.Hasher, len(t.prefix)+t.lead
	go func() {
		defer close(s.done)
		f := newFilter(0)
		for ok := it.First(); ok && !s.stop.Load(); ok = it.Next() {
			f.add(h.Key(it.Key()[n:]).Hash)
		}
		if it.Close() == nil && !s.stop.Load() {
			s.done <- f
		}
	}()
}

// adopt takes the filter that a scan has built, if it is ready; wait: it stops the scan and waits for its end.
func (t *table[V]) adopt(wait bool) {
	s := t.scan
	if s == nil {
		return
	}
	if wait {
		s.stop.Store(true)
		for range s.done {
		}
		t.scan = nil
		return
	}
	select {
	case f := <-s.done:
		t.scan = nil
		if f != nil {
			f.parts = append(f.parts, s.since.parts...)
			f.keys += s.since.keys
			t.filter = f
		}
	default:
	}
}
