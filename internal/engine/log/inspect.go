package log

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/thalweg/thalweg/internal/batch"
)

// Inspector reads a directory on which no engine runs. It holds the lock, and changes nothing else.
type Inspector struct {
	d *Dir
}

// Inspect locks the directory. One that is held is ErrLocked, one in which there is no log an error that says so.
func Inspect(fs vfs.FS, dir string) (*Inspector, error) {
	if _, err := fs.Stat(fs.PathJoin(dir, formatFile)); missing(err) {
		return nil, fmt.Errorf("log: no log in %s: %s is missing", dir, formatFile)
	} else if err != nil {
		return nil, fmt.Errorf("log: %w", err)
	}
	lock, err := lockDir(fs, dir)
	if err != nil {
		return nil, err
	}
	return &Inspector{&Dir{fs: fs, dir: dir, cfg: Config{}.effective(), lock: lock}}, nil
}

// Close lets go of the directory.
func (i *Inspector) Close() error { return i.d.lock.release() }

// Found is a log in a directory.
type Found struct {
	ID   ID
	Name string // as it was given to Create; "" if it cannot be read
}

// String returns the name, or that of the directory.
func (f Found) String() string {
	if f.Name == "" {
		return f.ID.String()
	}
	return f.Name
}

// List returns the logs by name.
func (i *Inspector) List() ([]Found, error) {
	names, err := i.d.fs.List(i.d.dir)
	if err != nil {
		return nil, fmt.Errorf("log: %w", err)
	}
	var all []Found
	for _, name := range names {
		id, ok := parseID(name)
		if !ok {
			continue
		}
		m, err := readMeta(i.d.fs, i.d.fs.PathJoin(i.d.dir, name))
		if missing(err) {
			continue // it was never finished: the next start removes it
		}
		f := Found{ID: id}
		if err == nil {
			f.Name = m.Name
		}
		all = append(all, f)
	}
	slices.SortFunc(all, func(a, b Found) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.ID.String(), b.ID.String()))
	})
	return all, nil
}

// Batch is a batch as it lies in a file. Data, which is all of it, lives until the next one is read.
type Batch struct {
	Header batch.Header
	Marker *batch.Marker // of a control batch that has a record
	File   string
	Pos    int64
	Data   []byte
	Err    error // what is wrong with it
}

// Batches calls f with the batches of a log in their order, those that end before the offset from left out, as far as
// they can be read: behind the last batch of a file there may be what a crash left.
func (i *Inspector) Batches(id ID, from int64, f func(*Batch) error) error {
	p := i.d.newPartition(id)
	segments, err := p.findSegments()
	if err != nil {
		return fmt.Errorf("log: %w", err)
	}
	end := int64(0)
	for n, s := range segments {
		if s.base < end {
			continue // an older generation of what was cleaned
		}
		if n+1 < len(segments) && segments[n+1].base <= from {
			continue
		}
		if end, err = i.segment(s, from, f); err != nil {
			return err
		}
	}
	return nil
}

// segment is Batches of one file; it returns the offset after the last.
func (i *Inspector) segment(s *segment, from int64, f func(*Batch) error) (end int64, err error) {
	file, err := i.d.fs.Open(s.path(logExt))
	if err != nil {
		return 0, fmt.Errorf("log: %w", err)
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return 0, fmt.Errorf("log: %w", err)
	}
	w := walker{f: file, size: info.Size()}
	b := Batch{File: s.name(logExt)}
	for w.next() {
		end = w.h.LastOffset() + 1
		if end <= from {
			continue
		}
		b.Header, b.Pos, b.Marker = w.h, w.at, nil
		b.Data, b.Err = w.check(b.Data)
		if b.Err == nil {
			b.Marker, b.Err = markerOf(b.Data, &w.h)
		}
		if err := f(&b); err != nil {
			return end, err
		}
	}
	return end, nil
}

// OpenTxns returns the offsets at which the transactions begin that are open in a log, by producer, as its manifest says.
func (i *Inspector) OpenTxns(id ID) (map[int64]int64, error) {
	m, err := readManifest(i.d.fs, i.d.newPartition(id).dir, 0)
	if err != nil || m == nil {
		return nil, err
	}
	return m.ps.open, nil
}

// markerOf returns the marker in a batch, nil if there is none.
func markerOf(b []byte, h *batch.Header) (*batch.Marker, error) {
	if !h.Control() || h.Count == 0 { // the cleaner leaves such without a record
		return nil, nil
	}
	m, err := batch.ParseMarker(b)
	if err != nil {
		return nil, err
	}
	return &m, nil
}
