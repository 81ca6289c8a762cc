package task

import (
	"fmt"
	"runtime/debug"

	"github.com/thalweg/thalweg/internal/edge"
)

// Process processes at most limit records, as long as it is known which is next: an input that is empty though it is known
// to have more, or of which nothing is known yet, is waited for. It returns how many records it took.
func (t *Task) Process(limit int) (n int, err error) {
	if t.flushed {
		return 0, fmt.Errorf("task %s: Process between Flush and the end of the transaction", t.id)
	}
	if t.listens {
		t.clock = t.Now()
	}
	for n < limit {
		var panicked any
		took, err := t.run(limit-n, &panicked)
		n += took
		t.processed += int64(took)
		if panicked != nil {
			err = t.panicked(panicked)
		}
		if err != nil {
			return n, err
		}
		if panicked == nil {
			break
		}
	}
	return n, nil
}

// panicError is a panic of the user's code, with its stack.
type panicError struct {
	value any
	stack []byte
}

func (e *panicError) Error() string { return fmt.Sprintf("panic: %v\n%s", e.value, e.stack) }

func (e *panicError) Unwrap() error { err, _ := e.value.(error); return err }

// protect turns a panic of f into an error.
func protect(f func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = &panicError{p, debug.Stack()}
		}
	}()
	return f()
}

// panicked hands a panic to the policy. If that goes on, the record at hand counts as taken.
func (t *Task) panicked(p any) error {
	in := t.current
	if err := t.failed("", edge.Process, p.(error)); err != nil || in == nil {
		return err
	}
	if in.i < in.n {
		in.take()
	}
	return nil
}

// run processes records until the limit, until there is no next one, or until user code panics.
func (t *Task) run(limit int, panicked *any) (n int, err error) {
	defer func() {
		if p := recover(); p != nil {
			*panicked = &panicError{p, debug.Stack()}
		}
	}()
	for n < limit && t.turns.holds == 0 {
		in, err := t.choose()
		if err != nil || in == nil {
			return n, err
		}
		n++
		if err := t.take(in); err != nil {
			return n, err
		}
	}
	return n, nil
}

// choose returns the input whose head has the smallest time, nil if there is none or one has to be waited for. Equal times
// go by the order of the sources.
func (t *Task) choose() (*input, error) {
	inputs := t.inputs
	if t.boot != nil {
		var err error
		if inputs, err = t.behind(); err != nil {
			return nil, err
		}
	}
	var best *input
	wait := false
	for _, in := range inputs {
		ok := in.hasHead
		if !ok {
			var err error
			if ok, err = t.head(in); err != nil {
				return nil, err
			}
		}
		if !ok {
			wait = len(t.inputs) > 1 && t.awaits(in) || wait
			continue
		}
		if best == nil || in.headTime < best.headTime {
			best = in
		}
	}
	if wait {
		return nil, nil
	}
	return best, nil
}

// awaits reports whether others have to wait for an empty input: it is known to have more, or nothing is known of it, or it
// has not been empty for so long as it is to be waited for.
func (t *Task) awaits(in *input) bool {
	if in.end < 0 || in.fetched < in.end {
		return true
	}
	if t.env.MaxIdle == 0 {
		return false
	}
	now := t.env.Now()
	if in.emptySince.IsZero() {
		in.emptySince = now
	}
	return now.Sub(in.emptySince) < t.env.MaxIdle
}

// behind returns the inputs that are to be read to their ends before others and have not been; all inputs, if there are no
// such.
func (t *Task) behind() ([]*input, error) {
	t.left = t.left[:0]
	for _, in := range t.boot {
		if !in.hasHead {
			if _, err := t.head(in); err != nil {
				return nil, err
			}
		}
		if in.first < 0 {
			in.first = in.end
		}
		if in.first < 0 || in.at0() < in.first {
			t.left = append(t.left, in)
		}
	}
	if len(t.left) > 0 {
		return t.left, nil
	}
	return t.inputs, nil
}

