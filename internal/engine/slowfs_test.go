package engine

import (
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// slowFS takes a while for every sync, so that an answer that does not wait for the disk comes well before it.
type slowFS struct {
	vfs.FS
	delay time.Duration
}

func (s slowFS) wrap(f vfs.File, err error) (vfs.File, error) {
	if err != nil {
		return nil, err
	}
	return slowFile{f, s.delay}, nil
}

func (s slowFS) Create(name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	return s.wrap(s.FS.Create(name, c))
}

func (s slowFS) OpenReadWrite(name string, c vfs.DiskWriteCategory, opts ...vfs.OpenOption) (vfs.File, error) {
	return s.wrap(s.FS.OpenReadWrite(name, c, opts...))
}

func (s slowFS) ReuseForWrite(old, name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	return s.wrap(s.FS.ReuseForWrite(old, name, c))
}

func (s slowFS) OpenDir(name string) (vfs.File, error) { return s.wrap(s.FS.OpenDir(name)) }

// Unwrap returns the file system below.
func (s slowFS) Unwrap() vfs.FS { return s.FS }

type slowFile struct {
	vfs.File
	delay time.Duration
}

func (f slowFile) Sync() error {
	time.Sleep(f.delay)
	return f.File.Sync()
}

func (f slowFile) SyncData() error {
	time.Sleep(f.delay)
	return f.File.SyncData()
}

func (f slowFile) SyncTo(length int64) (bool, error) {
	time.Sleep(f.delay)
	return f.File.SyncTo(length)
}
