package wire

import (
	"math"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/thalweg/thalweg/internal/engine/code"
	"github.com/thalweg/thalweg/internal/engine/log"
)

// Limits of the fetch sessions (KIP-227).
const (
	maxSessions    = 1000
	sessionIdle    = 2 * time.Minute // a session unused for so long may give way to a new one
	finalEpoch     = -1              // the request stands for itself, and ends the session it names
	initialEpoch   = 0               // the request asks for a new session
	noSession      = int32(0)
	maxSessionSize = maxBulk // partitions
)

// sessionKey names a partition in a session: by topic id in newer versions, else by name.
type sessionKey struct {
	topic     string
	id        [16]byte
	partition int32
}

// ofTopic returns the key of k's topic.
func (k sessionKey) ofTopic() sessionKey {
	k.partition = 0
	return k
}

// wanted is what a client wants of a partition, and what it was told last.
type wanted struct {
	key          sessionKey
	offset       int64
	max          int32
	currentEpoch int32
	lastEpoch    int32 // of what the client fetched last, -1: unknown

	highWatermark, logStart int64 // as last answered; -1: not yet
}

// session is the set of partitions a client fetches, kept between its requests. order is the order they are served in;
// those that had data go to its end.
type session struct {
	id      int32
	byID    bool
	mu      sync.Mutex // held while a request of the session is served; protects following fields
	epoch   int32
	order   []*wanted
	entries map[sessionKey]*wanted
	used    time.Time // protected by sessions.mu
}

// sessions is the cache of all of them.
type sessions struct {
	clock log.Clock
	mu    sync.Mutex // protects following fields
	m     map[int32]*session
}

func newSessions(clock log.Clock) *sessions { return &sessions{clock: clock, m: map[int32]*session{}} }

// create makes a session out of a full request; nil if the cache is full of busy ones.
func (s *sessions) create(byID bool, parts []*wanted) *session {
	if len(parts) > maxSessionSize {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.clock.Now()
	if len(s.m) >= maxSessions && !s.evict(now) {
		return nil
	}
	id := noSession
	for id == noSession || s.m[id] != nil {
		id = rand.Int32N(math.MaxInt32)
	}
	f := &session{id: id, byID: byID, epoch: 1, entries: make(map[sessionKey]*wanted, len(parts)), used: now}
	for _, w := range parts {
		f.put(w)
	}
	s.m[id] = f
	return f
}

// evict removes the session that was idle longest, if it was long enough. mu must be held.
func (s *sessions) evict(now time.Time) bool {
	var oldest *session
	for _, f := range s.m {
		if oldest == nil || f.used.Before(oldest.used) {
			oldest = f
		}
	}
	if now.Sub(oldest.used) < sessionIdle {
		return false
	}
	delete(s.m, oldest.id)
	return true
}

func (s *sessions) remove(id int32) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.m, id)
}

// enter returns the session of an incremental request, locked, with its epoch moved on.
func (s *sessions) enter(id, epoch int32, byID bool) (*session, code.Code) {
	s.mu.Lock()
	f := s.m[id]
	if f != nil {
		f.used = s.clock.Now()
	}
	s.mu.Unlock()
	if f == nil {
		return nil, code.FetchSessionIDNotFound
	}
	f.mu.Lock()
	if f.byID != byID {
		f.mu.Unlock()
		return nil, code.FetchSessionTopicIDError
	}
	if f.epoch != epoch {
		f.mu.Unlock()
		return nil, code.InvalidFetchSessionEpoch
	}
	if f.epoch++; f.epoch < 0 {
		f.epoch = 1
	}
	return f, code.None
}

// put adds or changes a partition; false if there are too many. mu must be held, or the session not yet shared.
func (f *session) put(w *wanted) bool {
	if old := f.entries[w.key]; old != nil {
		old.offset, old.max, old.currentEpoch, old.lastEpoch = w.offset, w.max, w.currentEpoch, w.lastEpoch
		return true
	}
	if len(f.entries) >= maxSessionSize {
		return false
	}
	f.entries[w.key] = w
	f.order = append(f.order, w)
	return true
}

// forget removes partitions. mu must be held.
func (f *session) forget(keys []sessionKey) {
	if len(keys) == 0 {
		return
	}
	for _, k := range keys {
		delete(f.entries, k)
	}
	kept := f.order[:0]
	for _, w := range f.order {
		if f.entries[w.key] == w {
			kept = append(kept, w)
		}
	}
	clear(f.order[len(kept):])
	f.order = kept
}

// served moves the partitions that had data behind the others, so that none starves. mu must be held.
func (f *session) served(hadData func(*wanted) bool) {
	rest := make([]*wanted, 0, len(f.order))
	var had []*wanted
	for _, w := range f.order {
		if hadData(w) {
			had = append(had, w)
		} else {
			rest = append(rest, w)
		}
	}
	f.order = append(rest, had...)
}
