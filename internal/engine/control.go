package engine

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/thalweg/thalweg/internal/engine/log"
)

// The engine takes requests of other processes on its machine through a Unix socket in a folder of its data directory that
// only its user can enter: one line of JSON, answered by one. Who hangs up before the answer ends the request.
const (
	controlDir      = "control"
	controlSocket   = "socket"
	controlPath     = 100 // bytes of a socket's path that all systems take
	controlLine     = 64 << 10
	controlClients  = 4
	controlPatience = 10 * time.Second // for a request that was begun
)

// ErrNotServed is returned by RequestBackup if nobody takes requests for the directory.
var ErrNotServed = errors.New("engine: nobody takes requests")

// controlRequest asks for a backup.
type controlRequest struct {
	Backup string `json:"backup"` // absolute path
}

// controlAnswer says how it went.
type controlAnswer struct {
	Copied log.Copied `json:"copied"`
	Error  string     `json:"error,omitempty"`
}

// control serves the requests.
type control struct {
	e       *Engine
	fs      vfs.FS // of the copies
	l       net.Listener
	slots   chan struct{}
	workers sync.WaitGroup
}

// socketPath returns the shortest way to write where the socket of the engine in dir is.
func socketPath(dir string) (string, error) {
	path, err := filepath.Abs(filepath.Join(dir, controlDir, controlSocket))
	if err != nil {
		return "", err
	}
	if len(path) > controlPath {
		if wd, err := os.Getwd(); err == nil {
			if short, err := filepath.Rel(wd, path); err == nil && len(short) < len(path) {
				path = short
			}
		}
	}
	if len(path) > controlPath {
		return "", fmt.Errorf("%s is longer than a socket's path can be (%d bytes): move the directory, or run the program from near it", path, controlPath)
	}
	return path, nil
}

// startControl serves requests of other processes until stop. An engine that cannot runs all the same.
func (e *Engine) startControl(fs vfs.FS, dir string) {
	if vfs.Root(fs) != vfs.Default {
		return
	}
	l, err := listenControl(dir)
	if err != nil {
		e.cfg.Logger.Info("no requests from other processes: thalweg backup needs this engine stopped", "err", err)
		return
	}
	e.control = &control{e: e, fs: fs, l: l, slots: make(chan struct{}, controlClients)}
	e.control.workers.Go(e.control.accept)
}

// listenControl makes the socket anew: the directory is locked, so that nobody serves one that is there.
func listenControl(dir string) (net.Listener, error) {
	path, err := socketPath(dir)
	if err != nil {
		return nil, err
	}
	if err = os.RemoveAll(filepath.Dir(path)); err != nil {
		return nil, err
	}
	if err = os.Mkdir(filepath.Dir(path), 0o700); err != nil {
		return nil, err
	}
	return net.Listen("unix", path)
}

// stop refuses requests from now on and waits for those under way, which have to be told to end.
func (c *control) stop() {
	if c == nil {
		return
	}
	_ = c.l.Close() // nothing is lost with it
	c.workers.Wait()
}

func (c *control) accept() {
	for {
		conn, err := c.l.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			c.e.cfg.Logger.Error("requests of other processes end", "err", err)
			return
		}
		select {
		case c.slots <- struct{}{}:
			c.workers.Go(func() {
				defer func() { <-c.slots }()
				c.serve(conn)
			})
		default:
			_ = conn.Close() // too many at a time
		}
	}
}

// serve answers one request.
func (c *control) serve(conn net.Conn) {
	defer conn.Close()
	ctx, cancel := context.WithCancel(c.e.ending)
	defer cancel()
	defer context.AfterFunc(c.e.ending, func() { _ = conn.SetReadDeadline(time.Unix(1, 0)) })()
	_ = conn.SetReadDeadline(time.Now().Add(controlPatience)) // the read tells if it is refused
	if c.e.ending.Err() != nil {
		return
	}
	in := bufio.NewReader(io.LimitReader(conn, controlLine))
	line, err := in.ReadBytes('\n')
	var req controlRequest
	if err == nil {
		err = json.Unmarshal(line, &req)
	}
	if err == nil && !filepath.IsAbs(req.Backup) {
		err = fmt.Errorf("engine: backup to %q, which is no absolute path", req.Backup)
	}
	var answer controlAnswer
	if err == nil {
		answer.Copied, err = c.backup(ctx, cancel, conn, req.Backup)
	}
	if err != nil {
		answer.Error = err.Error()
	}
	_ = conn.SetWriteDeadline(time.Now().Add(controlPatience))
	_ = json.NewEncoder(conn).Encode(answer) // who hung up is not answered
}

// backup makes a backup, and ends it if the client hangs up.
func (c *control) backup(ctx context.Context, cancel func(), conn net.Conn, to string) (log.Copied, error) {
	var watch sync.WaitGroup
	defer watch.Wait()
	defer func() { _ = conn.SetReadDeadline(time.Unix(1, 0)) }() // ends the watch
	_ = conn.SetReadDeadline(time.Time{})
	watch.Go(func() {
		var b [1]byte
		_, _ = conn.Read(b[:]) // nothing more is to come
		cancel()
	})
	return c.e.Backup(ctx, c.fs, to)
}

// RequestBackup has the engine that runs on dir, in another process of this machine, make a backup in to, an absolute path as
// that process sees it. The backup ends with ctx.
func RequestBackup(ctx context.Context, dir, to string) (done log.Copied, err error) {
	path, err := socketPath(dir)
	if err != nil {
		return done, fmt.Errorf("%w: %w", ErrNotServed, err)
	}
	conn, err := new(net.Dialer).DialContext(ctx, "unix", path)
	if err != nil {
		return done, fmt.Errorf("%w: %s: %w", ErrNotServed, dir, err)
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { _ = conn.Close() })()
	if err = json.NewEncoder(conn).Encode(controlRequest{to}); err != nil {
		return done, fmt.Errorf("engine: ask the program that holds %s: %w", dir, err)
	}
	var answer controlAnswer
	err = json.NewDecoder(io.LimitReader(conn, controlLine)).Decode(&answer)
	switch {
	case ctx.Err() != nil:
		return done, context.Cause(ctx)
	case err != nil:
		return done, fmt.Errorf("engine: the program that holds %s hung up: %w", dir, err)
	case answer.Error != "":
		return done, errors.New(answer.Error)
	}
	return answer.Copied, nil
}
