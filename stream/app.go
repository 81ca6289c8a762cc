package stream

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"sync"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/thalweg/thalweg/internal/engine"
	"github.com/thalweg/thalweg/internal/engine/metrics"
	"github.com/thalweg/thalweg/internal/kafka"
	"github.com/thalweg/thalweg/internal/ops"
	"github.com/thalweg/thalweg/internal/runtime"
	"github.com/thalweg/thalweg/internal/task"
	"github.com/thalweg/thalweg/state"
	"github.com/thalweg/thalweg/topology"
	"github.com/thalweg/thalweg/window"
)

// App is one instance of a topology at work. Start as many as wanted, anywhere; they share the partitions.
// It is a state.Client: hand it to a table's Query. Its methods may be called by many goroutines.
type App struct {
	topo *topology.Topology
	cfg  Config
	peer *ops.Peer // asks other instances; nil: queries end here

	up   chan struct{} // closed when topics are there: writers and readers can begin
	down chan struct{} // closed when Run returns

	mu       sync.Mutex // protects following fields
	ran      bool
	state    State
	err      error // that ended Run
	engine   *engine.Engine
	client   *kafka.Client
	instance *runtime.Instance
	ready    chan struct{}
	addr     string // where others reach this instance's queries
}

// New returns an app that is not yet running. It reports every fault in cfg at once.
func New(t *topology.Topology, cfg Config) (*App, error) {
	if err := cfg.fill(t.Name()); err != nil {
		return nil, err
	}
	if err := keeps(cfg.Lock, t); err != nil {
		return nil, err
	}
	a := &App{topo: t, cfg: cfg, up: make(chan struct{}), down: make(chan struct{}), ready: make(chan struct{})}
	if cfg.Ops.Queries {
		a.peer = ops.NewPeer(cfg.Ops.Token, cfg.Ops.TLS)
	}
	return a, nil
}

// Run is New and App.Run.
func Run(ctx context.Context, t *topology.Topology, cfg Config) error {
	a, err := New(t, cfg)
	if err != nil {
		return err
	}
	return a.Run(ctx)
}

// Run works until ctx ends, then drains, commits, leaves the group and returns nil; or until an error stops it. An app
// runs once.
func (a *App) Run(ctx context.Context) (err error) {
	a.mu.Lock()
	again := a.ran
	a.ran = true
	a.mu.Unlock()
	if again {
		return errors.New("stream: the app has run already: make a new one")
	}
	defer func() {
		a.mu.Lock()
		a.err = err
		a.mu.Unlock()
		close(a.down)
		if err != nil {
			a.set(StateFailed)
		} else {
			a.set(StateStopped)
		}
	}()
	stopOps, err := a.serveOps()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stopOps(), a.disconnect()) }()
	if err := a.connect(ctx); err != nil {
		return err
	}
	if a.engine != nil {
		watch, stop := context.WithCancel(ctx)
		done := make(chan struct{})
		go func() {
			defer close(done)
			a.watchEngine(watch)
		}()
		defer func() {
			stop()
			<-done
		}()
	}
	defer a.startBeside(ctx)()
	return a.instance.Run(ctx)
}

// engineLook is how often the storage of the bundled engine is asked how it is.
const engineLook = 500 * time.Millisecond

// watchEngine ends the app once the storage of the bundled engine has failed: nothing is acknowledged from it any more.
func (a *App) watchEngine(ctx context.Context) {
	t := time.NewTicker(engineLook)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
		if err := a.engine.Health(); err != nil {
			a.instance.Fail(fmt.Errorf("stream: the bundled engine under %s cannot go on: %w: mend the disk or make room, and start again; "+
				"what was committed is kept", a.cfg.Dir, err))
			return
		}
	}
}

// connect opens the engine, if it is the bundled one, dials the brokers, and makes the instance.
func (a *App) connect(ctx context.Context) error {
	kc := kafka.Config{
		Brokers: a.cfg.Brokers, TLS: a.cfg.TLS, ClientID: a.cfg.Client, Rack: a.cfg.Rack, Logger: a.cfg.Logger, Wait: len(a.cfg.Brokers) > 0,
		SASL: kafka.SASL(a.cfg.SASL),
	}
	var eng *engine.Engine
	if len(a.cfg.Brokers) == 0 {
		var err error
		if eng, err = openEngine(a.cfg); err != nil {
			return err
		}
		kc.Brokers, kc.Dial = []string{eng.Addr()}, eng.Dial
	}
	a.mu.Lock()
	a.engine = eng
	a.mu.Unlock()
	client, err := kafka.Dial(ctx, kc)
	if err != nil {
		return err
	}
	a.mu.Lock()
	in := runtime.New(a.runtimeConfig(client, eng != nil))
	a.client, a.instance = client, in
	a.mu.Unlock()
	go a.announce(in)
	return nil
}

