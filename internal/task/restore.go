package task

import (
	"fmt"
	"iter"

	"github.com/thalweg/thalweg/internal/batch"
	"github.com/thalweg/thalweg/internal/edge"
	"github.com/thalweg/thalweg/internal/store"
)

// Restore is a store that has to be brought in step with its changelog before the task runs.
type Restore struct {
	Store string
	Topic string         // read from
	Input bool           // Topic is an input of the task: to be read up to its committed offset
	From  store.Position // what the store stands for
}

// Restores lists the stores with something to read.
func (t *Task) Restores() (rs []Restore) {
	for _, o := range t.stores {
		switch {
		case o.decl.FromTopic != nil:
			rs = append(rs, Restore{o.decl.Name, o.decl.FromTopic.Name, true, o.now})
		case o.decl.Changelog != "":
			rs = append(rs, Restore{o.decl.Name, o.decl.Changelog, false, o.now})
		}
	}
	return rs
}

func (t *Task) opened(name string) (*opened, error) {
	for _, o := range t.stores {
		if o.decl.Name == name {
			return o, nil
		}
	}
	return nil, fmt.Errorf("task %s has no store %q", t.id, name)
}

// Forget empties a store: its changelog is not the one it stood for, or it was away too long.
func (t *Task) Forget(name string) error {
	o, err := t.opened(name)
	if err != nil {
		return err
	}
	o.now = store.Position{}
	return o.store.Reset()
}

// Replay applies committed batches of a changelog to a store: the records from offset from up to before upTo.
func (t *Task) Replay(name string, batches [][]byte, from, upTo int64) (n int64, err error) {
	o, err := t.opened(name)
	if err != nil {
		return 0, err
	}
	logged := func(yield func(store.Logged) bool) {
		n, err = t.replay(o, batches, from, upTo, yield)
	}
	if e := o.store.Replay(iter.Seq[store.Logged](logged)); e != nil {
		return n, fmt.Errorf("task %s: store %q: %w", t.id, name, e)
	}
	return n, err
}

func (t *Task) replay(o *opened, batches [][]byte, from, upTo int64, yield func(store.Logged) bool) (n int64, err error) {
	var r batch.Reader
	var rec batch.Record
	key := []byte{}
	for _, b := range batches {
		if err := r.Reset(b); err != nil {
			return n, err
		}
		for r.Next(&rec) {
			if rec.Offset < from || rec.Offset >= upTo || rec.Key == nil {
				continue
			}
			l := store.Logged{Key: rec.Key, Value: rec.Value, Time: rec.Timestamp, Next: rec.Offset + 1}
			if o.decl.FromTopic != nil {
				var skip bool
				if l.Time, skip, err = t.timeOf(o.decl.FromTopic, &rec); err != nil {
					return n, err
				}
				if skip {
					continue
				}
				if rekey := o.decl.Rekey; rekey != nil {
					if key, err = rekey(key[:0], rec.Key); err != nil {
						return n, fmt.Errorf("%s-%d@%d: key: %w", o.decl.FromTopic.Name, t.Partition(), rec.Offset, err)
					}
					l.Key = key
				}
			}
			n++
			if !yield(l) {
				return n, nil
			}
		}
		if err := r.Err(); err != nil {
			return n, err
		}
	}
	return n, nil
}

// timeOf is the event time of a record of a table's topic, by the rules of the topic: they hold in a restore as well.
func (t *Task) timeOf(topic *edge.Topic, rec *batch.Record) (int64, bool, error) {
	for _, in := range t.inputs {
		if in.topic != topic {
			continue
		}
		in.group[0], in.i, in.n = *rec, 0, 0
		t.loaded = nil
		t.load(in, rec, 0)
		t.meta.Hashed = false
		at, skip, err := in.entrance.Time(&t.meta, in.time)
		t.current = nil
		return at, skip, err
	}
	return rec.Timestamp, false, nil
}

// Restored ends the replay of a store: it stands for p.
func (t *Task) Restored(name string, p store.Position) error {
	o, err := t.opened(name)
	if err != nil {
		return err
	}
	o.store.Restored(p)
	o.now = p
	return nil
}

// Stores calls f with every store, for checkpoints and measurements. tail is how far its changelog has gone on since the
// last checkpoint: what a restart would have to read.
func (t *Task) Stores(f func(decl *edge.Store, s store.Store, tail int64)) {
	for _, o := range t.stores {
		f(o.decl, o.store, o.now.Offset-o.store.Position().Offset)
	}
}

// Ask answers a question about a store's committed rows.
func (t *Task) Ask(name string, q store.Query) (iter.Seq2[store.Row, error], error) {
	o, err := t.opened(name)
	if err != nil {
		return nil, err
	}
	return o.store.Committed(q), nil
}
