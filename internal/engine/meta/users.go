package meta

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/thalweg/thalweg/internal/engine/auth"
	"github.com/thalweg/thalweg/internal/engine/code"
)

// Limits of users.
const (
	maxUserName = 255
	maxUsers    = 10_000
	minSalt     = 8
	maxSalt     = 64
)

// User is a user's credentials as they were at some moment; it is never changed, a change makes another one.
type User struct {
	Name        string                              `json:"name"`
	Credentials map[auth.Mechanism]*auth.Credential `json:"credentials"`
}

// UserChange sets a credential of a user, or deletes it where Credential is nil.
type UserChange struct {
	User       string
	Mechanism  auth.Mechanism
	Credential *auth.Credential
}

// check returns what is wrong with a change.
func (c *UserChange) check() error {
	switch {
	case c.User == "" || len(c.User) > maxUserName:
		return fail(code.UnacceptableCredential, "a user's name has 1 to %d bytes, this one %d", maxUserName, len(c.User))
	case strings.ContainsRune(c.User, 0):
		return fail(code.UnacceptableCredential, "user name %q has a zero byte", c.User)
	case !c.Mechanism.Known():
		return fail(code.UnsupportedSASLMechanism, "unknown SCRAM mechanism %d", c.Mechanism)
	case c.Credential == nil:
		return nil
	case c.Credential.Iterations < auth.MinIterations || c.Credential.Iterations > auth.MaxIterations:
		return fail(code.UnacceptableCredential, "iterations are from %d to %d, not %d", auth.MinIterations, auth.MaxIterations, c.Credential.Iterations)
	case len(c.Credential.Salt) < minSalt || len(c.Credential.Salt) > maxSalt:
		return fail(code.UnacceptableCredential, "a salt has %d to %d bytes, this one %d", minSalt, maxSalt, len(c.Credential.Salt))
	}
	return nil
}

// ChangeUser applies changes of one user, all or none, and returns once they are durable.
func (s *Store) ChangeUser(name string, changes ...UserChange) error {
	s.change.Lock()
	defer s.change.Unlock()
	now := s.User(name)
	next := &User{Name: name, Credentials: map[auth.Mechanism]*auth.Credential{}}
	if now != nil {
		maps.Copy(next.Credentials, now.Credentials)
	}
	for i := range changes {
		c := &changes[i]
		if err := c.check(); err != nil {
			return err
		}
		switch {
		case c.Credential != nil:
			next.Credentials[c.Mechanism] = c.Credential
		case next.Credentials[c.Mechanism] == nil:
			return fail(code.ResourceNotFound, "user %q has no credential for %s", name, c.Mechanism)
		default:
			delete(next.Credentials, c.Mechanism)
		}
	}
	switch {
	case len(next.Credentials) == 0:
		if err := s.write(keyUser+name, nil); err != nil {
			return err
		}
	case now == nil && len(s.Users()) >= maxUsers:
		return fail(code.PolicyViolation, "there are %d users, the most there may be", maxUsers)
	default:
		if err := s.write(keyUser+name, next); err != nil {
			return err
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.putUser(next)
	return nil
}

// putUser makes u visible, or takes a user without credentials away. mu must be held, but in a replay.
func (s *Store) putUser(u *User) {
	if len(u.Credentials) == 0 {
		delete(s.users, u.Name)
		return
	}
	s.users[u.Name] = u
}

func (s *Store) replayUser(name string, value []byte) error {
	u := &User{Name: name}
	if value != nil {
		if err := json.Unmarshal(value, u); err != nil {
			return fmt.Errorf("meta: user %q: %w", name, err)
		}
	}
	s.putUser(u)
	return nil
}

// User returns the user called name, nil if there is none.
func (s *Store) User(name string) *User {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.users[name]
}

// Users returns all users by name.
func (s *Store) Users() []*User {
	s.mu.RLock()
	all := slices.Collect(maps.Values(s.users))
	s.mu.RUnlock()
	slices.SortFunc(all, func(a, b *User) int { return strings.Compare(a.Name, b.Name) })
	return all
}

// Credential returns that of a user; for one who has none it returns false and a decoy that looks like those of the
// first user who has.
func (s *Store) Credential(user string, m auth.Mechanism) (auth.Credential, bool) {
	if u := s.User(user); u != nil && u.Credentials[m] != nil {
		return *u.Credentials[m], true
	}
	salt, iterations := 16, auth.MinIterations
	for _, u := range s.Users() {
		if c := u.Credentials[m]; c != nil {
			salt, iterations = len(c.Salt), c.Iterations
			break
		}
	}
	return auth.Decoy(s.decoys, user, m, salt, iterations), false
}

// keepDecoys makes the secret of decoys at the first start: they must not change with another one.
func (s *Store) keepDecoys() error {
	if s.decoys != nil {
		return nil
	}
	s.decoys = make([]byte, 32)
	rand.Read(s.decoys)
	return s.write(keyDecoys, s.decoys)
}