// announce closes up and ready as the instance gets there.
func (a *App) announce(in *runtime.Instance) {
	select {
	case <-in.Prepared():
		close(a.up)
	case <-a.down:
		return
	}
	select {
	case <-in.Ready():
		close(a.ready)
	case <-a.down:
	}
}

// openEngine opens the bundled engine under cfg.Dir.
func openEngine(cfg Config) (*engine.Engine, error) {
	ec := engine.Defaults()
	ec.Logger = cfg.Logger
	ec.ACLs, ec.SuperUsers = cfg.Access.ACLs, cfg.Access.Super
	eng, err := engine.Open(vfs.Default, filepath.Join(cfg.Dir, "log"), ec)
	if err != nil {
		return nil, fmt.Errorf("stream: the bundled engine under %s: %w (another program that runs there can be joined through its Config.Listen: "+
			"set Config.Brokers to that address, and a Config.Dir of its own)", cfg.Dir, err)
	}
	if cfg.Listen != "" {
		if err := listen(eng, cfg); err != nil {
			return nil, errors.Join(err, eng.Close(context.Background()))
		}
	}
	return eng, nil
}

func (a *App) disconnect() (err error) {
	a.mu.Lock()
	client, eng := a.client, a.engine
	a.mu.Unlock()
	if a.peer != nil {
		a.peer.Close()
	}
	if client != nil {
		client.Close()
	}
	if eng != nil {
		limit := a.cfg.Drain
		if eng.Health() != nil {
			limit = min(limit, engineLook) // what waits for its storage waits in vain
		}
		ctx, cancel := context.WithTimeout(context.Background(), limit)
		defer cancel()
		err = eng.Close(ctx)
	}
	return err
}

func (a *App) runtimeConfig(client *kafka.Client, bundled bool) runtime.Config {
	c := a.cfg
	return runtime.Config{
		Graph: a.topo.Graph(), App: c.App, Instance: c.Instance, Dir: c.Dir, Client: client, Logger: c.Logger,
		ExactlyOnce: c.Guarantee == ExactlyOnce, Commit: c.CommitInterval, Workers: c.Workers, MaxIdle: c.MaxIdle, Memory: c.Memory, Below: state.Below(c.Backend), Drain: c.Drain,
		Retry:   c.TaskRetry,
		Session: c.SessionTime, Replication: int16(c.Replication), Topics: c.Topics, CreateUser: (bundled || c.CreateTopics) && !c.NoCreate,
		Copies: kafka.Copies{Standbys: c.Standbys, AcceptableLag: c.AcceptableLag, WarmUps: c.WarmUps},
		Addr:   a.addr, NoCreate: c.NoCreate, DeadLetter: c.DeadLetter, UsesDeadLetter: c.Errors.usesDeadLetter(), Decide: a.decide,
		Events: runtime.Events{
			RestoreBegin: c.Events.RestoreBegin, RestoreBatch: c.Events.RestoreBatch, RestoreEnd: c.Events.RestoreEnd,
			Assigned: c.Events.Assigned, Revoked: c.Events.Revoked, Committed: c.Events.Committed, Dropped: c.Events.Dropped, Phase: a.phase,
		},
	}
}

// decide hands a failure to the user's policy.
func (a *App) decide(f task.Failure) task.Action {
	var h topology.Headers
	if f.Headers != nil {
		for _, kv := range f.Headers.KV {
			h = h.Add(kv.Key, kv.Value)
		}
	}
	return task.Action(a.cfg.Errors.action(Failure{
		Phase: Phase(f.Phase), Err: f.Err, Node: f.Node, Task: f.Task, Time: window.Instant(f.Time), Key: f.Key, Value: f.Value, Headers: h,
		Origin: topology.Origin{Topic: f.Topic, Partition: f.Partition, Offset: f.Offset},
	}))
}

// Ready is closed once every task assigned at first has its state. An instance for which there is no task, as there are more
// instances than partitions or no topic of a pattern yet, is ready when the group has said so.
func (a *App) Ready() <-chan struct{} { return a.ready }

// State is a stage in an app's life.
type State int

const (
	StateCreated State = iota
	StateRestoring
	StateRunning
	StateRebalancing
	StatePaused
	StateDraining
	StateStopped
	StateFailed
)

