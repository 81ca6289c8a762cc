package topology

import (
	"errors"
	"fmt"
	"path/filepath"
	"reflect"
	"regexp"
	"runtime"
	"slices"
	"strings"

	"github.com/thalweg/thalweg/internal/edge"
	"github.com/thalweg/thalweg/serde"
	"github.com/thalweg/thalweg/state"
)

// Builder collects a graph. Mistakes do not stop it: Build reports them all, each with the caller's file and line.
// It is for one goroutine.
type Builder struct {
	app    string
	nodes  []*edge.Node
	topics []*edge.Topic
	stores []*edge.Store
	groups []edge.Group
	used   map[reflect.Type]any      // serdes given to Use
	byKey  map[*edge.Node]*edge.Node // the sources of the topics by which operators have repartitioned a node
	writes []edge.Written
	// waiting are the nodes that have no parent yet, with what is wrong if they never get one.
	waiting map[*edge.Node]string
	errs    []error
	next    int // index of the next generated name
	emit    edge.Millis
	built   bool
}

// New starts a topology; app is its durable name, the prefix of its topics and its group.
func New(app string) *Builder {
	b := &Builder{app: app, used: map[reflect.Type]any{}, waiting: map[*edge.Node]string{}, byKey: map[*edge.Node]*edge.Node{}}
	if err := checkName(app); err != nil {
		b.Fail(0, "app name: %v", err)
	}
	return b
}

// Define is New, define and Build: a topology is a function of a Builder.
func Define(app string, define func(*Builder)) (*Topology, error) {
	b := New(app)
	define(b)
	return b.Build()
}

// App returns the app's durable name.
func (b *Builder) App() string { return b.app }

// Use makes s the serde of T wherever the topology itself needs one: changelogs and repartition topics.
func (b *Builder) Use[T any](s serde.Serde[T]) {
	if s == nil {
		b.Fail(0, "Use of a nil serde for %s: leave it out for the default", reflect.TypeFor[T]())
		return
	}
	if err := serde.Fault(s); err != nil {
		b.Fail(0, "Use of a serde for %s: %v", reflect.TypeFor[T](), err)
	}
	b.used[reflect.TypeFor[T]()] = s
}

// EmitEvery lets what has closed (final windows, records that found no partner) leave at most once in so much time of
// the clock, as Kafka Streams has it; the default is at once. Its type is internal: it is for replaying recordings.
func (b *Builder) EmitEvery(d edge.Millis) { b.emit = d }

// EmitInterval returns what EmitEvery was given. Its type is internal.
func (b *Builder) EmitInterval() edge.Millis { return b.emit }

// Fail records a mistake of the caller skip frames up from the one outside this library; Build returns it.
func (b *Builder) Fail(skip int, format string, args ...any) {
	b.failAt(position(skip), format, args...)
}

// failAt is Fail for a mistake found later, of the call at pos. Every mistake is one line.
func (b *Builder) failAt(pos, format string, args ...any) {
	text := strings.ReplaceAll(fmt.Sprintf(format, args...), "\n", "; ")
	b.errs = append(b.errs, fmt.Errorf("topology: %s: %s", pos, text))
}

// Build checks the graph and freezes it.
func (b *Builder) Build() (*Topology, error) {
	if b.built {
		b.Fail(0, "Build of a topology that is already built: a Builder makes one, use topology.New again")
	}
	b.built = true
	b.checkPatterns()
	b.sort()
	b.resolve()
	if len(b.nodes) == 0 && len(b.errs) == 0 {
		b.Fail(0, "the topology is empty: read a topic with stream.From or table.From")
	}
	if len(b.errs) > 0 {
		return nil, errors.Join(b.errs...)
	}
	return &Topology{b.graph()}, nil
}

