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

// AddACLs adds ACLs, but those that are there, and returns once they are durable. From then on they are decided by. Each has
// an error of its own.
func (s *Store) AddACLs(acls []auth.ACL) []error {
	s.change.Lock()
	defer s.change.Unlock()
	errs := make([]error, len(acls))
	now, fresh := s.ACLs(), map[auth.ACL]struct{}{}
	var added []auth.ACL
	var entries []journal.Entry
	var of []int // indexes of what is added
	for i, a := range acls {
		if err := a.Check(); err != nil {
			errs[i] = fail(code.InvalidRequest, "%s", err)
			continue
		}
		a.Host = auth.Canonical(a.Host)
		if _, again := fresh[a]; now.Has(a) || again {
			continue
		}
		if now.Len()+len(added) >= maxACLs {
			errs[i] = fail(code.PolicyViolation, "there are %d ACLs, the most there may be", maxACLs)
			continue
		}
		fresh[a] = struct{}{}
		added, of = append(added, a), append(of, i)
		entries = append(entries, journal.Entry{Key: []byte(aclKey(a)), Value: []byte("true")})
	}
	if len(added) == 0 {
		return errs
	}
	if err := s.append(entries...); err != nil {
		for _, i := range of {
			errs[i] = err
		}
		return errs
	}
	s.acls.Store(now.With(nil, added))
	return errs
}

// maxSearches is how many filters that choose among all ACLs are taken at once.
const maxSearches = 200

// RemoveACLs removes the ACLs that filters choose, all or none, and returns them, by filter, once that is durable. A filter that
// cannot be taken has an error of its own.
func (s *Store) RemoveACLs(filters []auth.Filter) (chosen [][]auth.ACL, errs []error) {
	s.change.Lock()
	defer s.change.Unlock()
	chosen, errs = make([][]auth.ACL, len(filters)), make([]error, len(filters))
	now, gone := s.ACLs(), map[auth.ACL]struct{}{}
	var removed []auth.ACL
	var tombstones []journal.Entry
	searches := 0
	for i := range filters {
		f := &filters[i]
		if err := f.Check(); err != nil {
			errs[i] = fail(code.InvalidRequest, "%s", err)
			continue
		}
		if !f.Exact() {
			if searches++; searches > maxSearches {
				errs[i] = fail(code.InvalidRequest, "more than %d filters that do not name an ACL: send less in one request", maxSearches)
				continue
			}
		}
		for _, a := range now.Chosen(f) {
			if _, already := gone[a]; already {
				continue
			}
			gone[a] = struct{}{}
			chosen[i], removed = append(chosen[i], a), append(removed, a)
			tombstones = append(tombstones, journal.Entry{Key: []byte(aclKey(a))})
		}
	}
	if len(removed) == 0 {
		return chosen, errs
	}
	if err := s.append(tombstones...); err != nil {
		for i := range chosen {
			if len(chosen[i]) > 0 {
				chosen[i], errs[i] = nil, err
			}
		}
		return chosen, errs
	}
	s.acls.Store(now.With(removed, nil))
	return chosen, errs
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
