// Package engine is the bundled log engine: a single-node, durable broker that speaks the Kafka protocol, in the same
// process over memory connections or to anyone over TCP.
//
// An [Engine] is opened on a directory, which it holds alone. [Engine.Dial] serves the clients of this process,
// [Engine.Serve] those of a listener. It stores through internal/engine/log, and this package only puts its parts
// together: meta knows the topics, coord coordinates groups and transactions, wire speaks the protocol.
package engine

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/thalweg/thalweg/internal/engine/auth"
	"github.com/thalweg/thalweg/internal/engine/coord"
	"github.com/thalweg/thalweg/internal/engine/log"
	"github.com/thalweg/thalweg/internal/engine/meta"
	"github.com/thalweg/thalweg/internal/engine/wire"
)

// memoryAddr is the pseudo address of the memory listener.
const memoryAddr = "thalweg.memory:9092"

// ErrClosed is returned by Dial and Serve after Close.
var ErrClosed = errors.New("engine: closed")

// Engine is an open engine. Its methods may be called concurrently.
type Engine struct {
	cfg     Config
	dir     *log.Dir
	meta    *meta.Store
	groups  *coord.Groups
	txns    *coord.Txns
	server  *wire.Server
	memory  *wire.MemListener
	serve   sync.WaitGroup // the memory listener's loop
	control *control       // nil: not served

	backupMu sync.RWMutex    // held for reading by who makes a backup
	ending   context.Context // over once Close has begun
	end      func()

	wake    atomic.Pointer[wire.Server] // for log callbacks, which come before server is there, too
	offline atomic.Pointer[error]       // the first error of the storage

	closing sync.Once
	closed  atomic.Bool
	err     error
}

// Open recovers the engine in dir and returns it, ready to serve. The directory is held until Close; one that is held
// already is refused with an error that wraps [log.ErrLocked].
func Open(fs vfs.FS, dir string, cfg Config) (*Engine, error) {
	e, err := openOn(fs, dir, cfg)
	if err == nil {
		e.startControl(fs, dir)
	}
	return e, err
}

// openOn is Open without the requests of other processes.
func openOn(fs vfs.FS, dir string, cfg Config) (*Engine, error) {
	if err := cfg.fill(); err != nil {
		return nil, err
	}
	e := &Engine{cfg: cfg}
	e.ending, e.end = context.WithCancel(context.Background())
	lc := cfg.Log
	lc.Clock = cfg.Clock
	lc.OnAdvance = func(p *log.Partition) {
		if s := e.wake.Load(); s != nil {
			s.Advanced(p)
		}
	}
	lc.OnError = e.failed
	lc.Logf = func(format string, args ...any) { cfg.Logger.Warn(fmt.Sprintf(format, args...)) }
	d, err := log.Open(fs, dir, lc)
	if err != nil {
		return nil, fmt.Errorf("engine: %w", err)
	}
	e.dir = d
	if err := e.assemble(); err != nil {
		return nil, errors.Join(fmt.Errorf("engine: %w", err), d.Close())
	}
	e.serve.Go(func() {
		if err := e.server.Serve(e.memory, wire.Security{Super: true}); err != nil {
			cfg.Logger.Error("memory listener ended", "err", err)
		}
	})
	return e, nil
}

// assemble puts the parts on top of the open directory.
func (e *Engine) assemble() error {
	var err error
	if e.meta, err = meta.Open(e.dir, e.cfg.Clock, e.cfg.ClusterID, newTopicID); err != nil {
		return err
	}
	logf := func(format string, args ...any) { e.cfg.Logger.Info(fmt.Sprintf(format, args...)) }
	offsets, err := e.internal(meta.OffsetsTopic)
	if err != nil {
		return err
	}
	transactions, err := e.internal(meta.TransactionsTopic)
	if err != nil {
		return err
	}
	e.groups, err = coord.OpenGroups(coord.GroupConfig{
		Clock: e.cfg.Clock, InitialDelay: e.cfg.InitialRebalanceDelay, Logf: logf,
		MinSession: e.cfg.MinSessionTimeout, MaxSession: e.cfg.MaxSessionTimeout, OffsetRetention: offsetRetention,
		ConsumerSession: e.cfg.ConsumerSession, ConsumerBeat: e.cfg.ConsumerHeartbeat, Topic: e.topicInfo, TopicNames: e.topicNames,
	}, e.dir, offsets)
	if err != nil {
		return err
	}
	e.txns, err = coord.OpenTxns(coord.TxnConfig{
		Clock: e.cfg.Clock, Logf: logf, MaxTimeout: maxTxnTimeout, IDExpiration: txnIDExpiration,
		Partition: func(tp coord.TopicPartition) *log.Partition {
			return e.meta.Partition(e.meta.Topic(tp.Topic), tp.Partition)
		},
		NextProducerID: e.meta.NextProducerID, OffsetsTopic: meta.OffsetsTopic,
	}, e.dir, e.groups, transactions)
	if err != nil {
		e.groups.Close()
		return err
	}
	e.server = wire.NewServer(wire.Config{
		Clock: e.cfg.Clock, Logger: e.cfg.Logger, AutoCreate: e.cfg.AutoCreate, DefaultPartitions: e.cfg.DefaultPartitions,
		TransactionVersion: int16(e.cfg.TransactionVersion), MaxFrame: e.cfg.MaxFrame, ClampReplication: e.cfg.ClampReplication, Legacy: e.cfg.Legacy,
		ACLs: e.cfg.ACLs, SuperUsers: principals(e.cfg.SuperUsers),
		MaxConnections: e.cfg.MaxConnections, MaxInFlight: e.cfg.MaxInFlight, MaxPipelined: e.cfg.MaxPipelined,
	}, e.dir, e.meta, e.groups, e.txns)
	e.memory = wire.NewMemListener(memoryAddr)
	e.wake.Store(e.server)
	return nil
}

