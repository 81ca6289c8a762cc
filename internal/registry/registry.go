// Package registry is a schema registry that speaks the Confluent Schema Registry's HTTP interface and keeps its schemas
// in that one's own layout, on one compacted topic, so that a project can move from the one to the other.
//
// There are few types: a [Registry] has the schemas and the rules, a [Log] is the topic below it, [Handler] the HTTP
// interface above it.
//
// # Invariants
//
//   - The log is the truth: what is in memory is what it says. A change is in the log, durably, before it is answered.
//   - One registry writes. Who opens the log takes that right from whoever had it; that one's next write is refused with
//     ErrFenced, and it ends. Until then it answers questions.
//   - An id names one schema for ever, the same under every subject. Neither an id nor a version is ever given out again.
package registry

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sort"
	"strings"
	"sync"

	"github.com/thalweg/thalweg/internal/registry/rest"
)

// Log is the topic below a registry: one partition, compacted. Its methods are called one at a time.
type Log interface {
	// Read hands every record there is to f, in order. value is nil for a null. It is called once, first.
	Read(ctx context.Context, f func(key, value []byte) error) error
	// Append writes records, all or none, and returns once they are durable.
	Append(ctx context.Context, records ...Record) error
}

// Record is a record of the log. A nil Value deletes what was under the key.
type Record struct{ Key, Value []byte }

// After these errors of a Log what is in memory may not be what is in the log, and the registry has to end.
var (
	ErrFenced  = errors.New("registry: another registry has taken over")
	ErrUnknown = errors.New("registry: it cannot be known whether the last change is in the log: start the registry again")
)

// Registry has schemas under subjects. Its methods may be called by many goroutines.
type Registry struct {
	log    Log
	failed chan error // what ended it

	mu sync.RWMutex // protects following fields; held while the log is written, so that changes are one after the other
	state
}

// state is what the log says.
type state struct {
	subjects map[string]*subject
	byID     map[int]*stored
	ids      map[string]int // by canonical form
	last     int            // the highest id given out
	level    Level          // "": the default
	mode     string
}

// subject is a name under which schemas follow each other.
type subject struct {
	versions []version // ascending
	level    Level     // "": the registry's
	mode     string
}

// version is a schema in its place.
type version struct {
	number, id int
	deleted    bool
}

// stored is a schema.
type stored struct {
	rest.Schema // type, text and references alone
	canonical   string
	parsed      parsed
}

// The modes of a subject or the registry.
const (
	modeReadWrite = "READWRITE"
	modeReadOnly  = "READONLY"
)

// Open reads the log and returns the registry in it.
func Open(ctx context.Context, log Log) (*Registry, error) {
	r := &Registry{log: log, failed: make(chan error, 1), state: state{
		subjects: map[string]*subject{}, byID: map[int]*stored{}, ids: map[string]int{},
	}}
	if err := log.Read(ctx, r.apply); err != nil {
		return nil, fmt.Errorf("registry: %w", err)
	}
	return r, nil
}

// Failed delivers the error after which the registry must not go on: that of a log that somebody else writes.
func (r *Registry) Failed() <-chan error { return r.failed }

// write puts records into the log and then into the state.
func (r *Registry) writeLocked(ctx context.Context, records ...Record) error {
	if err := r.log.Append(ctx, records...); err != nil {
		if errors.Is(err, ErrFenced) || errors.Is(err, ErrUnknown) {
			select {
			case r.failed <- err:
			default:
			}
			return refuse(rest.CodeNoLeader, "%v", err)
		}
		return refuse(rest.CodeStore, "the log was not written: %v", err)
	}
	for _, rec := range records {
		if err := r.apply(rec.Key, rec.Value); err != nil {
			return refuse(rest.CodeStore, "%v", err)
		}
	}
	return nil
}

// refuse makes an error of the HTTP interface.
func refuse(code int, format string, args ...any) error {
	return &rest.Error{Code: code, Message: fmt.Sprintf(format, args...)}
}

// names returns the subjects with live versions, with deleted ones too if deleted, by name.
func (s *state) names(prefix string, deleted bool) []string {
	list := []string{}
	for name, sub := range s.subjects {
		if strings.HasPrefix(name, prefix) && len(sub.list(deleted)) > 0 {
			list = append(list, name)
		}
	}
	sort.Strings(list)
	return list
}

