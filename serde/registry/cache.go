package registry

import (
	"sync"
	"time"
)

// missingFor is how long it is remembered that something does not exist: bytes that are no records of a registry's name
// ids at random, and the registry must not be asked for each.
const missingFor = 5 * time.Second

// cache remembers a limited number of answers, and asks once for each however many want it.
type cache[K comparable, V any] struct {
	most int
	now  func() time.Time

	mu      sync.Mutex // protects entries
	entries map[K]*entry[V]
}

// entry is an answer, or the question under way. Its fields are set before done is closed.
type entry[V any] struct {
	done  chan struct{}
	v     V
	err   error
	until time.Time // of an error that is remembered
}

func (c *cache[K, V]) get(k K, ask func() (V, error)) (V, error) {
	c.mu.Lock()
	e := c.entries[k]
	if e != nil && e.stale(c.now()) {
		e = nil
	}
	if e != nil {
		c.mu.Unlock()
		<-e.done
		return e.v, e.err
	}
	e = &entry[V]{done: make(chan struct{})}
	c.enterLocked(k, e)
	c.mu.Unlock()
	e.v, e.err = ask()
	if e.err != nil {
		e.until = c.now()
		if missing(e.err) {
			e.until = e.until.Add(missingFor)
		}
	}
	close(e.done)
	return e.v, e.err
}

// stale reports whether e is an error to be asked for again.
func (e *entry[V]) stale(now time.Time) bool {
	select {
	case <-e.done:
		return e.err != nil && !now.Before(e.until)
	default:
		return false
	}
}

// enterLocked makes room where there is none, by any entry that is no question under way.
func (c *cache[K, V]) enterLocked(k K, e *entry[V]) {
	if c.entries == nil {
		c.entries = map[K]*entry[V]{}
	}
	for old, x := range c.entries {
		if len(c.entries) < c.most {
			break
		}
		select {
		case <-x.done:
			delete(c.entries, old)
		default:
		}
	}
	c.entries[k] = e
}
