// Package history checks a log from outside: what clients were told while it was killed and started again, against what they
// read and what it holds in the end.
//
// Clients note every write with its outcome and every record they read in a [History]. [History.Check] then names each
// place where a promise was broken. It knows nothing of how the log works, so it serves any broker.
package history

import (
	"cmp"
	"fmt"
	"slices"
	"sync"
)

// Outcome is what a client knows about a write or a transaction.
type Outcome int8

// Outcomes.
const (
	Unknown   Outcome = iota // it may have happened or not
	Committed                // it was acknowledged
	Aborted                  // it was taken back, or refused for good
)

// Place is a partition.
type Place struct {
	Topic     string
	Partition int32
}

func (p Place) String() string { return fmt.Sprintf("%s-%d", p.Topic, p.Partition) }

// Write is a record that a producer has sent. Its value is like no other's.
type Write struct {
	Producer string
	Txn      int // the producer's transaction, counted from 1; 0: none
	Place
	Value   string
	Outcome Outcome // of the write alone; what became of its transaction is in History.End
	Offset  int64   // as acknowledged
}

// Read is a record that was read.
type Read struct {
	Offset int64
	Value  string
}

// History is what happened. Its methods may be called concurrently, Check when all is over.
type History struct {
	mu     sync.Mutex // protects following fields
	writes []Write
	ends   map[txnKey]Outcome
	reads  map[readKey][]Read
	held   map[Place][]Read
}

type (
	txnKey struct {
		producer string
		txn      int
	}
	readKey struct {
		reader string
		Place
	}
)

// Wrote notes a write, in the order in which its producer sends them to the partition. The function it returns notes what
// became of it, and at which offset if it was acknowledged; until then that is unknown.
func (h *History) Wrote(w Write) (ended func(o Outcome, offset int64)) {
	h.mu.Lock()
	defer h.mu.Unlock()
	n := len(h.writes)
	h.writes = append(h.writes, w)
	return func(o Outcome, offset int64) {
		h.mu.Lock()
		defer h.mu.Unlock()
		h.writes[n].Outcome, h.writes[n].Offset = o, offset
	}
}

// End notes what became of a producer's transaction.
func (h *History) End(producer string, txn int, o Outcome) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.ends == nil {
		h.ends = map[txnKey]Outcome{}
	}
	h.ends[txnKey{producer, txn}] = o
}

// Read notes a record in the order in which a reader of committed records got it. A reader reads a partition from its
// beginning, once, up to its end.
func (h *History) Read(reader string, p Place, r Read) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.reads == nil {
		h.reads = map[readKey][]Read{}
	}
	k := readKey{reader, p}
	h.reads[k] = append(h.reads[k], r)
}

// Held notes all committed records of a partition, in order, once nothing is written any more.
func (h *History) Held(p Place, all []Read) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.held == nil {
		h.held = map[Place][]Read{}
	}
	h.held[p] = all
}

// Counts are sizes of a history.
type Counts struct{ Writes, Acknowledged, Transactions, CommittedTxns, AbortedTxns, Reads, Held int }

// Counts returns how much there is.
func (h *History) Counts() (c Counts) {
	h.mu.Lock()
	defer h.mu.Unlock()
	c.Writes, c.Transactions = len(h.writes), len(h.ends)
	for _, w := range h.writes {
		if w.Outcome == Committed {
			c.Acknowledged++
		}
	}
	for _, o := range h.ends {
		switch o {
		case Committed:
			c.CommittedTxns++
		case Aborted:
			c.AbortedTxns++
		}
	}
	for _, rs := range h.reads {
		c.Reads += len(rs)
	}
	for _, rs := range h.held {
		c.Held += len(rs)
	}
	return c
}

// Anomaly is a broken promise.
type Anomaly struct {
	Kind  Kind
	Place Place
	What  string
}

func (a Anomaly) String() string { return fmt.Sprintf("%s: %s: %s", a.Place, a.Kind, a.What) }

// Kind is the promise that was broken.
type Kind string

// Kinds of anomalies.
const (
	Lost         Kind = "lost"                // acknowledged, not there
	Duplicate    Kind = "duplicate"           // there twice
	AbortedRead  Kind = "aborted read"        // taken back, and yet seen
	Invented     Kind = "invented"            // nobody wrote it, or not there
	Inconsistent Kind = "inconsistent offset" // two values at one offset, or one value at two
	NonMonotonic Kind = "non-monotonic"       // an order turned round
	Skipped      Kind = "skipped"             // a reader went past a record
	Torn         Kind = "torn transaction"    // a part of it is there
	Unseen       Kind = "unseen"              // a reader did not get to the end
)

// Check returns all anomalies, by place.
func (h *History) Check() []Anomaly {
	h.mu.Lock()
	defer h.mu.Unlock()
	c := checker{h: h, at: map[Place]map[int64]string{}, where: map[string]Read{}}
	c.index()
	c.checkWrites()
	c.checkTransactions()
	c.checkReaders()
	slices.SortFunc(c.found, func(a, b Anomaly) int {
		return cmp.Or(cmp.Compare(a.Place.String(), b.Place.String()), cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.What, b.What))
	})
	return c.found
}
