package task

import "github.com/thalweg/thalweg/internal/edge"

// OpenCopy opens the stores of a task alone: a copy that follows changelogs, by Replay and Restored, and runs nothing of the
// user's but serdes, Topic.Timestamp and stores of their own. It can be promoted to the task. Env needs no Out and no Wake.
func OpenCopy(env Env) (*Task, error) {
	decide := env.Decide
	env.Decide = func(f Failure) Action {
		if a := decide(f); a != DeadLetter {
			return a
		}
		return Skip // the task at work has put it aside
	}
	t := newTask(env)
	t.copy = true
	err := t.openStores()
	if err == nil {
		err = t.openSources()
	}
	return t.orClosed(err)
}

// openSources opens the sources that stores are restored from: their records get their times there.
func (t *Task) openSources() error {
	for _, n := range t.env.Sub.Sources {
		for _, topic := range t.env.Reads(n) {
			for _, o := range t.stores {
				if o.decl.FromTopic != topic {
					continue
				}
				f, err := t.Receive(n)
				if err != nil {
					return err
				}
				t.inputs = append(t.inputs, newInput(topic, t.env.Partition, f.(edge.Entrance), nil))
				break
			}
		}
	}
	return nil
}

// Promote opens the nodes of a copy, which keeps its rows: it goes on as the task, to be restored from where it stands. After
// an error it is closed.
func (t *Task) Promote(env Env) error {
	t.copy, t.env, t.inputs = false, env, nil
	clear(t.recv)
	_, err := t.orClosed(t.openNodes())
	return err
}

// Copy implements edge.Task.
func (t *Task) Copy() bool { return t.copy }

// Logged returns how far the changelogs of all stores have been applied, added up.
func (t *Task) Logged() (n int64) {
	for _, o := range t.stores {
		if o.decl.FromTopic != nil || o.decl.Changelog != "" {
			n += o.now.Offset
		}
	}
	return n
}
