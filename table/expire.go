package table

import (
	"fmt"

	"github.com/thalweg/thalweg/internal/edge"
	"github.com/thalweg/thalweg/internal/hashed"
	"github.com/thalweg/thalweg/serde"
)

// Expiring returns receive, the function of the node at p that writes the rows, with what their TTL asks for: before a
// record is processed, rows are deleted whose time is over by then, and the deletions passed on to next, by time and then
// key bytes. A deletion has the time at which the row's was over. Without a TTL it is receive itself.
func Expiring[K, V, X any](r *Rows[K, V], p edge.Place, next edge.Emit[K, Change[V]], receive edge.Emit[K, X]) (edge.Emit[K, X], error) {
	if r.ttl() == 0 {
		return receive, nil
	}
	rows, _, err := r.Open(p)
	if err != nil {
		return nil, err
	}
	kv, key, sendOld := rows.kv, serde.Single(r.key), r.Old()
	kv.Clock(func() *int64 { return p.Keep(r.name + " observed") })
	var at *edge.Meta // of the record at hand
	leave := func(gone hashed.Key, v V, over int64) error {
		k, err := key.Decode(gone.Bytes)
		if err != nil {
			return fmt.Errorf("table: %s: decode key: %w", r.name, err)
		}
		c := Change[V]{}
		if sendOld {
			c.Old = serde.Some(v)
		}
		m := at
		saved := *m
		m.Key, m.Val, m.Hashed = gone, nil, true
		m.Time, m.Headers, m.RawHeaders, m.NoKey, m.Stale = over, nil, nil, false, false
		err = next(m, k, c)
		*m = saved
		return err
	}
	return func(m *edge.Meta, k K, x X) error {
		at = m
		if err := kv.Observe(m.Time, leave); err != nil {
			return err
		}
		return receive(m, k, x)
	}, nil
}
