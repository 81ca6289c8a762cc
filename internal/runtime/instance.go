// Package runtime is one running instance of a topology: its place in the group, its workers with their transactions,
// restores, checkpoints, and the policy for what fails.
//
// An instance is one group member. It has workers; each owns tasks and one transactional producer, and commits its tasks
// together. A task is owned by one goroutine at a time: first by the one that restores it, then by its worker.
package runtime

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/thalweg/thalweg/internal/edge"
	"github.com/thalweg/thalweg/internal/hashed"
	"github.com/thalweg/thalweg/internal/kafka"
	"github.com/thalweg/thalweg/internal/store"
	"github.com/thalweg/thalweg/internal/task"
)

// Config of an Instance. All fields are required unless said otherwise.
type Config struct {
	Graph          *edge.Graph
	App            string
	Instance       string // a lasting name; "": that of the directory
	Dir            string
	Client         *kafka.Client
	Logger         *slog.Logger
	ExactlyOnce    bool
	Commit         time.Duration
	Workers        int
	MaxIdle        time.Duration // for an input that is read to its end
	Memory         int64
	Below          func(name string, env store.Env) (*store.DB, error) // what lies below stores; nil: Pebble in Dir
	Drain          time.Duration
	Retry          time.Duration // without a commit that succeeds, until the instance gives up
	Session        time.Duration
	Replication    int16             // -1: the broker's
	Topics         map[string]string // settings of the app's own topics over the defaults
	CreateUser     bool              // create sources and sinks too
	NoCreate       bool
	Decide         func(task.Failure) task.Action
	DeadLetter     string
	UsesDeadLetter bool
	Copies         kafka.Copies
	Addr           string // where other instances reach this one's queries; "": nowhere
	Events         Events
}

// Events are hooks; nil fields are not called.
type Events struct {
	RestoreBegin func(store, task string, from, to int64)
	RestoreBatch func(store, task string, at int64)
	RestoreEnd   func(store, task string, records int64)
	Assigned     func(tasks []string)
	Revoked      func(tasks []string)
	Committed    func(tasks int, took time.Duration)
	Dropped      func(node, reason string, n int64)
	Phase        func(Phase)
}

// Phase is a stage in an instance's life.
type Phase int

const (
	Restoring Phase = iota
	Running
	Rebalancing
	Draining
)

// Instance is one running instance.
type Instance struct {
	cfg    Config
	id     identity
	db     *store.DB
	left   store.Left
	budget *store.Budget
	hasher hashed.Hasher
	plan   plan

	now      func() time.Time // of operators
	globals  []*task.Global
	passed   positions      // of the globals' topics
	follower *kafka.Fetcher // of the topics of globals
	fetcher  *kafka.Fetcher
	member   *kafka.Member
	workers  []*worker
	copies   *copier
	restores chan struct{} // holds a token for each restore that may run
	wg       sync.WaitGroup

	ctx    context.Context // ends when the instance stops, for whatever reason
	cancel context.CancelCauseFunc

	// moving is held while tasks change hands: between workers, or away from this instance. It protects movable, which says
	// whether workers may come and go, and wanted, the number last asked for. It is taken before mu, and
	// after resizing, which is held by SetWorkers.
	resizing sync.Mutex
	moving   sync.Mutex
	movable  bool
	wanted   int

	mu    sync.Mutex // protects following fields, workers while the instance runs, and budget and copies until it does
	tasks map[taskKey]*assigned
	bound map[string]reading // topics that match the graph's patterns
	first bool               // the first assignment is not complete yet
	cold  bool               // something of it was far behind, and the group was asked who has it

	look     chan struct{} // to discover
	prepared chan struct{}
	ready    chan struct{}
	paused   atomic.Bool
	stats    Stats
	peers    peers
}

// New returns an instance that is not yet running.
func New(cfg Config) *Instance {
	in := &Instance{
		cfg: cfg, tasks: map[taskKey]*assigned{}, bound: map[string]reading{}, look: make(chan struct{}, 1), ready: make(chan struct{}), prepared: make(chan struct{}), first: true,
		restores: make(chan struct{}, restoresAtOnce), hasher: hashed.NewHasher(rand.Uint64(), rand.Uint64()),
	}
	return in
}

// restoresAtOnce is how many tasks are restored side by side.
const restoresAtOnce = 2

// Prepared is closed once the topics are there.
func (in *Instance) Prepared() <-chan struct{} { return in.prepared }

// Ready is closed once every task assigned at first has its state.
func (in *Instance) Ready() <-chan struct{} { return in.ready }

// Pause stops processing between two records, or lets it go on.
func (in *Instance) Pause(paused bool) {
	in.paused.Store(paused)
	in.mu.Lock()
	defer in.mu.Unlock()
	for _, w := range in.workers {
		w.poke()
	}
}