// take processes the head of in.
func (t *Task) take(in *input) error {
	if t.loaded != in {
		t.load(in, &in.group[in.i], in.i)
	}
	t.loaded = nil // from here on its nodes change meta
	t.meta.Time = in.headTime
	in.time = max(in.time, in.headTime)
	t.streamTime = max(t.streamTime, in.headTime)
	t.dirty = true
	if err := in.entrance.Push(&t.meta); err != nil {
		return err
	}
	in.take()
	for _, o := range t.failing {
		if err := o.failed(); err != nil {
			return fmt.Errorf("task %s: store %q: %w", t.id, o.decl.Name, err)
		}
	}
	if t.streamTime >= t.timers.nextStream {
		return t.punctuate(t.timers.stream, t.timers.streamAlarms, t.streamTime)
	}
	return nil
}

// take moves in past its head.
func (in *input) take() {
	in.position = in.group[in.i].Offset + 1
	in.i++
	in.hasHead = false
}

// Idle reports whether nothing is queued.
func (t *Task) Idle() bool {
	for _, in := range t.inputs {
		if in.hasHead || in.i < in.n || in.reading || len(in.queue) > 0 {
			return false
		}
	}
	return true
}

// Dry reports whether every input is known to be read to its end and nothing is queued.
func (t *Task) Dry() bool {
	for _, in := range t.inputs {
		if in.end < 0 || in.fetched < in.end {
			return false
		}
	}
	return t.Idle()
}

// Taken returns where the record was read that Process took last, right after a Process that took one.
func (t *Task) Taken() (topic string, partition int32, offset int64) {
	in := t.current
	return in.topic.Name, in.partition, in.position - 1
}

// Processed returns how many records the task has taken since it was opened.
func (t *Task) Processed() int64 { return t.processed }

// Failed implements edge.Task.
func (t *Task) Failed(n *edge.Node, phase edge.Phase, err error) error {
	return t.failed(n.Name, phase, err)
}

// failed asks the policy. Stop returns an error that names record and node; else the record was skipped or put aside.
func (t *Task) failed(node string, phase edge.Phase, err error) error {
	if edge.Decided(err) {
		return err
	}
	f := Failure{Phase: phase, Err: err, Node: node, Task: t.id, Time: t.meta.Time}
	if r := t.turns.resumed; r != nil {
		f.Topic, f.Partition, f.Offset, f.Key, f.Value, f.Time = r.Topic, r.Partition, r.Offset, r.Key.Bytes, r.Val, r.Time
		f.Headers, _ = r.List()
	} else if in := t.current; in != nil {
		rec := &in.group[in.i]
		f.Topic, f.Partition, f.Offset = in.topic.Name, in.partition, rec.Offset
		f.Key, f.Value, f.Time = rec.Key, rec.Value, rec.Timestamp
		m := edge.Meta{RawHeaders: rec.Headers}
		f.Headers, _ = m.List() // malformed headers are the failure itself, or nobody's
	}
	switch t.env.Decide(f) {
	case Skip:
		*t.counter(node, "failed-"+phase.String(), true)++
		return nil
	case DeadLetter:
		*t.counter(node, "dead-letter", true)++
		return t.deadLetter(f)
	}
	where := "in a punctuation"
	if f.Topic != "" {
		where = fmt.Sprintf("at %s-%d@%d", f.Topic, f.Partition, f.Offset)
	}
	if node != "" {
		where += " in " + node
	}
	return edge.Decide(fmt.Errorf("task %s: %s failed %s: %w (nothing after the last commit is lost: mend the record or the program and start again, "+
		"or set Config.Errors.%s to Skip or DeadLetter)", t.id, phase, where, err, configField[phase]))
}

var configField = [...]string{edge.Decode: "Decode", edge.Process: "Process", edge.Produce: "Produce"}
