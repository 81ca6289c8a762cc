package task

import (
	"bytes"
	"slices"
	"sync"

	"github.com/thalweg/thalweg/internal/store"
)

// Watch hears which rows of one store commits change: the set of keys, not what they were on the way. It keeps a bounded
// number of them; whoever is too slow is told so, and reads all rows anew. Its methods may be called by many goroutines.
type Watch struct {
	key  []byte // the only key to hear of; nil: all
	wake chan<- struct{}

	mu    sync.Mutex // protects following fields
	keys  map[string]bool
	bytes int
	lost  bool
}

// Bounds of what a Watch keeps between two calls of Take.
const (
	watchKeys  = 1 << 16
	watchBytes = 8 << 20
)

// NewWatch returns a watch of a key, or of all if it is nil. wake, with room for one, has a value once there is something
// to take.
func NewWatch(key []byte, wake chan struct{}) *Watch { return &Watch{key: key, wake: wake} }

// Take returns the keys of the rows that have changed since the last call, in order. ok is false if they are not all of them: there
// were too many, or the store was closed or forgotten. A new watch has to take its place.
func (w *Watch) Take() (keys [][]byte, ok bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for k := range w.keys {
		keys = append(keys, []byte(k))
	}
	slices.SortFunc(keys, bytes.Compare)
	w.keys, w.bytes = nil, 0
	return keys, !w.lost
}

// Lost reports whether keys are missing.
func (w *Watch) Lost() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.lost
}

// add notes the keys of a commit.
func (w *Watch) add(c *changed) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.lost = w.lost || c.lost
	for _, k := range c.keys {
		if w.keys[k] || w.key != nil && k != string(w.key) || w.lost {
			continue
		}
		if len(w.keys) == watchKeys || w.bytes+len(k) > watchBytes {
			w.lost = true
			break
		}
		if w.keys == nil {
			w.keys = map[string]bool{}
		}
		w.keys[k] = true
		w.bytes += len(k)
	}
	if w.lost {
		w.keys, w.bytes = nil, 0
	}
	if w.lost || len(w.keys) > 0 {
		select {
		case w.wake <- struct{}{}:
		default:
		}
	}
}

// changed are the keys of the rows that a transaction has changed in a store. It is there only while somebody watches.
type changed struct {
	keys  []string
	bytes int
	lost  bool // there are more
}

// noting is a changelog that notes the keys of what is appended.
type noting struct {
	store.Changelog
	to *changed
}

func (n noting) Append(time int64, key, value []byte) error {
	c := n.to
	if c.lost = c.lost || len(c.keys) == watchKeys || c.bytes+len(key) > watchBytes; !c.lost {
		c.keys = append(c.keys, string(key))
		c.bytes += len(key)
	}
	return n.Changelog.Append(time, key, value)
}

// noted returns w, or what notes the changes of a store that is watched.
func (o *opened) noted(w store.Changelog) store.Changelog {
	o.changed = changed{}
	if len(o.watches) == 0 {
		return w
	}
	return noting{w, &o.changed}
}

// tell ends a transaction for those who watch.
func (o *opened) tell(committed bool) {
	if committed {
		for _, w := range o.watches {
			w.add(&o.changed)
		}
	}
	o.changed = changed{}
}

// close tells those who watch that they will hear no more.
func (o *opened) close() {
	o.changed = changed{lost: true}
	o.tell(true)
	o.watches = nil
}

// Watch has w hear of the commits of a store from now on. A transaction that has been flushed must have ended.
func (t *Task) Watch(name string, w *Watch) error {
	o, err := t.opened(name)
	if err != nil {
		return err
	}
	o.watches = append(o.watches, w)
	return nil
}

// Unwatch ends Watch.
func (t *Task) Unwatch(name string, w *Watch) {
	if o, err := t.opened(name); err == nil {
		o.watches = slices.DeleteFunc(o.watches, func(x *Watch) bool { return x == w })
	}
}

// Watch is as for Task; it reports false if the part has no store of that name.
func (g *Global) Watch(name string, w *Watch) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.t.Watch(name, w) == nil
}

// Unwatch is as for Task.
func (g *Global) Unwatch(name string, w *Watch) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.t.Unwatch(name, w)
}

// Row returns the committed row of a key, as a copy; ok is false if there is none.
func (t *Task) Row(name string, key []byte) (row store.Row, ok bool, err error) {
	rows, err := t.Ask(name, store.Query{Op: "get", Key: key})
	if err != nil {
		return row, false, err
	}
	for r, err := range rows {
		return store.Row{Key: bytes.Clone(key), Value: append([]byte{}, r.Value...), Time: r.Time}, err == nil, err
	}
	return store.Row{Key: bytes.Clone(key)}, false, nil
}