// checkPatterns reports topics that are read twice, by name and by pattern.
func (b *Builder) checkPatterns() {
	for _, p := range b.topics {
		for _, t := range b.topics {
			if p.Pattern != nil && t.Source != nil && !t.Internal && t.Pattern == nil && p.Pattern.MatchString(t.Name) {
				b.failAt(p.Pos, "topic %q is read already (%s), and matches the pattern %q: read it once", t.Name, t.Pos, p.Pattern)
			}
		}
	}
}

// SerdeFor returns the serde of T's bytes: the one they already have, else the one given to Use, else the default.
// It is for operators, in Resolve: have comes from there.
func SerdeFor[T any](b *Builder, have any) (serde.Serde[T], error) {
	if s, ok := have.(serde.Serde[T]); ok {
		return s, nil
	}
	return serde.ForUsing[T](func(t reflect.Type) any { return b.used[t] })
}

// StoreSerde is SerdeFor for the keys or values of a store, in the place of its changelog.
func StoreSerde[T any](b *Builder, store string, key bool, have any) (serde.Serde[T], error) {
	s, err := SerdeFor[T](b, have)
	if err != nil {
		return nil, err
	}
	return serde.At(s, serde.Place{Topic: b.ChangelogOf(store), Key: key, Changelog: true}), nil
}

// ChangelogOf returns the name of the topic behind a store.
func (b *Builder) ChangelogOf(store string) string { return b.app + "-" + store + "-changelog" }

// ready checks the serdes of a topic and returns it with them in their places. ok is false if one cannot be used; the
// fault is recorded.
func ready[K, V any](b *Builder, t Topic[K, V]) (_ Topic[K, V], ok bool) {
	if t.Key == nil || t.Value == nil {
		b.Fail(0, "topic %q: Key and Value need a serde each, use NewTopic or give them", t.Name)
		return t, false
	}
	ok = true
	for i, s := range []any{t.Key, t.Value} {
		if err := serde.Fault(s); err != nil {
			b.Fail(0, "topic %q: %s: %v", t.Name, [...]string{"key", "value"}[i], err)
			ok = false
		}
	}
	return t.InPlace(), ok
}

// wrote notes serdes that the graph writes with.
func (b *Builder) wrote(pos string, serdes ...any) {
	for _, s := range serdes {
		b.writes = append(b.writes, edge.Written{Pos: pos, Serde: s})
	}
}

// ownPackages are the packages whose frames are not the user's.
var ownPackages = regexp.MustCompile(`^github\.com/thalweg/thalweg/(stream|table|topology|state|window|serde|internal/edge)\.`)

// position returns file:line of the call into this library, skip frames up.
func position(skip int) string {
	var pcs [32]uintptr
	frames := runtime.CallersFrames(pcs[:runtime.Callers(2, pcs[:])])
	for {
		f, more := frames.Next()
		own := ownPackages.MatchString(f.Function) && !strings.HasSuffix(f.File, "_test.go")
		if !own {
			if skip == 0 || !more {
				return fmt.Sprintf("%s:%d", filepath.Base(f.File), f.Line)
			}
			skip--
		}
		if !more {
			return "unknown"
		}
	}
}

var legalName = regexp.MustCompile(`^[A-Za-z0-9._-]+$`)

// checkName says what is wrong with a name that is to be part of a topic's, nil if nothing.
func checkName(name string) error {
	switch {
	case name == "":
		return errors.New("it is empty, give one")
	case name == "." || name == "..":
		return fmt.Errorf("%q is not allowed, choose another", name)
	case len(name) > 200:
		return fmt.Errorf("%q is longer than 200 bytes, choose a shorter one", name)
	case !legalName.MatchString(name):
		return fmt.Errorf("%q: only letters, digits, '.', '_' and '-' are allowed, choose another", name)
	}
	return nil
}

// generate returns the next generated name of a kind, as Kafka Streams forms it. An index is used up by every node,
// labelled or not, so that naming one never renumbers another.
func (b *Builder) generate(kind, label string) string {
	name := fmt.Sprintf("%s-%010d", kind, b.next)
	b.next++
	if label != "" {
		return label
	}
	return name
}

