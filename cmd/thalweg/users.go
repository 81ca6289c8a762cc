package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/thalweg/thalweg/internal/engine"
	"github.com/thalweg/thalweg/internal/kafka"
)

// users are the commands about users.
type users struct {
	Add    usersAdd    `cmd:"" help:"Add a user, or give one another password: the first line of standard input."`
	List   usersList   `cmd:"" help:"List users with their mechanisms."`
	Delete usersDelete `cmd:"" help:"Delete users and end their connections."`
}

type usersAdd struct {
	cluster    `embed:""`
	Name       string `arg:"" help:"Name of the user."`
	Iterations int32  `help:"Rounds of hashing of the password, 4096 to 16384." default:"8192"`
	JSON       bool   `help:"Print JSON." name:"json"`
}

// Help is the long help of the command.
func (*usersAdd) Help() string {
	return "The user may log in by SCRAM-SHA-256, SCRAM-SHA-512 and PLAIN. The password is salted before it is sent. " +
		"On a -dir without a running server the log itself is opened, and made if there is none: that is how the first user comes to be."
}

// Run carries the command out.
func (c *usersAdd) Run(s session) error {
	line, err := bufio.NewReader(s.in).ReadString('\n')
	password := strings.TrimRight(line, "\r\n")
	if err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("users: reading the password: %w", err)
	}
	if password == "" {
		return errors.New("users: no password on standard input: write it on one line")
	}
	return c.with(s, true, func(client *kafka.Client) error {
		if err := client.SetPassword(s.ctx, c.Name, password, c.Iterations); err != nil {
			return err
		}
		return done(s, c.JSON, "added", []string{c.Name})
	})
}

type usersList struct {
	cluster `embed:""`
	JSON    bool `help:"Print JSON." name:"json"`
}

// Run carries the command out.
func (c *usersList) Run(s session) error {
	return c.with(s, false, func(client *kafka.Client) error {
		us, err := client.ListUsers(s.ctx)
		if err != nil {
			return err
		}
		if c.JSON {
			return printJSON(s.out, us)
		}
		var rows [][]any
		for _, u := range us {
			for _, ci := range u.Credentials {
				rows = append(rows, []any{u.Name, ci.Mechanism, ci.Iterations})
			}
		}
		return printTable(s.out, "USER MECHANISM ITERATIONS", rows)
	})
}

type usersDelete struct {
	cluster `embed:""`
	Users   []string `arg:"" name:"user" help:"Users to delete."`
	JSON    bool     `help:"Print JSON." name:"json"`
}

// Run carries the command out.
func (c *usersDelete) Run(s session) error {
	return c.with(s, false, func(client *kafka.Client) error {
		for _, name := range c.Users {
			if err := client.DeleteUser(s.ctx, name); err != nil {
				return hint(err)
			}
		}
		return done(s, c.JSON, "deleted", c.Users)
	})
}

// with calls do with a client of the cluster, or of the log in the folder itself if no server runs there; create makes
// one that does not exist.
func (c *cluster) with(s session, create bool, do func(*kafka.Client) error) error {
	client, err := c.dial(s.ctx)
	if errors.Is(err, errEnded) || create && errors.Is(err, errNeverRan) {
		return openLog(s.ctx, c.Dir, do)
	}
	if err != nil {
		return err
	}
	defer client.Close()
	return do(client)
}

// openLog calls do with a client of an engine in this process.
func openLog(ctx context.Context, dir string, do func(*kafka.Client) error) (err error) {
	e, err := engine.Open(vfs.Default, logDir(dir), engine.Defaults())
	if err != nil {
		return fmt.Errorf("-dir %s: %w", dir, err)
	}
	defer func() {
		end, cancel := context.WithTimeout(context.Background(), drain)
		defer cancel()
		err = errors.Join(err, e.Close(end))
	}()
	client, err := kafka.Dial(ctx, kafka.Config{Brokers: []string{e.Addr()}, Dial: e.Dial, ClientID: "thalweg", Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		return err
	}
	defer client.Close()
	return do(client)
}
