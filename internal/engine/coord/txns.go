package coord

import (
	"maps"
	"math"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/thalweg/thalweg/internal/engine/code"
	"github.com/thalweg/thalweg/internal/engine/journal"
	"github.com/thalweg/thalweg/internal/engine/log"
)

// TxnState is the state of a transaction, numbered as in the records of the transaction topic.
type TxnState int8

// The states.
const (
	TxnEmpty TxnState = iota
	TxnOngoing
	TxnPrepareCommit
	TxnPrepareAbort
	TxnCompleteCommit
	TxnCompleteAbort
)

var txnStateNames = [...]string{"Empty", "Ongoing", "PrepareCommit", "PrepareAbort", "CompleteCommit", "CompleteAbort"}

// String returns Kafka's name of s.
func (s TxnState) String() string { return txnStateNames[s] }

// ParseTxnState returns the state with the name.
func ParseTxnState(name string) (TxnState, bool) {
	i := slices.Index(txnStateNames[:], name)
	return TxnState(i), i >= 0
}

// TxnConfig of the transaction coordinator. All fields are needed.
type TxnConfig struct {
	Clock        log.Clock
	MaxTimeout   time.Duration // the longest a client may ask for
	IDExpiration time.Duration // an id unused for so long is forgotten
	Logf         func(format string, args ...any)

	// Partition returns the log of a topic's partition, nil if there is none.
	Partition func(TopicPartition) *log.Partition
	// NextProducerID returns an id never used before; it may wait for the disk.
	NextProducerID func() (int64, error)
	// OffsetsTopic is the name of the topic the groups' offsets lie in.
	OffsetsTopic string
}

// maxTxnIDs bounds the transactional ids of one engine, maxTxnPartitions the partitions of one transaction.
const (
	maxTxnIDs        = 100_000
	maxTxnPartitions = 20_000
)

// lastEpoch is the last epoch a producer is given; the one after it only fences.
const lastEpoch = math.MaxInt16 - 1

// Txns is the transaction coordinator. Its methods may be called concurrently.
//
// A transaction's end is one step here: the record that prepares it, the markers, and the record that completes it go
// into the log one behind the other, and since the log becomes durable in its order, one sync makes the end durable.
// What a crash leaves between them is finished at the next start.
type Txns struct {
	cfg      TxnConfig
	clock    log.Clock
	dir      *log.Dir
	groups   *Groups
	journals []*journal.Journal

	committed, aborted atomic.Uint64 // since the start

	mu        sync.Mutex // protects following fields
	txns      map[string]*txn
	closed    bool
	stopSweep func() bool
}

// txn is one transactional id.
type txn struct {
	id string

	mu sync.Mutex // protects following fields; held over appends to the log, never over a wait for the disk

	progress
	timer  *timer     // aborts the open transaction, or tries to finish a prepared one
	ticket log.Ticket // of the last record written for the id
	gone   bool       // forgotten: look it up again
}

// progress is how far a transactional id has come; a copy of it undoes a change whose record could not be written.
type progress struct {
	producerID int64
	prevID     int64 // the producer id before it ran out of epochs, -1: none
	epoch      int16
	prevEpoch  int16 // the epoch before the last bump, that a retry may still name; -1: none
	version    int16 // of the transaction protocol, as the client used it last
	state      TxnState
	timeout    time.Duration
	started    time.Time // the transaction that is open, or was last
	updated    time.Time
	partitions map[TopicPartition]struct{} // of the open or prepared transaction; replaced, not changed
	ending     *ending                     // set in a Prepare state
}

// ending is what remains to be done for a prepared transaction.
type ending struct {
	commit      bool
	producerID  int64 // of the markers; the producer has its next id and epoch already
	epoch       int16
	outstanding map[TopicPartition]struct{} // partitions without a marker yet
}

// OpenTxns replays the partitions of the transaction topic, finishes what was prepared, and returns the coordinator.
func OpenTxns(cfg TxnConfig, dir *log.Dir, groups *Groups, partitions []*log.Partition) (*Txns, error) {
	s := &Txns{cfg: cfg, clock: cfg.Clock, dir: dir, groups: groups, txns: map[string]*txn{}}
	for _, p := range partitions {
		s.journals = append(s.journals, journal.New(p, cfg.Clock))
		if err := s.replay(p); err != nil {
			return nil, err
		}
	}
	for _, id := range slices.Sorted(maps.Keys(s.txns)) {
		t := s.txns[id]
		t.mu.Lock()
		switch t.state {
		case TxnPrepareCommit, TxnPrepareAbort:
			s.finish(t)
		case TxnOngoing:
			s.watch(t, t.started.Add(t.timeout).Sub(s.clock.Now()))
		}
		t.mu.Unlock()
	}
	s.stopSweep = s.clock.AfterFunc(sweepInterval, s.sweep)
	return s, nil
}

// Close stops all timers.
func (s *Txns) Close() {
	s.mu.Lock()
	s.closed = true
	s.stopSweep()
	all := slices.Collect(maps.Values(s.txns))
	s.mu.Unlock()
	for _, t := range all {
		t.mu.Lock()
		t.timer.cancel()
		t.mu.Unlock()
	}
}

// lock returns the transaction with the id, locked. One that does not exist is made if create is set.
func (s *Txns) lock(id string, create bool) (*txn, code.Code) {
	for {
		s.mu.Lock()
		t := s.txns[id]
		switch {
		case s.closed:
			s.mu.Unlock()
			return nil, code.CoordinatorNotAvailable
		case t == nil && !create:
			s.mu.Unlock()
			return nil, code.InvalidProducerIDMapping
		case t == nil && len(s.txns) >= maxTxnIDs:
			s.mu.Unlock()
			return nil, code.PolicyViolation
		case t == nil:
			t = newTxn(id)
			s.txns[id] = t
		}
		s.mu.Unlock()
		t.mu.Lock()
		if !t.gone {
			return t, code.None
		}
		t.mu.Unlock()
	}
}