// topicInfo is a topic as the coordinator of groups assigns it.
func (e *Engine) topicInfo(name string) (coord.TopicInfo, bool) {
	t := e.meta.Topic(name)
	if t == nil {
		return coord.TopicInfo{}, false
	}
	return coord.TopicInfo{ID: t.ID, Partitions: t.Partitions}, true
}

// topicNames are the topics that patterns of consumers can match.
func (e *Engine) topicNames() (names []string) {
	for _, t := range e.meta.Topics() {
		if !t.Internal() {
			names = append(names, t.Name)
		}
	}
	return names
}

// principals returns those of users.
func principals(users []string) []string {
	var all []string
	for _, u := range users {
		all = append(all, auth.Principal(u))
	}
	return all
}

// internal returns the partitions of a coordinator's topic, which it makes at the first start.
func (e *Engine) internal(name string) ([]*log.Partition, error) {
	t := e.meta.Topic(name)
	if t == nil {
		var err error
		t, err = e.meta.Create(meta.Spec{Name: name, Partitions: 1, Replicas: 1, Configs: map[string]string{
			"cleanup.policy": "compact", "compression.type": "producer", "segment.bytes": "104857600",
		}})
		if err != nil {
			return nil, err
		}
	}
	var parts []*log.Partition
	for i := range t.Partitions {
		parts = append(parts, e.meta.Partition(t, i))
	}
	return parts, nil
}

// newTopicID returns a random id (a version 4 UUID).
func newTopicID() (id [16]byte) {
	rand.Read(id[:])
	id[6], id[8] = id[6]&0x0f|0x40, id[8]&0x3f|0x80
	return id
}

// failed is called when a partition went offline.
func (e *Engine) failed(id log.ID, err error) {
	err = fmt.Errorf("engine: partition %d of topic %x is offline: %w", id.Partition, id.Topic, err)
	e.offline.CompareAndSwap(nil, &err)
	e.cfg.Logger.Error("storage error", "err", err)
}

// Serve answers the clients of l until Close and then returns nil. It may be called for several listeners; the clients
// of each are told its address. It closes l. Clients are not asked who they are.
func (e *Engine) Serve(l net.Listener) error { return e.ServeSecurely(l, Security{}) }

// Security is what a listener asks of its clients.
type Security = wire.Security

// ServeSecurely is Serve for clients that have to do what sec asks.
func (e *Engine) ServeSecurely(l net.Listener, sec Security) error {
	if e.closed.Load() {
		l.Close()
		return ErrClosed
	}
	if err := e.dir.SetLockInfo(l.Addr().String()); err != nil {
		l.Close()
		return fmt.Errorf("engine: %w", err)
	}
	return e.server.Serve(l, sec)
}

// Addr returns the pseudo address of the clients in this process, to be dialled with Dial.
func (e *Engine) Addr() string { return memoryAddr }

// Dial connects a client of this process; network and addr are not looked at beyond the address being Addr's. It has
// the form of the dialers of Kafka clients.
func (e *Engine) Dial(ctx context.Context, _, addr string) (net.Conn, error) {
	if addr != memoryAddr {
		return nil, fmt.Errorf("engine: dial %s: the engine in this process is at %s", addr, memoryAddr)
	}
	if e.closed.Load() {
		return nil, ErrClosed
	}
	return e.memory.Dial(ctx)
}

// Health returns nil, or the error that took the directory, else the first that took a partition, offline.
func (e *Engine) Health() error {
	if err := e.dir.Err(); err != nil {
		return fmt.Errorf("engine: %w", err)
	}
	if err := e.offline.Load(); err != nil {
		return *err
	}
	return nil
}

// Stats are numbers about an engine at some moment.
type Stats struct {
	Topics       int
	Partitions   int
	Bytes        int64 // of all partitions, on disk
	Connections  int
	Groups       int
	Transactions int // transactional ids known
	Users        int // who may log in
	ACLs         int
	LeaderEpoch  int32
}

// Stats returns the numbers now.
func (e *Engine) Stats() Stats {
	s := Stats{Connections: e.server.Connections(), Groups: e.groups.Count(), Transactions: e.txns.Count(), Users: len(e.meta.Users()), ACLs: e.meta.ACLs().Len(), LeaderEpoch: e.dir.LeaderEpoch()}
	for _, t := range e.meta.Topics() {
		s.Topics++
		for i := range t.Partitions {
			if p := e.meta.Partition(t, i); p != nil {
				s.Partitions++
				s.Bytes += p.Size()
			}
		}
	}
	return s
}

// Close ends the engine in order: no new connections; waiting requests are answered with what there is; what was
// written becomes durable; the directory is marked clean and let go. If ctx ends first, connections are cut. Calls
// after the first wait for it and return the same.
func (e *Engine) Close(ctx context.Context) error {
	e.closing.Do(func() {
		e.closed.Store(true)
		e.end()
		e.control.stop()
		e.backupMu.Lock() // those that are made have ended, and closed keeps others from beginning
		defer e.backupMu.Unlock()
		err := e.server.Close(ctx)
		e.serve.Wait()
		e.txns.Close()
		e.groups.Close()
		e.err = errors.Join(err, e.dir.Close())
	})
	return e.err
}

// Times and sizes that Kafka lets be configured and this engine does not yet need to.
const (
	offsetRetention = 7 * 24 * time.Hour
	maxTxnTimeout   = 15 * time.Minute
	txnIDExpiration = 7 * 24 * time.Hour
)

// discard is the logger of a Config without one.
var discard = slog.New(slog.DiscardHandler)