// list returns the versions, the deleted ones too if deleted.
func (s *subject) list(deleted bool) []version {
	if s == nil {
		return nil
	}
	if deleted {
		return s.versions
	}
	return slices.DeleteFunc(slices.Clone(s.versions), func(v version) bool { return v.deleted })
}

// subject returns one that has versions.
func (s *state) subject(name string, deleted bool) (*subject, error) {
	sub := s.subjects[name]
	if len(sub.list(deleted)) > 0 {
		return sub, nil
	}
	return nil, refuse(rest.CodeSubjectNotFound, "Subject '%s' not found.", name)
}

// version returns one of a subject by its number, or the latest.
func (s *state) version(name string, number int, latest, deleted bool) (v version, err error) {
	sub, err := s.subject(name, deleted)
	if err != nil {
		return v, err
	}
	list := sub.list(deleted)
	if latest {
		return list[len(list)-1], nil
	}
	for _, v := range list {
		if v.number == number {
			return v, nil
		}
	}
	return v, refuse(rest.CodeVersionNotFound, "Version %d of subject '%s' not found.", number, name)
}

// answer is a version as it is answered.
func (s *state) answer(name string, v version) rest.Schema {
	out := s.byID[v.id].Schema
	out.Subject, out.Version, out.ID = name, v.number, v.id
	return out
}

// find returns the version of a subject that is the same schema.
func (s *state) find(name, canonical string, deleted bool) (v version, ok bool) {
	list := s.subjects[name].list(deleted)
	for i := len(list) - 1; i >= 0; i-- {
		if s.byID[list[i].id].canonical == canonical {
			return list[i], true
		}
	}
	return v, false
}

// Register returns the version of a subject that a schema is, and makes it one if it is none.
func (r *Registry) Register(ctx context.Context, name string, s rest.Schema) (rest.Schema, error) {
	if err := checkSubject(name); err != nil {
		return s, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	n, err := r.parse(s)
	if err != nil {
		return s, err
	}
	if v, ok := r.find(name, n.canonical, false); ok {
		return r.answer(name, v), nil
	}
	if mode := r.modeOf(name); mode != modeReadWrite {
		return s, refuse(rest.CodeNotPermitted, "Subject '%s' is in mode %s.", name, mode)
	}
	level, sub := r.levelOf(name), r.subjects[name]
	if faults := r.test(level, n, sub.list(false)); len(faults) > 0 {
		return s, refuse(rest.CodeIncompatible, "Schema being registered is incompatible with an earlier schema for subject \"%s\", by compatibility %s: %s",
			name, level, strings.Join(faults, "; "))
	}
	v := version{number: 1, id: r.ids[n.canonical]}
	if sub != nil && len(sub.versions) > 0 {
		v.number = sub.versions[len(sub.versions)-1].number + 1
	}
	if v.id == 0 {
		v.id = r.last + 1
	}
	if err := r.writeLocked(ctx, schemaRecord(name, v, n.Schema)); err != nil {
		return s, err
	}
	return r.answer(name, v), nil
}

// LookUp returns the version of a subject that a schema is.
func (r *Registry) LookUp(name string, s rest.Schema, deleted bool) (rest.Schema, error) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	if _, err := r.subject(name, deleted); err != nil {
		return s, err
	}
	n, err := r.parse(s)
	if err != nil {
		return s, err
	}
	if v, ok := r.find(name, n.canonical, deleted); ok {
		return r.answer(name, v), nil
	}
	return s, refuse(rest.CodeSchemaNotFound, "Schema not found")
}

// Test returns why a schema may not follow a version of a subject, or what it has by its level if all.
func (r *Registry) Test(name string, s rest.Schema, number int, latest, all bool) ([]string, error) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	n, err := r.parse(s)
	if err != nil {
		return nil, err
	}
	if all {
		return r.test(r.levelOf(name), n, r.subjects[name].list(false)), nil
	}
	v, err := r.version(name, number, latest, false)
	if err != nil {
		return nil, err
	}
	return r.test(r.levelOf(name), n, []version{v}), nil
}

