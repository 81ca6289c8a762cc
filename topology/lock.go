package topology

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/thalweg/thalweg/state"
)

// lockHeader is the first line of a lock file. A change of what the lines say is a new number.
const lockHeader = "thalweg lock 1"

// Lock is the durable part of a topology, as text one line a thing: its kind, its name, and what must stay as it is.
//
//	thalweg lock 1
//	app orders
//	changelog orders-totals-changelog
//	repartition orders-by-region-repartition string, int64
//	sink big-orders string, Order
//	source orders string, Order
//	store totals timestamped-kv of string to int64
//
// Commit the file. A test compares it ([streamtest.Driver.CheckLock]), Config.Lock refuses to start on a topology that
// would leave state behind, and a program on stream.Main prints the difference with "diff".
type Lock struct{ lines []lockLine }

// lockLine is one durable thing.
type lockLine struct{ kind, name, text string }

func (l lockLine) String() string { return strings.TrimRight(l.kind+" "+l.name+" "+l.text, " ") }

func compareLines(a, b lockLine) int {
	return cmp.Or(cmp.Compare(a.kind, b.kind), cmp.Compare(a.name, b.name))
}

// keeps are the kinds of things that hold state: to lose or to retype one leaves that state behind.
var keeps = map[string]bool{"app": true, "changelog": true, "repartition": true, "store": true}

// Lock returns what is durable in the graph: stores, topics, their types. Commit it, and let a test compare.
func (t *Topology) Lock() Lock {
	var l Lock
	add := func(kind, name, text string) { l.lines = append(l.lines, lockLine{kind, name, text}) }
	add("app", t.g.App, "")
	for _, topic := range t.g.Topics {
		serdes := topic.KeySerde + ", " + topic.ValueSerde
		switch {
		case topic.Internal && topic.Partitions > 0:
			add("repartition", topic.Name, fmt.Sprintf("%s, partitions %d", serdes, topic.Partitions))
		case topic.Internal:
			add("repartition", topic.Name, serdes)
		default:
			if topic.Source != nil {
				add("source", topic.Name, serdes)
			}
			if len(topic.Sinks) > 0 {
				add("sink", topic.Name, serdes)
			}
		}
	}
	for _, s := range t.g.Stores {
		p := state.PlanOf(s.Spec.(state.AnySpec))
		text := fmt.Sprintf("%s of %s to %s", p.Schema.Kind, p.Schema.Key, p.Schema.Value)
		if p.Size > 0 {
			text += fmt.Sprintf(", windows of %d ms", p.Size)
		}
		add("store", s.Name, text)
		switch {
		case s.Changelog != "":
			add("changelog", s.Changelog, "")
		case s.FromTopic != nil:
			add("changelog", s.FromTopic.Name, "")
		}
	}
	slices.SortFunc(l.lines, compareLines)
	l.lines = slices.Compact(l.lines) // two stores on one source topic
	return l
}

// ParseLock reads a lock file. Empty lines and lines that begin with # say nothing.
func ParseLock(text []byte) (Lock, error) {
	var l Lock
	header := false
	n := 0
	for line := range bytes.Lines(text) {
		n++
		s := strings.TrimSpace(string(line))
		if s == "" || s[0] == '#' {
			continue
		}
		if !header {
			if s != lockHeader {
				return Lock{}, fmt.Errorf("topology: lock file: line %d is %q, want %q: it is no lock file, or of a newer version", n, s, lockHeader)
			}
			header = true
			continue
		}
		kind, rest, _ := strings.Cut(s, " ")
		name, what, _ := strings.Cut(rest, " ")
		if name == "" {
			return Lock{}, fmt.Errorf("topology: lock file: line %d: %q has no name", n, s)
		}
		l.lines = append(l.lines, lockLine{kind, name, what})
	}
	if !header {
		return Lock{}, errors.New("topology: lock file: it is empty")
	}
	slices.SortFunc(l.lines, compareLines)
	for i := 1; i < len(l.lines); i++ {
		if a, b := l.lines[i-1], l.lines[i]; compareLines(a, b) == 0 {
			return Lock{}, fmt.Errorf("topology: lock file: %s %s is there twice", b.kind, b.name)
		}
	}
	return l, nil
}

// MarshalText writes the lock file.
func (l Lock) MarshalText() ([]byte, error) {
	b := []byte(lockHeader + "\n")
	for _, line := range l.lines {
		b = append(b, line.String()...)
		b = append(b, '\n')
	}
	return b, nil
}

// Diff returns what changed from l to next, in the order of the lock file.
func (l Lock) Diff(next Lock) []Difference {
	var ds []Difference
	add := func(line lockLine, was, is string) {
		ds = append(ds, Difference{Kind: line.kind, Name: line.name, Was: was, Is: is, Orphans: was != "" && keeps[line.kind]})
	}
	a, b := l.lines, next.lines
	for len(a) > 0 || len(b) > 0 {
		c := 0
		switch {
		case len(a) == 0:
			c = 1
		case len(b) == 0:
			c = -1
		default:
			c = compareLines(a[0], b[0])
		}
		switch {
		case c < 0:
			add(a[0], a[0].said(), "")
			a = a[1:]
		case c > 0:
			add(b[0], "", b[0].said())
			b = b[1:]
		default:
			if a[0] != b[0] {
				add(a[0], a[0].said(), b[0].said())
			}
			a, b = a[1:], b[1:]
		}
	}
	return ds
}

// said is what a line says beside its name; for one that says nothing, that it is there.
func (l lockLine) said() string {
	if l.text == "" {
		return "there"
	}
	return l.text
}

// Difference is one durable thing that changed.
type Difference struct {
	Kind, Name string // "store" "word-counts"
	Was, Is    string // empty: was not there, is no more
	Orphans    bool   // the change leaves state behind
}

// String says it in a line.
func (d Difference) String() string {
	s := fmt.Sprintf("%s %s was %s, is %s", d.Kind, d.Name, d.Was, d.Is)
	switch {
	case d.Was == "":
		s = fmt.Sprintf("%s %s is new", d.Kind, d.Name)
	case d.Is == "":
		s = fmt.Sprintf("%s %s is no more", d.Kind, d.Name)
	}
	if d.Orphans {
		s += ": what it holds is left behind"
	}
	return s
}
