package state

import (
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"reflect"

	"github.com/thalweg/thalweg/internal/store"
	"github.com/thalweg/thalweg/window"
)

// Env is what a store of the caller's own kind may use: see [New].
type Env struct {
	// Dir is a directory of this store and partition on this instance. It is there. What lies in it may be older or newer
	// than what is committed: Restore tells.
	Dir       string
	Partition int32
	// Changelog tells a row that the record at hand has changed: value nil for one that is no more. t is the time that the
	// row bears in the changelog, in general the record's. Both slices are copied. It is for the goroutine that uses the
	// store; what cannot be taken fails the task. A store without Restore has nothing to tell: its rows are dropped.
	Changelog func(key, value []byte, t window.Instant)
}

// Restorer is a store of the caller's own that can be told its rows: see [New].
type Restorer interface {
	// Restore makes value the row of key; nil: the key has none. Both live until it returns.
	Restore(key, value []byte) error
}

// Flusher is a store of the caller's own that is asked before each commit to tell, by Env.Changelog, what it has kept back.
type Flusher interface {
	Flush() error
}

// New declares a store of the caller's own kind: a bloom filter, a tree of intervals, a search index. open makes one, empty,
// for each task; a processor gets it from Context.Store as open has returned it. It belongs to the task: no locks.
//
// What the store has to keep it tells, row by row, through Env.Changelog, in the call that changes it or in Flush. The rows are
// kept with the task's other state: they are committed or aborted with the records that caused them, lie on disk unless
// Options say otherwise, go to the changelog and move with the task. By [Restorer] the store hears of them again:
//
//   - after open, each row that is committed, before any record; on a standby all along, as they come from the changelog;
//   - after an abort, each row that it has told since the last commit, as it was before.
//
// So what follows from the rows alone is exactly-once, whatever happens. What the store does not tell is lost with the
// task, and stays after an abort. A store need not have Restore if it has no changelog (Options.NoChangelog): then what a crash or an abort
// means is its own affair. [Flusher] and [io.Closer] are for those who need them. An error or a panic of any of these
// methods stops the task, and nothing that is in doubt is committed.
//
// There are no queries from outside, which are refused, and no TTL; a global store cannot be of it.
func New[S any](name string, open func(Env) (S, error), opts ...Options) Spec[S] {
	p := planOwn(name, open, opts)
	return Spec[S]{p: p, make: func(env store.Env) (s S, st store.Store, err error) {
		c, err := store.OpenCustom(env, name, p.Schema, func(note store.Note) (store.Own, error) {
			dir, err := dirOf(env, "stores", name)
			if err != nil {
				return store.Own{}, err
			}
			s, err = open(Env{Dir: dir, Partition: env.Partition, Changelog: func(key, value []byte, t window.Instant) {
				note(key, value, int64(t))
			}})
			if err != nil {
				return store.Own{}, err
			}
			return ownOf(s, p)
		})
		if err != nil {
			return s, nil, err
		}
		return s, c, nil
	}}
}

// ownOf finds what s can do.
func ownOf(s any, p store.Plan) (own store.Own, err error) {
	if s == nil {
		return own, fmt.Errorf("state: %q: the function that opens the store returned nil", p.Name)
	}
	if x, ok := s.(io.Closer); ok {
		own.Close = x.Close
	}
	if x, ok := s.(Flusher); ok {
		own.Flush = x.Flush
	}
	if x, ok := s.(Restorer); ok {
		own.Restore = x.Restore
	} else if p.Changelog {
		return own, noRestore(p.Name, reflect.TypeOf(s))
	}
	return own, nil
}

// dirOf makes the directory of a store in that of its task.
func dirOf(env store.Env, kind, name string) (string, error) {
	if env.Dir == nil {
		return "", nil
	}
	dir := pathOf(env, kind, name)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", fmt.Errorf("state: %q: %w", name, err)
	}
	return dir, nil
}

// pathOf is the directory of a store in that of its task.
func pathOf(env store.Env, kind, name string) string {
	return filepath.Join(env.Dir(), kind, url.PathEscape(name))
}