// add appends a node below its parents.
func (b *Builder) add(op edge.Op, kind edge.Kind, key, val reflect.Type, parents ...*edge.Node) *edge.Node {
	n := &edge.Node{
		ID: len(b.nodes), Name: b.generate(op.Kind, op.Label), Label: op.Label, Kind: kind, Pos: position(0),
		Key: key, Val: val, Reads: op.Reads, Keeps: op.Keeps, Passes: op.Passes, Touch: op.Touch, TakesNoKey: op.TakesNoKey, Resolve: op.Resolve,
	}
	for _, o := range b.nodes {
		if o.Name == n.Name {
			b.Fail(0, "a node named %q exists already (%s): choose another name", n.Name, o.Pos)
		}
	}
	for _, p := range parents {
		if p == nil {
			continue // its own mistake is recorded
		}
		n.Parents = append(n.Parents, p)
		p.Children = append(p.Children, n)
	}
	for _, s := range op.Stores {
		b.connect(n, s)
	}
	b.nodes = append(b.nodes, n)
	return n
}

// connect gives n a store, declared at its first use: a state.AnySpec or an edge.Pending.
func (b *Builder) connect(n *edge.Node, given any) {
	s := &edge.Store{Pos: position(0)}
	switch x := given.(type) {
	case edge.Pending:
		s.Name, s.Type, s.Later = x.Name, x.Type, x.Spec
	case state.AnySpec:
		s.Name, s.Type, s.Spec = x.Name(), reflect.TypeOf(x), x
	default:
		b.Fail(0, "%s is given a nil store: declare it with state.NewKeyValue or another", n.Name)
		return
	}
	if err := checkName(s.Name); err != nil {
		b.Fail(0, "store name: %v", err)
		return
	}
	for _, o := range b.stores {
		if o.Name != s.Name {
			continue
		}
		if o.Type != s.Type {
			b.Fail(0, "another store is named %q already (%s): names of stores are durable and unique, choose another", s.Name, o.Pos)
			return
		}
		s = o
	}
	if len(s.Nodes) == 0 {
		b.stores = append(b.stores, s)
	}
	if !slices.Contains(s.Nodes, n) {
		s.Nodes = append(s.Nodes, n)
		n.Stores = append(n.Stores, s.Name)
	}
}

// Own declares a store that belongs to one operator alone: its name must be free. Its types are internal.
func (b *Builder) Own(what, name string) bool {
	if err := checkName(name); err != nil {
		b.Fail(0, "%s: name: %v", what, err)
		return false
	}
	for _, o := range b.stores {
		if o.Name == name {
			b.Fail(0, "%s: a store named %q exists already (%s): names of stores are durable and unique, choose another", what, name, o.Pos)
			return false
		}
	}
	return true
}

// Connect gives the node of o a store after the fact: a table that turns out to need its rows, a join that reads them.
// Its types are internal.
func (o Output[K, V]) Connect(stores ...any) {
	if !o.ok() {
		return
	}
	for _, s := range stores {
		o.b.connect(o.n, s)
	}
}

// Together declares that the sources above the outputs must have equal partition counts. Its types are internal.
func (b *Builder) Together(name string, nodes ...*edge.Node) {
	g := edge.Group{Name: name, Pos: position(0)}
	for _, n := range nodes {
		g.Topics = append(g.Topics, topicsAbove(n, map[*edge.Node]bool{})...)
	}
	b.groups = append(b.groups, g)
}

func topicsAbove(n *edge.Node, seen map[*edge.Node]bool) (ts []*edge.Topic) {
	if n == nil || seen[n] {
		return nil
	}
	seen[n] = true
	if n.Kind == edge.Source {
		return []*edge.Topic{n.Topic}
	}
	for _, p := range n.Parents {
		ts = append(ts, topicsAbove(p, seen)...)
	}
	return ts
}
