package engine

import (
	"errors"
	"strings"
	"sync/atomic"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// slowFS takes a while for every sync, so that an answer that does not wait for the disk comes well before it. Once
// broken is set, syncs fail; once refused is set, writes to files whose path has that in it fail.
type slowFS struct {
	vfs.FS
	delay   time.Duration
	broken  *atomic.Bool
	refused *atomic.Pointer[string]
}

func (s slowFS) wrap(name string, f vfs.File, err error) (vfs.File, error) {
	if err != nil {
		return nil, err
	}
	return slowFile{f, s, name}, nil
}

func (s slowFS) Create(name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	f, err := s.FS.Create(name, c)
	return s.wrap(name, f, err)
}

func (s slowFS) OpenReadWrite(name string, c vfs.DiskWriteCategory, opts ...vfs.OpenOption) (vfs.File, error) {
	f, err := s.FS.OpenReadWrite(name, c, opts...)
	return s.wrap(name, f, err)
}

func (s slowFS) ReuseForWrite(old, name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	f, err := s.FS.ReuseForWrite(old, name, c)
	return s.wrap(name, f, err)
}

func (s slowFS) OpenDir(name string) (vfs.File, error) {
	f, err := s.FS.OpenDir(name)
	return s.wrap(name, f, err)
}

// Unwrap returns the file system below.
func (s slowFS) Unwrap() vfs.FS { return s.FS }

type slowFile struct {
	vfs.File
	fs   slowFS
	name string
}

func (f slowFile) refuses() bool {
	if f.fs.refused == nil {
		return false
	}
	part := f.fs.refused.Load()
	return part != nil && strings.Contains(f.name, *part)
}

func (f slowFile) Write(b []byte) (int, error) {
	if f.refuses() {
		return 0, errBroken
	}
	return f.File.Write(b)
}

func (f slowFile) WriteAt(b []byte, at int64) (int, error) {
	if f.refuses() {
		return 0, errBroken
	}
	return f.File.WriteAt(b, at)
}

var errBroken = errors.New("the disk is broken")

func (f slowFile) wait() error {
	time.Sleep(f.fs.delay)
	if f.fs.broken != nil && f.fs.broken.Load() {
		return errBroken
	}
	return nil
}

func (f slowFile) Sync() error {
	if err := f.wait(); err != nil {
		return err
	}
	return f.File.Sync()
}

func (f slowFile) SyncData() error {
	if err := f.wait(); err != nil {
		return err
	}
	return f.File.SyncData()
}

func (f slowFile) SyncTo(length int64) (bool, error) {
	if err := f.wait(); err != nil {
		return false, err
	}
	return f.File.SyncTo(length)
}
