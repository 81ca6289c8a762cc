package task

import (
	"fmt"

	"github.com/thalweg/thalweg/internal/edge"
	"github.com/thalweg/thalweg/internal/store"
)

// Dirty reports whether there is something to commit: records taken, punctuations, positions moved.
func (t *Task) Dirty() bool { return t.dirty }

// Asked reports whether user code has asked for a commit.
func (t *Task) Asked() bool { return t.asked }

// DirtyBytes returns the memory that the open transaction holds in stores.
func (t *Task) DirtyBytes() (n int64) {
	for _, o := range t.stores {
		_, b := o.store.Dirty()
		n += b
	}
	return n
}

// Flush writes the changed rows of every store to its changelog. to gives the changelog's way in, for the task's own
// partition. Until Ended or Abort the task takes no record.
func (t *Task) Flush(to func(changelog string) (edge.Out, error)) error {
	for _, h := range t.onFlush {
		if err := h.f(); err != nil {
			return err
		}
	}
	t.flushed = true
	for _, o := range t.stores {
		var w store.Changelog = nowhere{}
		if o.decl.Changelog != "" {
			out, err := to(o.decl.Changelog)
			if err != nil {
				return fmt.Errorf("task %s: store %q: %w", t.id, o.decl.Name, err)
			}
			w = changelog{out, t.env.Partition}
		}
		if err := o.store.Flush(o.noted(w)); err != nil {
			return fmt.Errorf("task %s: store %q: %w", t.id, o.decl.Name, err)
		}
	}
	return nil
}

// changelog is a store's partition of its changelog topic.
type changelog struct {
	out       edge.Out
	partition int32
}

func (c changelog) Append(time int64, key, value []byte) error {
	return c.out.Append(c.partition, max(time, 0), key, value, nil)
}

// nowhere is the changelog of stores that have none: tables restored from their topic, stores without a log.
type nowhere struct{}

func (nowhere) Append(int64, []byte, []byte) error { return nil }

// Offset is a position to commit.
type Offset struct {
	Topic     string
	Partition int32
	Offset    int64
	Metadata  string // see Seek
}

// Offsets returns the positions of all inputs that have moved since the last commit; one at least, if what nodes keep has
// changed.
func (t *Task) Offsets() (os []Offset) {
	for _, in := range t.inputs {
		if at := in.at0(); at != in.committed || in.time != in.timeThen {
			os = append(os, Offset{in.topic.Name, in.partition, at, t.kept.metadata(in.time)})
		}
	}
	if len(os) == 0 && len(t.inputs) > 0 && t.kept.dirty() {
		in := t.inputs[0]
		os = append(os, Offset{in.topic.Name, in.partition, in.at0(), t.kept.metadata(in.time)})
	}
	return os
}

// Ended says that the transaction of the last Flush is committed. written gives, for a changelog, the position behind what
// was written to it, and its topic's id.
func (t *Task) Ended(written func(changelog string) (next int64, id [16]byte, ok bool)) {
	now := t.Now()
	for _, in := range t.inputs {
		in.committed, in.timeThen = in.at0(), in.time
	}
	for _, o := range t.stores {
		p := &o.now
		p.At = now
		switch {
		case o.decl.FromTopic != nil:
			for _, in := range t.inputs {
				if in.topic == o.decl.FromTopic {
					p.Offset = in.committed
				}
			}
		case o.decl.Changelog != "":
			if next, id, ok := written(o.decl.Changelog); ok {
				p.Offset, p.TopicID = next, id
			}
		}
		o.store.Ended(*p)
		o.tell(true)
	}
	t.committed = t.streamTime
	t.end(true)
}

// Abort takes back everything since the last commit and returns where each input has to be read again.
func (t *Task) Abort() {
	for _, o := range t.stores {
		o.store.Abort()
		o.tell(false)
	}
	for _, in := range t.inputs {
		in.clear(in.committed)
		in.time = in.timeThen
	}
	t.streamTime = t.committed
	t.end(false)
}

func (t *Task) end(committed bool) {
	t.timers.end(committed)
	t.kept.end(committed)
	for _, f := range t.onEnd {
		f(committed)
	}
	t.dirty, t.asked, t.flushed = false, false, false
}
