package store

// filing says which keys have windows at what time, roughly: it lets an operator find what has closed without a look at
// every key. There may be keys in it that no longer have any.
type filing struct {
	width   int64  // ms
	closed  *int64 // what closed before it is not asked for again
	buckets map[int64]map[string]struct{}
	full    bool // the store's rows are in it
	fresh   bool // since the last commit: an abort may bring rows back that it has not seen
}

// bucketsAlive is how many buckets a retention takes.
const bucketsAlive = 64

// File lets the store keep account of which windows end when, for Closing. What closed before closed, as it is at a commit,
// is not asked for again.
func (s *spans[V]) File(closed *int64) {
	s.filed = newFiling(max(1, s.retention/bucketsAlive), closed)
}

func newFiling(width int64, closed *int64) *filing {
	return &filing{width: width, closed: closed, buckets: map[int64]map[string]struct{}{}}
}

// file notes that k has a window at a time.
func (s *spans[V]) file(k *Key, time int64) {
	if s.filed != nil {
		s.filed.put(k.Bytes, time)
	}
}

func (f *filing) put(key []byte, time int64) {
	n := time / f.width
	b := f.buckets[n]
	if b == nil {
		b = map[string]struct{}{}
		f.buckets[n] = b
	}
	if _, ok := b[string(key)]; !ok {
		b[string(key)] = struct{}{}
	}
}

// abort goes back with the store.
func (f *filing) abort() {
	if f != nil && f.fresh {
		f.full, f.fresh = false, false
	}
}

// commit drops what has closed, for good. lag is how much later than its time a window closes.
func (f *filing) commit(lag int64) {
	if f == nil {
		return
	}
	f.fresh = false
	before := less(*f.closed, lag)
	for n := range f.buckets {
		if (n+1)*f.width <= before {
			delete(f.buckets, n)
		}
	}
}

// closing calls found with every window whose time is in from..to, in no order, whether visible or not. The key lives as
// long as the caller likes.
func (s *spans[V]) closing(from, to int64, found func(key string, c *Cell[span[V]])) error {
	f := s.filed
	if !f.full {
		// After a restart, all at once.
		err := s.collect(nil, nil, false, func(key []byte, c *Cell[span[V]]) error {
			f.put(key, c.At)
			return nil
		})
		if err != nil {
			return err
		}
		f.full, f.fresh = true, true
	}
	seen := map[string]bool{}
	for n, keys := range f.buckets {
		if (n+1)*f.width <= from || n*f.width > to {
			continue
		}
		for key := range keys {
			if seen[key] {
				continue
			}
			seen[key] = true
			k := s.env.Hasher.Key([]byte(key))
			row, err := s.row(&k)
			if err != nil {
				return err
			}
			for i := range row.rows() {
				if c := &row.rows()[i]; !c.Null() && c.At >= from && c.At <= to {
					found(key, c)
				}
			}
		}
	}
	return nil
}