// test returns why a schema may not come after versions, by a level.
func (s *state) test(level Level, n *stored, after []version) (faults []string) {
	if !level.transitive() && len(after) > 1 {
		after = after[len(after)-1:]
	}
	for i := len(after) - 1; i >= 0; i-- {
		old := s.byID[after[i].id]
		for _, f := range level.faults(n, old) {
			faults = append(faults, fmt.Sprintf("version %d: %s", after[i].number, f))
		}
	}
	return faults
}

// Delete takes versions of a subject away, all of them if number is 0: first so that they are no longer seen, and with
// permanent, once they are not, for good. It returns their numbers.
func (r *Registry) Delete(ctx context.Context, name string, number int, latest, permanent bool) ([]int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	sub := r.subjects[name]
	if sub == nil || len(sub.versions) == 0 {
		return nil, refuse(rest.CodeSubjectNotFound, "Subject '%s' not found.", name)
	}
	all := number == 0 && !latest
	if all && !permanent && len(sub.list(false)) == 0 {
		return nil, refuse(rest.CodeSubjectDeleted, "Subject '%s' was soft deleted. Set permanent=true to delete permanently", name)
	}
	var picked []version
	if all {
		picked = slices.Clone(sub.list(permanent))
	} else {
		v, err := r.version(name, number, latest, permanent)
		if _, gone := r.version(name, number, latest, true); err != nil && gone == nil {
			err = refuse(rest.CodeVersionDeleted, "Subject '%s' Version %d was soft deleted. Set permanent=true to delete permanently", name, number)
		}
		if err != nil {
			return nil, err
		}
		picked = []version{v}
	}
	var records []Record
	var numbers []int
	for _, v := range picked {
		if permanent && !v.deleted {
			if all {
				return nil, refuse(rest.CodeSubjectKept, "Subject '%s' was not deleted first before being permanently deleted", name)
			}
			return nil, refuse(rest.CodeVersionKept, "Subject '%s' Version %d was not deleted first before being permanently deleted", name, v.number)
		}
		if by := r.referencedBy(name, v.number); len(by) > 0 && !permanent {
			return nil, refuse(rest.CodeReferenceExists, "One or more references exist to the schema {subject=%s,version=%d}: by ids %v.", name, v.number, by)
		}
		numbers = append(numbers, v.number)
		if permanent {
			records = append(records, Record{Key: schemaKey(name, v.number)})
			continue
		}
		v.deleted = true
		records = append(records, schemaRecord(name, v, r.byID[v.id].Schema))
	}
	if permanent {
		records = append(records, highestRecord(r.last))
	}
	return numbers, r.writeLocked(ctx, records...)
}

// referencedBy returns the ids of the schemas that refer to a version and are not deleted.
func (s *state) referencedBy(name string, number int) []int {
	ids := map[int]bool{}
	for _, sub := range s.subjects {
		for _, v := range sub.list(false) {
			for _, ref := range s.byID[v.id].References {
				if ref.Subject == name && ref.Version == number {
					ids[v.id] = true
				}
			}
		}
	}
	return slices.Sorted(maps.Keys(ids))
}

// checkSubject refuses names that nobody could write.
func checkSubject(name string) error {
	if name == "" || len(name) > subjectMost || strings.ContainsFunc(name, func(r rune) bool { return r < ' ' || r == 0x7f }) {
		return refuse(rest.CodeInvalidSubject, "The specified subject %q is not a valid subject.", name)
	}
	return nil
}

// subjectMost is the most bytes of a subject's name.
const subjectMost = 1000

// modeOf is the mode that counts for a subject.
func (s *state) modeOf(name string) string {
	if sub := s.subjects[name]; sub != nil && sub.mode != "" {
		return sub.mode
	}
	if s.mode != "" {
		return s.mode
	}
	return modeReadWrite
}

// levelOf is the level that counts for a subject.
func (s *state) levelOf(name string) Level {
	if sub := s.subjects[name]; sub != nil && sub.level != "" {
		return sub.level
	}
	if s.level != "" {
		return s.level
	}
	return Backward
}

// set writes the setting of a subject, or of the registry if name is empty; value nil takes it back.
func (r *Registry) set(ctx context.Context, kind, name string, value any) error {
	if name != "" {
		if err := checkSubject(name); err != nil {
			return err
		}
	}
	rec := Record{Key: settingKey(kind, name)}
	if value != nil {
		text, err := json.Marshal(value)
		if err != nil {
			return err
		}
		rec.Value = text
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.writeLocked(ctx, rec)
}
