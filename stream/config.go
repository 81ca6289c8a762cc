package stream

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"reflect"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"github.com/thalweg/thalweg/internal/kafka"
	"github.com/thalweg/thalweg/state"
	"github.com/thalweg/thalweg/topology"
	"github.com/thalweg/thalweg/window"
)

// Config of an App. The zero value serves: exactly-once, on the bundled engine, under ./thalweg.
type Config struct {
	// Identity.
	App      string // default: the topology's name. Prefix of topics, transactions, group
	Instance string // a lasting name of this instance: it keeps its tasks over a restart; default: one kept in Dir
	Rack     string // fetches prefer replicas of the same, standbys another

	// Where.
	Dir     string      // default "thalweg": stores, and the bundled engine's log
	Brokers []string    // default: the bundled engine, in this process
	Listen  string      // address on which the bundled engine serves others too: tools, further instances; default none. Beyond loopback Access has to ask who they are
	Access  Access      // what it asks of those others
	TLS     *tls.Config // to the brokers
	SASL    SASL        // to the brokers
	Client  string      // client id; default App

	// How.
	Guarantee      Guarantee     // default ExactlyOnce
	CommitInterval time.Duration // default 100 ms exactly-once, 30 s at-least-once; inputs that run dry are committed at once
	Workers        int           // default GOMAXPROCS
	MaxIdle        time.Duration // how long a task waits for a partition that may yet have earlier records; default 0: for what is known to be there
	Memory         int64         // bytes for hot tables and buffers; default a quarter of GOMEMLIMIT or of the machine
	Backend        state.Backend // a tier of the caller's own below the hot tables of stores that have none; default Pebble, in Dir
	Drain          time.Duration // how long Run may take to stop; default 30 s
	SessionTime    time.Duration // silence after which others take over; default 45 s

	// Copies and moves (KIP-441). The instance that leads the group goes by its own: give all the same.
	Standbys      int   // copies of each store with a changelog, on other instances, that follow it; at most as there are others; default 0
	AcceptableLag int64 // offsets behind, over all stores of a task, at which a copy counts as warm; default 10000
	WarmUps       int   // tasks of all instances that are copied at once to where they will move; default 2

	// Topics of the app's own.
	Replication  int               // default: the broker's
	Topics       map[string]string // settings over the defaults
	CreateTopics bool              // create missing sources and sinks too; the bundled engine always does
	NoCreate     bool              // create no topic at all; refuse to start with the list of what is missing
	Lock         []byte            // an embedded lock file: refuse to start if the topology would leave state behind

	// Errors.
	Errors     Errors
	DeadLetter string        // topic of dead letters; default "<app>-dead-letter"
	TaskRetry  time.Duration // how long tasks may fail to commit, the brokers not being reached, before the app stops; default 5 min

	// Ops.
	Ops     Ops
	Logger  *slog.Logger // default slog.Default()
	OnState func(was, is State)
	Events  Events
	// OnStart is called once the topics are there, on a goroutine of its own, and runs beside the app: to write input, to
	// read output, to serve queries. Its ctx ends with the app, and Run waits for it. Its error stops the app.
	OnStart func(ctx context.Context, a *App) error
}

// Guarantee says how often a record counts.
type Guarantee int

const (
	ExactlyOnce Guarantee = iota // state, output and offsets move together
	AtLeastOnce                  // cheaper commits; a crash repeats
)

// SASL are credentials. String hides them.
type SASL struct {
	Mechanism      string // "PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER"; "": none
	User, Password string
	Token          func() (string, error) // OAUTHBEARER
}

// String returns the mechanism and user alone.
func (s SASL) String() string { return s.Mechanism + " " + s.User }

// GoString hides the password from %#v as well.
func (s SASL) GoString() string { return "stream.SASL{" + s.String() + "}" }

// Access is what the bundled engine asks of those who come by Config.Listen. The app itself logs in nowhere and may do
// everything. Users and ACLs lie in the engine's log: "thalweg users" and "thalweg acls" with -dir add the first ones while the
// app does not run.
type Access struct {
	Login bool        // they log in, by SASL SCRAM, or PLAIN over TLS or loopback
	TLS   *tls.Config // they connect by TLS; with ClientAuth RequireAndVerifyClientCert the subject of a certificate is who they are
	ACLs  bool        // they may do what an ACL allows them, and nothing else
	Super []string    // with ACLs: names, or subjects of certificates, of those who may do everything
}

