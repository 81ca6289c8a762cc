package main

import (
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/thalweg/thalweg/internal/engine"
	"github.com/thalweg/thalweg/internal/engine/log"
)

// stopped is a folder on which no server runs.
type stopped struct {
	Dir string `help:"Folder of a server, or of a program that embeds the engine, which does not run (default ${default})." default:"thalweg" placeholder:"DIR"`
}

// inspect calls do with the log in the folder.
func (c *stopped) inspect(do func(*log.Inspector) error) (err error) {
	i, err := log.Inspect(vfs.Default, logDir(c.Dir))
	if err != nil {
		return c.explain(err)
	}
	defer func() { err = errors.Join(err, i.Close()) }()
	return do(i)
}

// explain adds the folder and the way out to an error.
func (c *stopped) explain(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, log.ErrLocked):
		return fmt.Errorf("-dir %s: %w: stop that program first", c.Dir, err)
	}
	return fmt.Errorf("-dir %s: %w", c.Dir, err)
}

// verify looks for what is wrong in a folder.
type verify struct {
	stopped `embed:""`
	JSON    bool `help:"Print JSON." name:"json"`
}

// Help is the long help of the command.
func (*verify) Help() string {
	return "Reads everything and names what does not fit together: checksums, offsets, records, indexes, aborted transactions, what manifests say of files and of producers and their transactions, " +
		"after a crash the write-ahead log, else whether topics have their folders and transactions their coordinator. What a crash may leave is no problem. Nothing is changed. The exit code is 1 if there is a problem."
}

// Run carries the command out.
func (c *verify) Run(s session) error {
	problems := []log.Problem{}
	printed := error(nil)
	all, err := engine.Verify(vfs.Default, logDir(c.Dir), func(p log.Problem) {
		problems = append(problems, p)
		if !c.JSON && printed == nil {
			_, printed = fmt.Fprintln(s.out, p)
		}
	})
	if err = errors.Join(c.explain(err), printed); err != nil {
		return err
	}
	if c.JSON {
		err = printJSON(s.out, struct {
			Clean    bool          `json:"clean"`
			Logs     int           `json:"logs"`
			Segments int           `json:"segments"`
			Batches  int           `json:"batches"`
			Bytes    int64         `json:"bytes"`
			Entries  int           `json:"wal_entries"`
			Problems []log.Problem `json:"problems"`
		}{all.Clean, all.Logs, all.Segments, all.Batches, all.Bytes, all.WALEntries, problems})
	} else {
		state := "closed in order"
		if !all.Clean {
			state = fmt.Sprintf("not closed, %d entries in the write-ahead log", all.WALEntries)
		}
		_, err = fmt.Fprintf(s.out, "%d logs, %d segments, %d batches, %d bytes; %s\n", all.Logs, all.Segments, all.Batches, all.Bytes, state)
	}
	if err == nil && len(problems) > 0 {
		err = fmt.Errorf("verify: %d problems: restore the folder from a copy, or delete the topics concerned", len(problems))
	}
	return err
}