func newTxn(id string) *txn {
	return &txn{id: id, progress: progress{producerID: -1, prevID: -1, epoch: -1, prevEpoch: -1}}
}

// known returns the transaction of a producer, locked: its id and epoch must be the current ones. fenced is what an
// epoch that is not is answered with.
func (s *Txns) known(id string, producerID int64, epoch int16, fenced code.Code) (*txn, code.Code) {
	if id == "" {
		return nil, code.InvalidRequest
	}
	t, c := s.lock(id, false)
	if c != code.None {
		return nil, c
	}
	switch {
	case t.producerID != producerID:
		c = code.InvalidProducerIDMapping
	case t.epoch != epoch:
		c = fenced
	default:
		return t, code.None
	}
	t.mu.Unlock()
	return nil, c
}

// after calls f, with t.mu held, once d is over. t.mu must be held.
func (s *Txns) after(t *txn, d time.Duration, f func()) *timer {
	m := &timer{}
	m.stop = s.clock.AfterFunc(d, func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		if !m.done {
			m.done = true
			f()
		}
	})
	return m
}

// watch aborts t's transaction if it is still open after d.
func (s *Txns) watch(t *txn, d time.Duration) {
	t.timer.cancel()
	due := s.clock.Now().Add(d)
	t.timer = s.after(t, d, func() {
		if t.state != TxnOngoing {
			return
		}
		if s.clock.Now().Sub(due) > sleepGrace {
			s.watch(t, sleepGrace) // the process was asleep, and its clients with it
			return
		}
		s.cfg.Logf("transaction %q of producer %d was open for %s and is aborted", t.id, t.producerID, t.timeout)
		if err := s.fenceAndAbort(t); err != nil {
			s.cfg.Logf("transaction %q: %v", t.id, err)
			s.watch(t, time.Second)
		}
	})
}

// begin opens a transaction with its first partitions, or adds more to an open one, and writes that down.
func (s *Txns) begin(t *txn, version int16, parts ...TopicPartition) error {
	before := t.progress
	t.partitions = maps.Clone(t.partitions)
	if t.state != TxnOngoing {
		t.state, t.started, t.partitions = TxnOngoing, s.clock.Now(), nil
	}
	if t.partitions == nil {
		t.partitions = map[TopicPartition]struct{}{}
	}
	t.version = version
	for _, tp := range parts {
		t.partitions[tp] = struct{}{}
	}
	if err := s.save(t); err != nil {
		t.progress = before
		return err
	}
	if before.state != TxnOngoing {
		s.watch(t, t.timeout)
	}
	return nil
}

// TxnDescription is a transaction as it is now.
type TxnDescription struct {
	ID         string
	State      TxnState
	ProducerID int64
	Epoch      int16
	Timeout    time.Duration
	Started    time.Time // zero: not open
	Partitions []TopicPartition
}

// Describe returns the transaction with the id; false if there is none.
func (s *Txns) Describe(id string) (TxnDescription, bool) {
	t, c := s.lock(id, false)
	if c != code.None {
		return TxnDescription{}, false
	}
	defer t.mu.Unlock()
	d := TxnDescription{ID: id, State: t.state, ProducerID: t.producerID, Epoch: t.epoch, Timeout: t.timeout}
	if t.state == TxnOngoing || t.ending != nil {
		d.Started = t.started
		d.Partitions = slices.SortedFunc(maps.Keys(t.partitions), compareTP)
	}
	return d, true
}

// List returns all transactions by id.
func (s *Txns) List() []TxnDescription {
	s.mu.Lock()
	ids := slices.Collect(maps.Keys(s.txns))
	s.mu.Unlock()
	slices.SortFunc(ids, strings.Compare)
	var all []TxnDescription
	for _, id := range ids {
		if d, ok := s.Describe(id); ok {
			all = append(all, d)
		}
	}
	return all
}

// sweep forgets ids that were not used for long.
func (s *Txns) sweep() {
	s.mu.Lock()
	all := slices.Collect(maps.Values(s.txns))
	s.mu.Unlock()
	for _, t := range all {
		t.mu.Lock()
		idle := t.state != TxnOngoing && t.ending == nil && s.clock.Now().Sub(t.updated) >= s.cfg.IDExpiration
		if idle && !t.gone {
			if err := s.tombstone(t); err != nil {
				s.cfg.Logf("transaction %q: %v", t.id, err)
			} else {
				t.gone = true
				s.mu.Lock()
				delete(s.txns, t.id)
				s.mu.Unlock()
			}
		}
		t.mu.Unlock()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.closed {
		s.stopSweep = s.clock.AfterFunc(sweepInterval, s.sweep)
	}
}

func (s *Txns) journal(id string) *journal.Journal {
	return s.journals[partitionFor(id, len(s.journals))]
}

// TxnStats are numbers about transactions.
type TxnStats struct {
	Open               int    // begun, and not at their end; those whose markers are being written are
	Committed, Aborted uint64 // since the start; aborts of what was not begun, which fence producers, count
}

// Stats returns the numbers now.
func (s *Txns) Stats() TxnStats {
	s.mu.Lock()
	all := slices.Collect(maps.Values(s.txns))
	s.mu.Unlock()
	st := TxnStats{Committed: s.committed.Load(), Aborted: s.aborted.Load()}
	for _, t := range all {
		t.mu.Lock()
		if t.state == TxnOngoing || t.ending != nil {
			st.Open++
		}
		t.mu.Unlock()
	}
	return st
}

// Count returns the number of transactional ids.
func (s *Txns) Count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.txns)
}
