package runtime

import (
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// identity is what an instance keeps of itself in its directory, under a lock.
type identity struct {
	process string // a name of this directory's own: of its transactions and of its place in the group
	workers int    // the most workers it has ever had: each left a transactional id
	file    string
	lock    io.Closer
}

// saved is an identity's file.
type saved struct {
	Process string `json:"process"`
	Workers int    `json:"workers"`
}

// openIdentity locks dir and reads who it is; the first time it decides.
func openIdentity(dir string, cfg Config) (id identity, err error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return id, fmt.Errorf("runtime: %w", err)
	}
	id.lock, err = vfs.Default.Lock(filepath.Join(dir, "LOCK"))
	if err != nil {
		return id, fmt.Errorf("runtime: %s is in use by another instance of %q: give each instance a Config.Dir of its own (%w)", dir, cfg.App, err)
	}
	file := filepath.Join(dir, "identity.json")
	var s saved
	text, err := os.ReadFile(file)
	switch {
	case err == nil:
		if err := json.Unmarshal(text, &s); err != nil || s.Process == "" {
			return id, errors.Join(fmt.Errorf("runtime: %s is damaged: remove %s to rebuild its state from the changelogs: %v", file, dir, err), id.close())
		}
	case errors.Is(err, os.ErrNotExist):
		s.Process = newProcess()
	default:
		return id, errors.Join(fmt.Errorf("runtime: %w", err), id.close())
	}
	if cfg.Instance != "" {
		s.Process = cfg.Instance
	}
	id.process, id.workers, id.file = s.Process, s.Workers, file
	if err := id.keep(max(s.Workers, cfg.Workers)); err != nil {
		return id, errors.Join(err, id.close())
	}
	return id, nil
}

// keep notes how many workers there are, or are about to be, at most.
func (id *identity) keep(workers int) error {
	if err := writeFile(id.file, saved{id.process, workers}); err != nil {
		return err
	}
	id.workers = workers
	return nil
}

func (id identity) close() error {
	if id.lock == nil {
		return nil
	}
	return id.lock.Close()
}

func newProcess() string {
	var b [8]byte
	_, _ = rand.Read(b[:]) // never fails
	return hex.EncodeToString(b[:])
}

// writeFile replaces a file so that a crash leaves the old or the new.
func writeFile(file string, v any) error {
	text, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("runtime: %w", err)
	}
	f, err := os.CreateTemp(filepath.Dir(file), filepath.Base(file)+".*")
	if err != nil {
		return fmt.Errorf("runtime: %w", err)
	}
	_, err = f.Write(append(text, '\n'))
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), file)
	}
	if err != nil {
		return fmt.Errorf("runtime: %w", errors.Join(err, os.Remove(f.Name())))
	}
	d, err := os.Open(filepath.Dir(file))
	if err != nil {
		return fmt.Errorf("runtime: %w", err)
	}
	return errors.Join(d.Sync(), d.Close())
}