// String returns the state's name.
func (s State) String() string {
	return [...]string{"created", "restoring", "running", "rebalancing", "paused", "draining", "stopped", "failed"}[s]
}

// State returns what the app is doing.
func (a *App) State() State {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.state
}

func (a *App) phase(p runtime.Phase) {
	a.set([...]State{
		runtime.Restoring: StateRestoring, runtime.Running: StateRunning, runtime.Rebalancing: StateRebalancing, runtime.Draining: StateDraining,
	}[p])
}

func (a *App) set(s State) {
	a.mu.Lock()
	was := a.state
	a.state = s
	a.mu.Unlock()
	if was != s && a.cfg.OnState != nil {
		a.cfg.OnState(was, s)
	}
}

// Health returns nil if all is well, else what is not: for probes.
func (a *App) Health() error {
	a.mu.Lock()
	s, err, eng := a.state, a.err, a.engine
	a.mu.Unlock()
	switch {
	case err != nil:
		return err
	case s == StateCreated, s == StateStopped, s == StateFailed:
		return fmt.Errorf("stream: the app is %s", s)
	case eng != nil:
		return eng.Health()
	}
	return nil
}

// Pause stops processing between two records; the app stays in its group.
func (a *App) Pause() { a.pause(true, StatePaused) }

// Resume undoes Pause.
func (a *App) Resume() { a.pause(false, StateRunning) }

func (a *App) pause(on bool, s State) {
	a.mu.Lock()
	in := a.instance
	a.mu.Unlock()
	if in != nil {
		in.Pause(on)
		a.set(s)
	}
}

// SetWorkers changes the number of workers, at least 1. In an app that runs tasks move between them, each in order: it is
// committed, and opened by its new worker from a checkpoint. It waits for restores under way. An error leaves the app with
// the workers it had.
func (a *App) SetWorkers(n int) error {
	if n < 1 {
		return fmt.Errorf("stream: SetWorkers(%d): want at least 1", n)
	}
	a.mu.Lock()
	in := a.instance
	if in == nil {
		a.cfg.Workers = n
	}
	a.mu.Unlock()
	if in == nil {
		return nil
	}
	return in.SetWorkers(n)
}

// Progress is what an instance has done since it started.
type Progress struct {
	Records, Restored, Commits, Aborted, Rebalances, Dropped int64
	StateRows, StateBytes                                    int64
	CommitTime                                               time.Duration // of all commits together
}

// Progress returns what this instance has done since it started.
func (a *App) Progress() (p Progress) {
	a.mu.Lock()
	in := a.instance
	a.mu.Unlock()
	if in == nil {
		return p
	}
	s := in.Snapshot()
	p = Progress{Records: s.Records, Restored: s.Restored, Commits: s.Commits, Aborted: s.Aborted, Rebalances: s.Rebalances, CommitTime: s.CommitTime}
	for _, n := range s.Dropped {
		p.Dropped += n
	}
	for _, t := range s.Tasks {
		for _, st := range t.Stores {
			p.StateRows += st.Rows
			p.StateBytes += st.Bytes
		}
	}
	return p
}

// Handler returns the ops surface for a server of the caller's own.
func (a *App) Handler() http.Handler {
	src := ops.Source{App: a.cfg.App, Snapshot: a.snapshot, Health: a.Health, Ready: a.ready}
	if len(a.cfg.Brokers) == 0 {
		src.Engine = metrics.Collector(a.bundled)
	}
	if a.cfg.Ops.Queries {
		src.Ask, src.ScanLimit = a.Ask, a.cfg.Ops.ScanLimit
	}
	return ops.Handler(src, a.cfg.Ops.Token)
}

// bundled is the bundled engine once it is open.
func (a *App) bundled() metrics.Source {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.engine == nil {
		return nil
	}
	return a.engine
}

func (a *App) snapshot() (runtime.Snapshot, bool) {
	a.mu.Lock()
	in := a.instance
	a.mu.Unlock()
	if in == nil {
		return runtime.Snapshot{}, false
	}
	return in.Snapshot(), true
}

// wait returns the client once the app runs and its topics are there.
func (a *App) wait(ctx context.Context) (*kafka.Client, error) {
	select {
	case <-a.up:
	case <-ctx.Done():
		return nil, fmt.Errorf("stream: waiting for the app to run: %w", context.Cause(ctx))
	case <-a.down:
		a.mu.Lock()
		defer a.mu.Unlock()
		return nil, errors.Join(errors.New("stream: the app has ended"), a.err)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.client, nil
}