// Run works until ctx ends, then drains, commits and leaves; or until an error stops it.
func (in *Instance) Run(ctx context.Context) (err error) {
	defer func() {
		if errors.Is(err, context.Canceled) && ctx.Err() != nil {
			err = nil // stopped while it was starting
		}
	}()
	in.ctx, in.cancel = context.WithCancelCause(context.Background())
	in.now = clock(ctx)
	defer in.cancel(nil)
	dir := filepath.Join(in.cfg.Dir, "apps", in.cfg.App)
	if in.id, err = openIdentity(dir, in.cfg); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, in.id.close()) }()
	if err := in.cfg.Graph.Prepare(ctx); err != nil {
		return err
	}
	if in.plan, err = in.prepare(ctx); err != nil {
		return err
	}
	close(in.prepared)
	in.mu.Lock()
	in.budget = store.NewBudget(in.cfg.Memory)
	in.mu.Unlock()
	in.db, err = store.OpenDB(vfs.Default, filepath.Join(dir, "state"), store.Options{Logger: in.cfg.Logger, Now: time.Now})
	if err != nil {
		return fmt.Errorf("runtime: %w", err)
	}
	defer func() { err = errors.Join(err, in.db.Close()) }()
	defer func() { err = errors.Join(err, in.closeGlobals()) }()
	if err := in.openGlobals(ctx); err != nil {
		return err
	}
	if err := in.startWorkers(ctx); err != nil {
		return errors.Join(err, in.stop())
	}
	if err := in.startCopies(ctx); err != nil {
		return errors.Join(err, in.stop())
	}
	if err := in.join(); err != nil {
		return errors.Join(err, in.stop())
	}
	if len(in.plan.sources) == 0 { // the group asks members without topics for nothing
		in.checkReady()
	}
	in.wg.Go(in.attend)
	in.beginMoving()
	in.wg.Go(in.purge)
	if in.cfg.Graph.Patterned() {
		in.wg.Go(in.discover)
	}
	select {
	case <-ctx.Done():
		in.phase(Draining)
	case <-in.ctx.Done():
	}
	return in.stop()
}

// startWorkers makes the fetcher and the workers, and takes back what earlier lives of this instance have left open.
func (in *Instance) startWorkers(ctx context.Context) error {
	in.fetcher = in.cfg.Client.NewFetcher(in.deliver)
	var wg sync.WaitGroup
	var workers []*worker
	errs := make([]error, max(in.id.workers, in.cfg.Workers))
	for i := range errs {
		p := in.cfg.Client.NewProducer(in.transactionalID(i), in.transactionTimeout())
		wg.Go(func() { errs[i] = p.Init(ctx) })
		if i < in.cfg.Workers {
			workers = append(workers, newWorker(in, i, p))
			continue
		}
		defer p.Close()
	}
	wg.Wait()
	if err := errors.Join(errs...); err != nil {
		for _, w := range workers {
			w.producer.Close()
		}
		return err
	}
	in.mu.Lock()
	in.workers = workers
	in.mu.Unlock()
	for _, w := range workers {
		in.wg.Go(w.run)
	}
	return nil
}

// startCopies makes what copies the stores of tasks that are elsewhere.
func (in *Instance) startCopies(ctx context.Context) error {
	c := newCopier(in)
	in.mu.Lock()
	in.copies = c
	in.mu.Unlock()
	go c.run() // until stop, which waits for it
	in.findTiers()
	return in.lookAtIdle(ctx)
}

// transactionalID is that of a worker: it lasts over restarts, so that a new life aborts what the old one left open.
func (in *Instance) transactionalID(worker int) string {
	if !in.cfg.ExactlyOnce {
		return ""
	}
	return fmt.Sprintf("%s-%s-%d", in.cfg.App, in.id.process, worker)
}

// transactionTimeout stays below the session time: a dead instance's transaction must not hold up those who take over.
func (in *Instance) transactionTimeout() time.Duration {
	return min(10*time.Second, in.cfg.Session*3/4)
}

// failedDrain is how long an instance that has failed tries to leave in good order: the brokers may be the failure.
const failedDrain = 3 * time.Second

// stop ends the instance in good order: workers commit and close their tasks, the member leaves.
func (in *Instance) stop() error {
	in.endMoving()
	failed, limit := context.Cause(in.ctx), in.cfg.Drain
	if failed != nil {
		limit = min(limit, failedDrain)
	}
	drain, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	for _, w := range in.workers {
		w.finish(drain, failed == nil)
	}
	in.cancel(nil)
	for _, w := range in.workers {
		if drain.Err() != nil {
			w.producer.Close() // the worker may wait for brokers that do not answer
		}
		<-w.done
	}
	var errs []error
	if in.member != nil {
		in.member.Close()
		errs = append(errs, in.member.Leave(drain))
	}
	if in.fetcher != nil {
		in.fetcher.Close()
	}
	in.wg.Wait()
	if in.copies != nil {
		in.copies.stop()
	}
	for _, w := range in.workers {
		w.producer.Close()
		errs = append(errs, w.err)
	}
	in.closeLeft()
	if failed != nil {
		// What goes wrong on the way out of a failure is not worth more than the failure.
		for _, err := range errs {
			if err != nil {
				in.cfg.Logger.Warn("stopping", "err", err)
			}
		}
		return failed
	}
	return errors.Join(errs...)
}

// closeLeft closes tasks that no worker ever got.
func (in *Instance) closeLeft() {
	in.mu.Lock()
	defer in.mu.Unlock()
	for _, a := range in.tasks {
		in.closeUngiven(a)
	}
}

// closeUngiven closes a task that was restored too late for its worker, which has ended.
func (in *Instance) closeUngiven(a *assigned) {
	if a.task == nil || a.closed {
		return
	}
	a.closed = true
	if err := a.task.Close(); err != nil {
		in.cfg.Logger.Warn("closing", "task", a.name(), "err", err)
	}
}

// Fail stops a running instance with err, which Run returns.
func (in *Instance) Fail(err error) {
	select {
	case <-in.prepared:
		in.fail(err)
	default: // not that far, or never: what it is doing fails by itself
	}
}

// fail stops the instance with err.
func (in *Instance) fail(err error) { in.cancel(err) }

func (in *Instance) phase(p Phase) {
	if in.cfg.Events.Phase != nil {
		in.cfg.Events.Phase(p)
	}
}
