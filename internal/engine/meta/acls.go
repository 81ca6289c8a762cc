package meta

import (
	"encoding/json"
	"fmt"

	"github.com/thalweg/thalweg/internal/engine/auth"
	"github.com/thalweg/thalweg/internal/engine/code"
	"github.com/thalweg/thalweg/internal/engine/journal"
)

// maxACLs is how many there may be.
const maxACLs = 10_000

// ACLs returns those there are now: the same set until they change.
func (s *Store) ACLs() *auth.ACLs { return s.acls.Load() }

// AddACL adds an ACL, unless it is there, and returns once it is durable. From then on it is decided by.
func (s *Store) AddACL(a auth.ACL) error {
	if err := a.Check(); err != nil {
		return fail(code.InvalidRequest, "%s", err)
	}
	s.change.Lock()
	defer s.change.Unlock()
	switch now := s.ACLs(); {
	case now.Has(a):
		return nil
	case now.Len() >= maxACLs:
		return fail(code.PolicyViolation, "there are %d ACLs, the most there may be", maxACLs)
	default:
		if err := s.write(aclKey(a), true); err != nil {
			return err
		}
		s.acls.Store(now.With(nil, []auth.ACL{a}))
	}
	return nil
}

// RemoveACLs removes the ACLs that f chooses, all or none, and returns them once that is durable.
func (s *Store) RemoveACLs(f *auth.Filter) ([]auth.ACL, error) {
	if err := f.Check(); err != nil {
		return nil, fail(code.InvalidRequest, "%s", err)
	}
	s.change.Lock()
	defer s.change.Unlock()
	now := s.ACLs()
	chosen := now.Chosen(f)
	if len(chosen) == 0 {
		return nil, nil
	}
	var tombstones []journal.Entry
	for _, a := range chosen {
		tombstones = append(tombstones, journal.Entry{Key: []byte(aclKey(a))})
	}
	if err := s.append(tombstones...); err != nil {
		return nil, err
	}
	s.acls.Store(now.With(chosen, nil))
	return chosen, nil
}

// aclKey is an ACL as a key of the journal: all of it.
func aclKey(a auth.ACL) string {
	b, err := json.Marshal(a)
	if err != nil {
		panic("meta: an ACL without a text: " + err.Error()) // it has numbers and strings alone
	}
	return keyACL + string(b)
}

// replayACL adds one to a set that is being read, or takes it out.
func replayACL(all map[auth.ACL]struct{}, text string, value []byte) error {
	var a auth.ACL
	if err := json.Unmarshal([]byte(text), &a); err != nil {
		return fmt.Errorf("meta: ACL %q: %w", text, err)
	}
	if value == nil {
		delete(all, a)
	} else {
		all[a] = struct{}{}
	}
	return nil
}
