package task

import "github.com/thalweg/thalweg/internal/edge"

// turns are what nodes do between records.
type turns struct {
	fs      []func() (worked bool, err error)
	holds   int
	calls   int
	resumed *edge.Meta // the record that goes on; nil: none
}

// OnTurn implements edge.Task.
func (t *Task) OnTurn(f func() (worked bool, err error)) { t.turns.fs = append(t.turns.fs, f) }

// Wake implements edge.Task.
func (t *Task) Wake() { t.env.Wake() }

// Hold implements edge.Task.
func (t *Task) Hold(by int) {
	if t.turns.holds += by; t.turns.holds < 0 {
		panic("task: more holds released than taken")
	}
}

// Calls implements edge.Task.
func (t *Task) Calls(by int) { t.turns.calls += by }

// Calling returns how many calls of nodes are under way. The end of each wakes the task.
func (t *Task) Calling() int { return t.turns.calls }

// Turn lets nodes do what they do between records. It reports whether any has done something.
func (t *Task) Turn() (worked bool, err error) {
	for _, f := range t.turns.fs {
		did, err := f()
		worked = worked || did
		if err != nil {
			return worked, err
		}
	}
	return worked, nil
}

// Resume implements edge.Task.
func (t *Task) Resume(n *edge.Node, r edge.Meta, f func(m *edge.Meta) error) error {
	saved, current := t.meta, t.current
	t.meta, t.current, t.turns.resumed = r, nil, &r
	t.dirty = true
	err := protect(func() error { return f(&t.meta) })
	if err != nil {
		err = t.failed(n.Name, edge.Process, err)
	}
	t.meta, t.current, t.turns.resumed = saved, current, nil
	return err
}
