package store

import (
	"errors"
	"fmt"
	"slices"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/objstorage/objstorageprovider"
	"github.com/cockroachdb/pebble/v2/sstable"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// files writes sorted rows to files that do not overlap, to be ingested together.
type files struct {
	db    *DB
	paths []string
	w     *sstable.Writer
}

// writeFiles writes the checkpoint as files and ingests them in one call, the state among them.
func (c *Checkpoint) writeFiles() (err error) {
	f := files{db: c.db}
	defer func() {
		if err != nil {
			err = errors.Join(err, f.discard())
		}
	}()
	for _, s := range c.states() {
		if err := f.set(s.key, s.value); err != nil {
			return err
		}
	}
	if err := f.end(); err != nil {
		return err
	}
	var full []byte
	for _, p := range c.parts {
		full = append(full[:0], p.prefix...)
		for _, r := range p.rows {
			key, value := p.row(r)
			full = append(full[:len(p.prefix)], key...)
			if err := f.set(full, value); err != nil {
				return err
			}
		}
	}
	if err := f.end(); err != nil {
		return err
	}
	if err := c.db.ingest(f.paths); err != nil {
		return err
	}
	if c.dropped == nil {
		return nil
	}
	if err := c.db.p.DeleteRange(c.prefix, c.dropped, pebble.NoSync); err != nil { // lost in a crash it is done again
		return fmt.Errorf("store: delete expired windows: %w", err)
	}
	return nil
}

// set writes a row; a nil value deletes the key. Keys must ascend.
func (f *files) set(key, value []byte) error {
	if f.w != nil && f.w.Raw().EstimatedSize() > uint64(f.db.lim.fileBytes) {
		if err := f.end(); err != nil {
			return err
		}
	}
	if f.w == nil {
		if err := f.begin(); err != nil {
			return err
		}
	}
	var err error
	if value == nil {
		err = f.w.Delete(key)
	} else {
		err = f.w.Set(key, value)
	}
	if err != nil {
		return fmt.Errorf("store: write %s: %w", f.paths[len(f.paths)-1], err)
	}
	return nil
}

func (f *files) begin() error {
	fs := f.db.fs
	dir := fs.PathJoin(f.db.dir, ingestDir)
	if err := fs.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("store: write %s: %w", dir, err)
	}
	path := fs.PathJoin(dir, fmt.Sprintf("%d.sst", f.db.temp.Add(1)))
	file, err := fs.Create(path, vfs.WriteCategoryUnspecified)
	if err != nil {
		return fmt.Errorf("store: write %s: %w", path, err)
	}
	f.paths = append(f.paths, path)
	f.w = sstable.NewWriter(objstorageprovider.NewFileWritable(file), f.db.opts.MakeWriterOptions(0, f.db.p.TableFormat()))
	return nil
}

// end finishes the file at hand.
func (f *files) end() error {
	if f.w == nil {
		return nil
	}
	err := f.w.Close()
	f.w = nil
	if err != nil {
		return fmt.Errorf("store: write %s: %w", f.paths[len(f.paths)-1], err)
	}
	return nil
}

// discard removes the files of a checkpoint that failed.
func (f *files) discard() error {
	err := f.end()
	for _, p := range slices.Backward(f.paths) {
		if _, missing := f.db.fs.Stat(p); missing == nil {
			err = errors.Join(err, f.db.fs.Remove(p))
		}
	}
	return err
}
