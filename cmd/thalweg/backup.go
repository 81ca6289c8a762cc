package main

import (
	"errors"
	"fmt"
	"path/filepath"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/thalweg/thalweg/internal/engine"
	"github.com/thalweg/thalweg/internal/engine/log"
)

// backup copies the folder of the engine.
type backup struct {
	Dir  string `help:"Folder of a server, or of a program that embeds the engine, running or not (default ${default})." default:"thalweg" placeholder:"DIR"`
	To   string `help:"Folder to make. It must not exist; until the backup is whole its name ends with .partial." required:"" placeholder:"DIR"`
	JSON bool   `help:"Print JSON." name:"json"`
}

// Help is the long help of the command.
func (*backup) Help() string {
	return "Copies topics, records, groups, transactions, users and ACLs as they are at one moment after the command began: all that was acknowledged before is in the copy. " +
		"A running engine makes the copy itself, on its machine, as its user, and goes on serving; what it would delete meanwhile it deletes when the copy is made. " +
		"The copy is a folder closed in order, for -dir of thalweg serve or as the folder log of a program that embeds the engine. An interrupt removes what there is of it."
}

// Run carries the command out.
func (c *backup) Run(s session) error {
	dir := logDir(c.Dir)
	to, err := filepath.Abs(c.To)
	if err != nil {
		return fmt.Errorf("backup: %w", err)
	}
	done, err := engine.Backup(s.ctx, vfs.Default, dir, to)
	if errors.Is(err, log.ErrLocked) {
		held := err
		if done, err = engine.RequestBackup(s.ctx, dir, to); errors.Is(err, engine.ErrNotServed) {
			err = fmt.Errorf("%w (%w): stop that program first", err, held)
		}
	}
	if err != nil {
		return fmt.Errorf("backup: -dir %s: %w", c.Dir, err)
	}
	if c.JSON {
		return printJSON(s.out, struct {
			To string `json:"to"`
			log.Copied
		}{to, done})
	}
	_, err = fmt.Fprintf(s.out, "%d logs, %d segments, %d bytes in %s\n", done.Logs, done.Segments, done.Bytes, to)
	return err
}