// check reports the mistakes in what is asked of those who come to an address.
func (a *Access) check(listen string, fail func(format string, args ...any)) {
	if listen == "" {
		if a.Login || a.TLS != nil || a.ACLs || a.Super != nil {
			fail("Access is for those who come by Listen, and that is not set")
		}
		return
	}
	if !loopback(listen) && !a.asks() {
		fail("Listen %q is beyond loopback, where anybody could write: set Access.Login, or Access.TLS with ClientAuth RequireAndVerifyClientCert", listen)
	}
	if t := a.TLS; t != nil && len(t.Certificates) == 0 && t.GetCertificate == nil && t.GetConfigForClient == nil {
		fail("Access.TLS has no certificate to show")
	}
	if a.ACLs && !a.asks() {
		fail("Access.ACLs is about users, and nobody is asked who they are: set Access.Login, or Access.TLS with ClientAuth RequireAndVerifyClientCert")
	}
	if a.Super != nil && !a.ACLs {
		fail("Access.Super is %q without ACLs: everybody may do everything", a.Super)
	}
}

// asks reports whether all others have to say who they are.
func (a *Access) asks() bool {
	return a.Login || a.TLS != nil && a.TLS.ClientAuth == tls.RequireAndVerifyClientCert
}

// Ops is the HTTP surface: /metrics, /health, /ready, and queries. Off while Addr is empty.
type Ops struct {
	Addr      string // to listen on; beyond loopback it needs Token or TLS
	Advertise string // host:port under which other instances reach it; default: Addr
	Token     string // bearer token
	TLS       *tls.Config
	// Queries serves the rows of tables to other instances and to Dial, and has this instance ask others for what it does
	// not have. At most 256 questions, watches among them, are answered at once. Beyond loopback it needs Token, or TLS that
	// requires and verifies certificates of those who ask. The members of the group say where they are: who may join it has
	// to be trusted, as with all the app's topics.
	Queries   bool
	ScanLimit int // rows of one answer; who wants more asks again. Default 10000
}

// Errors says what happens to a record that fails, for each phase.
type Errors struct {
	Decode, Process, Produce Action
	// Decide overrules the actions above where it is set.
	Decide func(Failure) Action
}

// Action is an answer to a failure.
type Action int

const (
	Stop       Action = iota // stop the app at the record; the default
	Skip                     // drop and count
	DeadLetter               // to Config.DeadLetter, in the same transaction
)

// Phase is where a record failed.
type Phase int

const (
	PhaseDecode Phase = iota
	PhaseProcess
	PhaseProduce
)

// Failure is a record that failed, and why. Key and Value are as they were read, and must not be kept.
type Failure struct {
	Phase      Phase
	Err        error
	Node, Task string
	Origin     topology.Origin
	Time       window.Instant
	Key, Value []byte
	Headers    topology.Headers
}

// Events are hooks; nil fields cost nothing. They are called from the app's own goroutines and must return soon.
type Events struct {
	RestoreBegin func(store, task string, from, to int64)
	RestoreBatch func(store, task string, at int64)
	RestoreEnd   func(store, task string, records int64)
	Assigned     func(tasks []string)
	Revoked      func(tasks []string)
	Committed    func(tasks int, took time.Duration)
	Dropped      func(node, reason string, n int64) // at commits: how many more
}

// fill puts defaults in place of zeros and returns every mistake.
func (c *Config) fill(name string) error {
	set(&c.App, name)
	set(&c.Dir, "thalweg")
	set(&c.Client, c.App)
	set(&c.Workers, runtime.GOMAXPROCS(0))
	set(&c.Drain, 30*time.Second)
	set(&c.SessionTime, 45*time.Second)
	set(&c.TaskRetry, 5*time.Minute)
	set(&c.Replication, -1)
	set(&c.DeadLetter, c.App+"-dead-letter")
	set(&c.Memory, defaultMemory())
	set(&c.Ops.ScanLimit, 10000)
	set(&c.AcceptableLag, 10000)
	set(&c.WarmUps, 2)
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	if c.Guarantee == AtLeastOnce {
		set(&c.CommitInterval, 30*time.Second)
	}
	set(&c.CommitInterval, 100*time.Millisecond)
	return c.check()
}

func set[T comparable](field *T, value T) {
	if *field == *new(T) {
		*field = value
	}
}

