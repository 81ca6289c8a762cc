package store

import (
	"iter"
	"log/slog"
	"time"

	"github.com/thalweg/thalweg/internal/hashed"
)

// Env is what a store is opened in. One task's goroutine uses it and the store.
type Env struct {
	DB *DB // nil: nothing below, all in memory
	// Below opens what lies below a store of that name, in place of DB; nil: DB.
	Below     func(name string, env Env) (*DB, error)
	Left      *Left // what tiers of the caller's own stand for that were closed; may be nil
	Partition int32
	Hasher    hashed.Hasher
	Budget    *Budget      // nil: no limit
	Logger    *slog.Logger // nil: silent
	Now       func() time.Time
	// Time is the time of the record at hand: the changelog time of plain stores' rows and of their deletions. Nil:
	// the time given with the write.
	Time func() int64
	// Dropped counts a record refused by the store (an expired window). It may be nil.
	Dropped func(n int64)
	// Dir is the directory of the task, for what the user makes; it may not exist yet. Nil: there is none.
	Dir func() string
}

// Key is the key of a row as stores take it.
type Key = hashed.Key

// Position is a place in a store's changelog.
type Position struct {
	Offset  int64    // of the next record to read; 0: from the beginning
	TopicID [16]byte // of the changelog it was read from; zero: unknown
	At      int64    // ms: when the store was last in step with it
}

// Logged is one record of a changelog.
type Logged struct {
	Key, Value []byte // Value nil: deleted
	Time       int64
	Next       int64 // the position behind it; 0: not known
}

// Changelog takes the records of a commit. Append copies what it is given.
type Changelog interface {
	Append(time int64, key, value []byte) error
}

// Store is one store of one task, as the task drives it. All methods but Checkpoint.Write belong to the task's
// goroutine.
//
//	open → Position → Replay … Restored → { reads, writes → Flush → Ended | Abort } … → checkpoint → Close
type Store interface {
	Name() string

	// Position is what the tier below stands for: where a replay has to begin.
	Position() Position
	// Reset forgets everything, below too: the changelog was recreated, or the absence was too long.
	Reset() error
	// Replay applies committed changelog records in order. Their slices are not kept. Replayed rows are clean of the
	// commit but must reach the next checkpoint.
	Replay(recs iter.Seq[Logged]) error
	// Restored ends the replay: the store now stands for p.
	Restored(p Position)

	// Dirty returns the rows and bytes changed since the last commit.
	Dirty() (rows int, bytes int64)
	// Flush appends the last value of each changed row to w. Undo stays until Ended or Abort; the store is not written
	// between Flush and them.
	Flush(w Changelog) error
	// Ended says that the transaction of the last Flush is committed and the changelog has been read or written up to p.
	Ended(p Position)
	// Abort takes back everything since the last Ended.
	Abort()

	// BeginCheckpoint freezes what is to be written below, as of the last Ended. It returns nil if there is nothing to
	// write or one is under way.
	BeginCheckpoint() *Checkpoint
	// Pending returns the rows and bytes the next checkpoint would write.
	Pending() (rows int, bytes int64)

	// Touch loads the home slots of keys that will be asked for soon: a hint without effect.
	Touch(hashes []uint64)

	// Committed answers queries from outside: rows as of the last commit, whatever the open transaction has done. The
	// iteration may be suspended while the task goes on; it sees the store as it was when it began.
	Committed(q Query) iter.Seq2[Row, error]

	// Bytes is the memory held, Rows the live rows (approximate).
	Bytes() int64
	Rows() int64

	// Close releases the store without writing anything. A checkpoint under way must be finished first.
	Close() error
}

// Query is a question about committed rows, in bytes.
type Query struct {
	Op       string // "get", "range" (Key ≤ key ≤ To), "all"; versions: "asof" (Key, FromTime) too; windows: "get" (Key, FromTime), "fetch" (Key, start in FromTime..ToTime), "fetchall"
	Key, To  []byte // To: upper key of a range, nil: open
	FromTime int64
	ToTime   int64
}

// Row is one committed row. Its slices live until the next step of the iteration.
type Row struct {
	Key, Value []byte
	Time       int64
	Start, End int64 // windows, versions
	Partition  int32 // of the task that has it
	Mark       Mark  // of a watch: what is no row
}

// Mark is what the answer to a watch says beside rows.
type Mark int8

// A watch begins with a snapshot, and has another one wherever it may have missed something.
const (
	IsRow          Mark = iota
	SnapshotBegins      // what was said before is void
	SnapshotEnds        // what follows are changes
)

// Schema is what a store's rows are, as written into the database: opening with another is refused by name.
type Schema struct {
	Kind       string // "kv", "timestamped-kv", …
	Key, Value string // types, as fmt's %T writes them, plus the serde's name if it has one
}

// Kinds of stores.
const (
	KindKV                = "kv"
	KindTimestampedKV     = "timestamped-kv"
	KindWindow            = "window"
	KindTimestampedWindow = "timestamped-window"
	KindVersioned         = "versioned"
	KindJoin              = "join"
	KindSession           = "session"
	KindTimers            = "timers"
	KindCustom            = "custom"
)

// timestamped reports whether rows keep the time given with a write, rather than the context's.
func (s Schema) timestamped() bool {
	return s.Kind == KindTimestampedKV || s.Kind == KindTimestampedWindow || s.Kind == KindCustom
}

// Plan is what a topology must know of a store before any task opens it.
type Plan struct {
	Name      string
	Schema    Schema
	InMemory  bool                                    // no tier below
	Below     func(name string, env Env) (*DB, error) // opens a tier of the caller's own; nil: Env says
	Changelog bool                                    // has one
	Settings  map[string]string                       // of the changelog topic
	Size      int64                                   // of windows, ms
	Retention int64                                   // of windows, ms
	History   int64                                   // of versions, ms
	TTL       int64                                   // of rows, ms; 0: they stay
	Table     string                                  // the option of its declaration that is for tables alone; "": none
	Err       error                                   // what is wrong with the declaration
}
