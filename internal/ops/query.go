package ops

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"sync"
	"time"

	"github.com/thalweg/thalweg/state"
)

// Ask answers a question, as state.Client does.
type Ask func(ctx context.Context, q state.Question) iter.Seq2[state.Answer, error]

// Bounds of the query endpoint.
const (
	queriesAtOnce = 256
	questionMost  = 1 << 20         // bytes
	pingEvery     = 5 * time.Second // while there is nothing to say
)

// ErrTooMany is of an answer longer than it may be that cannot be gone on with.
var ErrTooMany = errors.New("ops: the answer has more rows than Config.Ops.ScanLimit: ask for less at once")

// line is one line of an answer: a row, a mark, that the answer goes on elsewhere, or its end.
type line struct {
	Row   *state.Answer `json:"row,omitempty"`
	More  *more         `json:"more,omitempty"` // the limit is reached: ask on
	Error *fault        `json:"error,omitempty"`
	Done  bool          `json:"done,omitempty"`
}

// more is where a question goes on.
type more struct {
	Past      []byte `json:"past"`
	Partition int32  `json:"partition"`
}

// fault is an error on its way.
type fault struct {
	Code string `json:"code,omitempty"`
	Text string `json:"text"`
}

// faults are the errors that a caller can act on.
var faults = map[string]error{
	"rebalancing": state.ErrRebalancing, "not-local": state.ErrNotLocal, "no-store": state.ErrNoStore, "behind": state.ErrBehind, "too-many": ErrTooMany,
}

func faultOf(err error) *fault {
	f := &fault{Text: err.Error()}
	for code, e := range faults {
		if errors.Is(err, e) {
			f.Code = code
		}
	}
	return f
}

func (f *fault) err() error {
	e := faults[f.Code]
	switch {
	case e == nil:
		return errors.New(f.Text)
	case e.Error() == f.Text:
		return e
	}
	return fmt.Errorf("%w (%s)", e, f.Text)
}

// queries serves questions: a state.Question as JSON, answered by lines of JSON. An answer has at most limit rows; the
// asker goes on where it ended.
func queries(ask Ask, limit int) http.Handler {
	running := make(chan struct{}, queriesAtOnce)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		select {
		case running <- struct{}{}:
			defer func() { <-running }()
		default:
			http.Error(w, "too many queries at once", http.StatusTooManyRequests)
			return
		}
		var q state.Question
		d := json.NewDecoder(http.MaxBytesReader(w, r.Body, questionMost))
		d.DisallowUnknownFields()
		if err := d.Decode(&q); err != nil {
			http.Error(w, fmt.Sprintf("the question is not understood: %v", err), http.StatusBadRequest)
			return
		}
		w.Header().Set("Content-Type", "application/x-ndjson")
		a := answering{w: w, enc: json.NewEncoder(w), watch: q.Op == "watch"}
		stop := a.keepAlive(http.NewResponseController(w))
		defer stop()
		a.write(&a.last, a.answer(r.Context(), ask, q, limit))
	})
}

// answering is one answer on its way out.
type answering struct {
	w     http.ResponseWriter
	watch bool
	last  line

	mu    sync.Mutex // protects following fields
	enc   *json.Encoder
	wrote bool // since the last ping
}

// keepAlive flushes what was written, and says that there is nothing to say, so that the asker can tell silence from death.
func (a *answering) keepAlive(c *http.ResponseController) (stop func()) {
	done, quit := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		t := time.NewTicker(pingEvery)
		defer t.Stop()
		for {
			select {
			case <-quit:
				return
			case <-t.C:
			}
			a.mu.Lock()
			if !a.wrote {
				_ = a.enc.Encode(line{}) // a failing connection ends the answer by its own next line
			}
			a.wrote = false
			_ = c.Flush()
			a.mu.Unlock()
		}
	}()
	return func() {
		close(quit)
		<-done
	}
}

// write sends l, or err in its place.
func (a *answering) write(l *line, err error) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if err != nil {
		l = &line{Error: faultOf(err)}
	}
	a.wrote = true
	if a.enc.Encode(l) != nil {
		return false
	}
	if a.watch {
		return http.NewResponseController(a.w).Flush() == nil
	}
	return true
}

// answer sends the rows, and leaves what ends them in last.
func (a *answering) answer(ctx context.Context, ask Ask, q state.Question, limit int) error {
	var before state.Answer // the row before
	n := 0
	for row, err := range ask(ctx, q) {
		if err != nil {
			return err
		}
		if n++; n > limit && !a.watch {
			if q.Op != "all" && q.Op != "range" {
				return ErrTooMany
			}
			a.last.More = &more{before.Key, before.Partition}
			return nil
		}
		if !a.write(&line{Row: &row}, nil) {
			return ctx.Err()
		}
		before = state.Answer{Key: append([]byte{}, row.Key...), Partition: row.Partition}
	}
	a.last.Done = true
	return nil
}
