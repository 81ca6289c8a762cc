package edge

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/thalweg/thalweg/serde"
)

// Graph is a finished topology, untyped.
type Graph struct {
	App    string
	Nodes  []*Node // in the order they were added: parents before children
	Stores []*Store
	Topics []*Topic
	Subs   []*Sub
	// Globals are the parts that every instance runs once, over all partitions of their topics. They and their stores are
	// in no other list.
	Globals []*Sub
	Groups  []Group // sources that must have equal partition counts
	Writes  []Written
}

// Written is a serde that a graph writes with.
type Written struct {
	Pos   string // file:line of the user's call
	Serde any
}

// Prepare makes sure that everything the graph writes can be written. It comes before the first record.
func (g *Graph) Prepare(ctx context.Context) error {
	var errs []error
	for _, w := range g.Writes {
		if err := serde.Prepare(ctx, w.Serde); err != nil {
			errs = append(errs, fmt.Errorf("topology: %s: %w", w.Pos, err))
		}
	}
	return errors.Join(errs...)
}

// Kind is what a node is for the task.
type Kind int

const (
	Processor Kind = iota
	Source
	Sink
)

// Need is which typed parts of a record a node reads, or passes through.
type Need struct{ Key, Val bool }

// Serdes are the serdes of an edge's bytes: a serde.Serde[K] behind Key, a serde.Serde[V] behind Val; nil where the
// typed part has no bytes. Where it is not nil, Meta.Key (Meta.Val) holds them for every record of the edge.
type Serdes struct{ Key, Val any }

// Node is a vertex of the graph.
type Node struct {
	ID       int
	Name     string // unique
	Label    string // what the user calls it; "" where not said
	Kind     Kind
	Pos      string       // file:line of the user's call
	Key, Val reflect.Type // what the node emits; for a sink, what it takes
	Parents  []*Node
	Children []*Node
	Stores   []string // names
	Topic    *Topic   // of a source or sink
	Side     string   // tag under which its parent feeds it; "" for an ordinary node
	Sub      *Sub

	// Reads is what the node itself looks at, Keeps what it passes on unchanged: needs of the children for that part
	// become its own. Wants is the outcome: what must be decoded on the edges into it.
	Reads, Keeps, Wants Need
	// Passes says, of a side node, what its parent gives it as it came in itself: needs and bytes are those of the
	// parent's own input.
	Passes Need
	// Touch says that the node looks up the record's own key in its stores: a hint can be given ahead.
	Touch bool
	// TakesNoKey says that the node has a use for records without a key: a repartition above it must not drop them.
	TakesNoKey bool

	// Resolve learns the serdes of the bytes that come in and says those that go out. It runs once, in Build.
	Resolve func(n *Node, in Serdes) (out Serdes, err error)
	In, Out Serdes

	// Open makes the node's receive function for one task: an Emit[K, V], or an Entrance for a source.
	Open func(t Task) (any, error)
}

// Topic is a topic that a graph reads or writes, untyped.
type Topic struct {
	Name        string         // with the app's prefix if internal
	Short       string         // without
	Pattern     *regexp.Regexp // of a source instead of a name: see PatternName
	Internal    bool           // a repartition topic: made by the app
	Partitions  int            // asked for by the user; 0: as it is, or as the sources have
	Settings    map[string]string
	Source      *Node // nil if only written
	Sinks       []*Node
	Reset       Reset
	Table       bool // a table's source: the topic is its changelog
	Bootstrap   bool // read to its end before other topics of the task
	Global      bool // read in full by every instance
	Pos         string
	KeySerde    string
	ValueSerde  string
	Partitioned bool // has a partitioner of the user's own
}

// Millis is a span of time in ms.
type Millis int64

// Reset is a place to begin reading without a committed offset.
type Reset struct {
	Latest, None bool
	Back         time.Duration
}

// Store is a store of the graph.
type Store struct {
	Name      string
	Type      reflect.Type // of Spec
	Spec      any          // a state.AnySpec
	Later     func() any   // gives Spec in Build, where it is nil
	Pos       string
	Nodes     []*Node
	Sub       *Sub
	Changelog string // topic; "" if there is none
	FromTopic *Topic // the changelog is this source topic
	// Rekey writes a key of FromTopic as the store has it; nil where those are the same bytes.
	Rekey  func(dst, key []byte) ([]byte, error)
	Global bool // filled by a part of Globals, read by tasks
}

// Sub is a connected part of the graph: it runs as one task for each partition.
type Sub struct {
	ID      int
	Nodes   []*Node
	Sources []*Node
	Stores  []*Store
}

// Group is a set of topics that a join reads side by side.
type Group struct {
	Topics []*Topic
	Name   string // of the join
	Pos    string
}

// Topic returns the topic of that full name, nil if the graph has none.
func (g *Graph) Topic(name string) *Topic {
	for _, t := range g.Topics {
		if t.Name == name {
			return t
		}
	}
	return nil
}

// PatternName is the Name of the topic that stands for all that match p. No topic of a broker can have it.
func PatternName(p *regexp.Regexp) string { return "/" + p.String() + "/" }

// Called returns the topic of that name which matches t's pattern.
func (t *Topic) Called(name string) *Topic {
	c := *t
	c.Name, c.Short, c.Pattern = name, name, nil
	return &c
}

// Patterned reports whether some source has a pattern.
func (g *Graph) Patterned() bool {
	return slices.ContainsFunc(g.Topics, func(t *Topic) bool { return t.Pattern != nil })
}

// Match returns the topic whose pattern a name matches, nil if there is none. Topics of the app's own, and the brokers', are
// read by nobody else.
func (g *Graph) Match(name string) (found *Topic, err error) {
	if strings.HasPrefix(name, "__") || g.own(name) {
		return nil, nil
	}
	for _, t := range g.Topics {
		if t.Pattern == nil || !t.Pattern.MatchString(name) {
			continue
		}
		if found != nil {
			return nil, fmt.Errorf("edge: topic %q matches two patterns, %q (%s) and %q (%s): a topic is read once", name, found.Pattern, found.Pos, t.Pattern, t.Pos)
		}
		found = t
	}
	return found, nil
}

// Fits reports why a topic that matches t's pattern cannot be read with the others, of which the one with most partitions has
// tasks of them; nil if it can. Where a store keeps rows by key, equal keys have to meet.
func (t *Topic) Fits(name string, count, tasks int32) error {
	switch {
	case count > tasks:
		return fmt.Errorf("edge: topic %q matches the pattern %q (%s) and has %d partitions, there are %d tasks for them: stop every instance, and start again", name, t.Pattern, t.Pos, count, tasks)
	case count < tasks && len(t.Source.Sub.Stores) > 0:
		return fmt.Errorf("edge: topics of the pattern %q (%s) have unequal partition counts, %q has %d and another %d, so that equal keys do not meet: Repartition the stream", t.Pattern, t.Pos, name, count, tasks)
	}
	return nil
}

// own reports whether a topic is the app's own: a repartition topic, a changelog, or where a feed keeps its positions.
func (g *Graph) own(name string) bool {
	rest, ok := strings.CutPrefix(name, g.App+"-")
	return ok && (strings.HasSuffix(rest, "-repartition") || strings.HasSuffix(rest, "-changelog") || rest == "feeds") ||
		slices.ContainsFunc(g.Topics, func(t *Topic) bool { return t.Internal && t.Name == name })
}
