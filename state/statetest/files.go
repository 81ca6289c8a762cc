package statetest

import (
	"bytes"
	"encoding/gob"
	"errors"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"sync"

	"github.com/thalweg/thalweg/state"
)

// Files is a backend of sorted lists, each in a file that every Apply writes anew: for tests, and to show what a tier has to do.
type Files struct{}

// Open implements state.Backend.
func (Files) Open(dir, _ string, _ int32) (state.Tier, error) {
	f := &file{path: filepath.Join(dir, "rows")}
	data, err := os.ReadFile(f.path)
	if errors.Is(err, fs.ErrNotExist) {
		return f, nil
	}
	if err == nil {
		err = gob.NewDecoder(bytes.NewReader(data)).Decode(&f.content)
	}
	return f, err
}

// file is a tier. Its rows are never changed in place, so that a snapshot costs nothing.
type file struct {
	path    string
	mu      sync.Mutex
	content content
}

type content struct {
	Rows []row
	At   int64
}

type row struct{ Key, Value []byte }

func (c content) find(key []byte) (int, bool) {
	return slices.BinarySearchFunc(c.Rows, key, func(r row, k []byte) int { return bytes.Compare(r.Key, k) })
}

func (f *file) now() content {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.content
}

// save writes a new file and puts it in the place of the old one.
func (f *file) save(c content) error {
	var b bytes.Buffer
	if err := gob.NewEncoder(&b).Encode(c); err != nil {
		return err
	}
	w, err := os.Create(f.path + ".new")
	if err != nil {
		return err
	}
	_, err = w.Write(b.Bytes())
	if err := errors.Join(err, w.Sync(), w.Close()); err != nil {
		return err
	}
	if err := os.Rename(f.path+".new", f.path); err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.content = c
	return nil
}

func (f *file) Apply(puts iter.Seq2[[]byte, []byte], offset int64) error {
	c := f.now()
	c.Rows, c.At = slices.Clone(c.Rows), offset
	for key, value := range puts {
		i, there := c.find(key)
		if there {
			c.Rows = slices.Delete(c.Rows, i, i+1)
		}
		if value != nil {
			c.Rows = slices.Insert(c.Rows, i, row{bytes.Clone(key), bytes.Clone(value)})
		}
	}
	return f.save(c)
}

func (f *file) DeleteRange(from, to []byte) error {
	c := f.now()
	i, _ := c.find(from)
	j := len(c.Rows)
	if to != nil {
		j, _ = c.find(to)
	}
	c.Rows = slices.Concat(c.Rows[:i], c.Rows[j:])
	return f.save(c)
}

func (f *file) Get(key []byte) ([]byte, error) {
	c := f.now()
	if i, ok := c.find(key); ok {
		return c.Rows[i].Value, nil
	}
	return nil, nil
}

func (f *file) Offset() (int64, error)            { return f.now().At, nil }
func (f *file) Snapshot() (state.Snapshot, error) { return f.now(), nil }
func (f *file) Close() error                      { return nil }

func (c content) Scan(from, to []byte, descending bool, each func(key, value []byte) bool) error {
	i, _ := c.find(from)
	j := len(c.Rows)
	if to != nil {
		j, _ = c.find(to)
	}
	rows := slices.Clone(c.Rows[i:max(i, j)])
	if descending {
		slices.Reverse(rows)
	}
	for _, r := range rows {
		if !each(r.Key, r.Value) {
			break
		}
	}
	return nil
}

func (c content) Close() error { return nil }