func (c *Config) check() error {
	var errs []error
	fail := func(format string, args ...any) { errs = append(errs, fmt.Errorf("stream: Config."+format, args...)) }
	if c.Workers < 0 {
		fail("Workers is %d", c.Workers)
	}
	if c.Standbys < 0 {
		fail("Standbys is %d", c.Standbys)
	}
	if c.AcceptableLag < 0 {
		fail("AcceptableLag is %d", c.AcceptableLag)
	}
	if c.WarmUps < 0 {
		fail("WarmUps is %d", c.WarmUps)
	}
	if v := reflect.ValueOf(c.Backend); v.Kind() == reflect.Pointer && v.IsNil() {
		fail("Backend is a nil %T", c.Backend)
	}
	if c.MaxIdle < 0 {
		fail("MaxIdle is %v", c.MaxIdle)
	}
	if c.Memory < 16<<20 {
		fail("Memory is %d bytes, want at least 16 MiB", c.Memory)
	}
	if c.SessionTime < 6*time.Second || c.SessionTime > 30*time.Minute {
		fail("SessionTime is %v, brokers take 6s to 30m", c.SessionTime)
	}
	if c.TaskRetry < 0 {
		fail("TaskRetry is %v", c.TaskRetry)
	}
	if c.CommitInterval < 0 || c.Guarantee == ExactlyOnce && c.CommitInterval > 5*time.Second {
		fail("CommitInterval is %v, want at most 5s exactly-once: transactions time out", c.CommitInterval)
	}
	if c.Replication < -1 || c.Replication == 0 || c.Replication > 32767 {
		fail("Replication is %d", c.Replication)
	}
	if c.Listen != "" && len(c.Brokers) > 0 {
		fail("Listen is for the bundled engine, and Brokers are set")
	}
	c.Access.check(c.Listen, fail)
	if len(c.Brokers) == 0 && (c.TLS != nil || c.SASL.Mechanism != "") {
		fail("TLS and SASL are for Brokers, and none are set")
	}
	if err := kafka.SASL(c.SASL).Check(); err != nil {
		fail("%s", err)
	}
	if c.Ops.Addr != "" && !loopback(c.Ops.Addr) && c.Ops.Token == "" && c.Ops.TLS == nil {
		fail("Ops.Addr %q is beyond loopback: set Ops.Token or Ops.TLS", c.Ops.Addr)
	}
	c.Ops.check(fail)
	if c.NoCreate && c.CreateTopics {
		fail("NoCreate and CreateTopics exclude each other")
	}
	return errors.Join(errs...)
}

// check reports the mistakes in what queries need.
func (o *Ops) check(fail func(format string, args ...any)) {
	if o.ScanLimit < 1 {
		fail("Ops.ScanLimit is %d rows", o.ScanLimit)
	}
	if !o.Queries {
		if o.Advertise != "" {
			fail("Ops.Advertise is for queries: set Ops.Queries")
		}
		return
	}
	at := cmp.Or(o.Advertise, o.Addr)
	host, _, err := net.SplitHostPort(at)
	if ip := net.ParseIP(host); err != nil || host == "" || ip != nil && ip.IsUnspecified() {
		fail("Ops.Queries: nobody can reach %q: set Ops.Advertise to a host and port", at)
		return
	}
	mutual := o.TLS != nil && o.TLS.ClientAuth == tls.RequireAndVerifyClientCert
	if (!loopback(at) || o.Addr != "" && !loopback(o.Addr)) && o.Token == "" && !mutual {
		fail("Ops.Queries beyond loopback, at %q: set Ops.Token, or Ops.TLS with ClientAuth RequireAndVerifyClientCert", at)
	}
}

// loopback reports whether an address to listen on is of this machine alone.
func loopback(addr string) bool {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return false
	}
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// defaultMemory is a quarter of GOMEMLIMIT, or of the machine where none is set.
func defaultMemory() int64 {
	const least, unknown = 64 << 20, 4 << 30
	all := debug.SetMemoryLimit(-1)
	if all == 1<<63-1 {
		all = unknown
		if text, err := os.ReadFile("/proc/meminfo"); err == nil {
			if fields := strings.Fields(string(text)); len(fields) > 1 && fields[0] == "MemTotal:" {
				if kb, err := strconv.ParseInt(fields[1], 10, 64); err == nil {
					all = kb << 10
				}
			}
		}
	}
	return max(least, all/4)
}

// action returns the configured answer to a failure in a phase.
func (e *Errors) action(f Failure) Action {
	if e.Decide != nil {
		return e.Decide(f)
	}
	return [...]Action{e.Decode, e.Process, e.Produce}[f.Phase]
}

// usesDeadLetter reports whether a dead letter may be written.
func (e *Errors) usesDeadLetter() bool {
	return e.Decide != nil || e.Decode == DeadLetter || e.Process == DeadLetter || e.Produce == DeadLetter
}
