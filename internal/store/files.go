package store

import (
	"bytes"
	"context"
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
	e     *pebbled
	size  int // of a file, about
	paths []string
	w     *sstable.Writer
}

// writeFiles writes w as files and ingests them in one call.
func (e *pebbled) writeFiles(w writes) (err error) {
	f := files{e: e, size: w.files}
	defer func() {
		if err != nil {
			err = errors.Join(err, f.discard())
		}
	}()
	beside := true // what checkpoints say beside the rows gets a file of its own: one of both would overlap all others
	for key, value := range w.rows {
		if is := bytes.HasPrefix(key, keyStates); is != beside {
			if err := f.end(); err != nil {
				return err
			}
			beside = is
		}
		if err := f.set(key, value); err != nil {
			return err
		}
	}
	if err := f.end(); err != nil {
		return err
	}
	if err := e.p.Ingest(context.Background(), f.paths); err != nil {
		return fmt.Errorf("store: ingest into %s: %w", e.dir, err)
	}
	for _, r := range w.gone {
		if err := e.p.DeleteRange(r[0], r[1], pebble.NoSync); err != nil {
			return fmt.Errorf("store: delete expired windows: %w", err)
		}
	}
	return nil
}

// set writes a row; a nil value deletes the key. Keys must ascend.
func (f *files) set(key, value []byte) error {
	if f.w != nil && f.w.Raw().EstimatedSize() > uint64(f.size) {
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
	fs := f.e.fs
	dir := fs.PathJoin(f.e.dir, ingestDir)
	if err := fs.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("store: write %s: %w", dir, err)
	}
	path := fs.PathJoin(dir, fmt.Sprintf("%d.sst", f.e.temp.Add(1)))
	file, err := fs.Create(path, vfs.WriteCategoryUnspecified)
	if err != nil {
		return fmt.Errorf("store: write %s: %w", path, err)
	}
	f.paths = append(f.paths, path)
	f.w = sstable.NewWriter(objstorageprovider.NewFileWritable(file), f.e.opts.MakeWriterOptions(0, f.e.p.TableFormat()))
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
		if _, missing := f.e.fs.Stat(p); missing == nil {
			err = errors.Join(err, f.e.fs.Remove(p))
		}
	}
	return err
}
