package engine

import (
	"context"
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/thalweg/thalweg/internal/engine/log"
)

// partialSuffix is what a backup's directory is called by while it is made.
const partialSuffix = ".partial"

// Backup makes the directory to of fs, in which an engine opens with all that was acknowledged before the call and with
// nothing that was not written before one moment during it: records, offsets, transactions, topics and users alike. Clients
// are served meanwhile. The directory is closed in order; it is durable, and there, only when Backup returns nil. One that
// exists is refused. A second backup at a time is [log.ErrCopying]; Close ends one that is being made.
func (e *Engine) Backup(ctx context.Context, fs vfs.FS, to string) (done log.Copied, err error) {
	e.backupMu.RLock() // Close waits for it
	defer e.backupMu.RUnlock()
	if e.closed.Load() {
		return done, ErrClosed
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer context.AfterFunc(e.ending, func() { cancel(ErrClosed) })()
	e.cfg.Logger.Info("backup begins", "to", to)
	done, err = makeBackup(ctx, fs, to, e.cfg, func(partial string) (log.Copied, error) {
		c, err := e.dir.Copy(ctx, fs, partial)
		if err == nil && e.ending.Err() != nil { // ctx may not have heard of it yet
			err = ErrClosed
		}
		return c, err
	})
	if err != nil {
		if cause := context.Cause(ctx); cause != nil && !errors.Is(err, cause) {
			err = fmt.Errorf("%w: %w", cause, err)
		}
		e.cfg.Logger.Error("backup failed", "to", to, "err", err)
		return done, err
	}
	e.cfg.Logger.Info("backup ends", "to", to, "logs", done.Logs, "bytes", done.Bytes)
	return done, nil
}

// Backup is [Engine.Backup] of a directory on which no engine runs; one on which one does is [log.ErrLocked]. It changes nothing
// in dir.
func Backup(ctx context.Context, fs vfs.FS, dir, to string) (done log.Copied, err error) {
	i, err := log.Inspect(fs, dir)
	if err != nil {
		return done, err
	}
	defer func() { err = errors.Join(err, i.Close()) }()
	cfg := Config{}
	if err = cfg.fill(); err != nil {
		return done, err
	}
	return makeBackup(ctx, fs, to, cfg, func(partial string) (log.Copied, error) { return i.Copy(ctx, fs, partial) })
}

// makeBackup has copy write to a directory beside to, which the ordinary recovery then has to take; to is its name at the end.
func makeBackup(ctx context.Context, fs vfs.FS, to string, cfg Config, copy func(partial string) (log.Copied, error)) (done log.Copied, err error) {
	partial := to + partialSuffix
	for _, path := range []string{to, partial} {
		if _, err = fs.Stat(path); err == nil {
			return done, fmt.Errorf("engine: backup: %s exists: remove it, or choose another directory", path)
		}
	}
	if done, err = copy(partial); err == nil {
		err = settleBackup(ctx, fs, partial, cfg)
	}
	if err == nil {
		err = ctx.Err() // after which it is too late to take it back
	}
	if err == nil {
		err = log.Publish(fs, partial, to)
	}
	if err != nil {
		err = fmt.Errorf("engine: backup: %w", err)
		if e := fs.RemoveAll(partial); e != nil {
			err = fmt.Errorf("%w; remove %s yourself: %w", err, partial, e)
		}
	}
	return done, err
}

// settleBackup opens and closes an engine on a copy: what recovery would find at the first start, the backup tells of, and a
// log whose topic was being created or deleted goes.
func settleBackup(ctx context.Context, fs vfs.FS, partial string, cfg Config) error {
	e, err := openOn(fs, partial, Config{Clock: cfg.Clock, MinSessionTimeout: cfg.MinSessionTimeout, MaxSessionTimeout: cfg.MaxSessionTimeout})
	if err != nil {
		return err
	}
	err = e.Health()
	return errors.Join(err, e.Close(context.WithoutCancel(ctx)))
}
