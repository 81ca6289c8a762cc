package log

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"

	"github.com/cockroachdb/pebble/v2/vfs"
)

const (
	lockFile  = "LOCK"
	ownerFile = "LOCK.owner" // beside the lock file, which taking the lock truncates
)

// held are the directories of the operating system's file system that this process has open. File locks do not
// exclude their own process under another spelling of the path.
var held struct {
	sync.Mutex
	dirs map[string]bool
}

// dirLock is a held data directory.
type dirLock struct {
	fs   vfs.FS
	dir  string
	key  string // in held; empty: not the operating system's
	file io.Closer
}

// lockDir locks dir or returns ErrLocked with the owner's name.
func lockDir(fs vfs.FS, dir string) (*dirLock, error) {
	l := &dirLock{fs: fs, dir: dir}
	if vfs.Root(fs) == vfs.Default {
		key, err := filepath.Abs(dir)
		if err == nil {
			key, err = filepath.EvalSymlinks(key)
		}
		if err != nil {
			return nil, fmt.Errorf("log: lock %s: %w", dir, err)
		}
		held.Lock()
		defer held.Unlock()
		if held.dirs[key] {
			return nil, lockedError(fs, dir, errors.New("open in this process"))
		}
		l.key = key
	}
	var err error
	if l.file, err = fs.Lock(fs.PathJoin(dir, lockFile)); err != nil {
		return nil, lockedError(fs, dir, err)
	}
	if l.key != "" {
		if held.dirs == nil {
			held.dirs = map[string]bool{}
		}
		held.dirs[l.key] = true
	}
	return l, nil
}

func lockedError(fs vfs.FS, dir string, cause error) error {
	pid, text, err := Owner(fs, dir)
	if err != nil {
		return fmt.Errorf("%w: %s (holder unknown): %w", ErrLocked, dir, cause)
	}
	if text == "" {
		text = "no address"
	}
	return fmt.Errorf("%w: %s is held by pid %d, %s: %w", ErrLocked, dir, pid, text, cause)
}

// setOwner writes who holds the directory. It is information only, hence not synced.
func (l *dirLock) setOwner(text string) error {
	path := l.fs.PathJoin(l.dir, ownerFile)
	f, err := l.fs.Create(path+tmpSuffix, category)
	if err != nil {
		return err
	}
	_, err = f.Write([]byte(strconv.Itoa(os.Getpid()) + "\n" + text + "\n"))
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	return l.fs.Rename(path+tmpSuffix, path)
}

func (l *dirLock) release() error {
	if l.key != "" {
		held.Lock()
		delete(held.dirs, l.key)
		held.Unlock()
	}
	return l.file.Close()
}

// Owner returns the pid of the last process that locked dir and the text it gave to SetLockInfo.
func Owner(fs vfs.FS, dir string) (pid int, text string, err error) {
	b, err := readFile(fs, fs.PathJoin(dir, ownerFile), 64<<10)
	if err != nil {
		return 0, "", err
	}
	first, rest, _ := strings.Cut(string(b), "\n")
	if pid, err = strconv.Atoi(first); err != nil {
		return 0, "", fmt.Errorf("log: %s in %s: %w", ownerFile, dir, err)
	}
	return pid, strings.TrimSpace(rest), nil
}
