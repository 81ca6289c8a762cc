package store

// Expires has rows deleted that were not written for ttl ms of event time: see Observe. It follows OpenKV.
func (t *KV[V]) Expires(ttl int64) error {
	t.ttl = ttl
	return t.Schedule(func(_ V, at int64) int64 { return at })
}

// TTL is what Expires was given, 0 if rows stay.
func (t *KV[V]) TTL() int64 { return t.ttl }

// Clock sets where the highest time seen is kept, which make returns, unless another has done so.
func (t *KV[V]) Clock(make func() *int64) {
	if t.clock == nil {
		t.clock = make()
	}
}

// Observe takes notice of a record at the given time, before it is processed: rows last written more than the TTL before the
// highest time seen are deleted, by time and then key bytes, and f is called with each and the time at which it was over. f
// may be nil.
func (t *KV[V]) Observe(at int64, f func(k Key, v V, over int64) error) error {
	*t.clock = max(*t.clock, at)
	limit := less(*t.clock, t.ttl+1)
	if t.agenda.next > limit {
		return nil
	}
	return t.Due(limit, t.ttl, func(k Key, v V, when int64) error {
		if f == nil {
			return nil
		}
		return f(k, v, plus(when, t.ttl))
	})
}
