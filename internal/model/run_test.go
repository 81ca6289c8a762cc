package model

import (
	"fmt"
	"runtime"
	"runtime/debug"
	"strings"
	"testing"

	"github.com/thalweg/thalweg/serde"
	"github.com/thalweg/thalweg/stream/streamtest"
	"github.com/thalweg/thalweg/topology"
	"github.com/thalweg/thalweg/window"
)

// recorder is a testing.TB that keeps what a case reports. Only what a Driver calls is there.
type recorder struct {
	testing.TB
	dir      string
	problems []string
	cleanups []func()
}

func (r *recorder) Helper()             {}
func (r *recorder) Logf(string, ...any) {}
func (r *recorder) Cleanup(f func())    { r.cleanups = append(r.cleanups, f) }
func (r *recorder) TempDir() string     { return r.dir }

func (r *recorder) Errorf(format string, args ...any) {
	r.problems = append(r.problems, fmt.Sprintf(format, args...))
}

func (r *recorder) Fatalf(format string, args ...any) {
	r.Errorf(format, args...)
	runtime.Goexit()
}

func (r *recorder) Fatal(args ...any) { r.Fatalf("%s", fmt.Sprintln(args...)) }

// taken is a record that a task has processed.
type taken struct {
	task string
	at   topology.Origin
	raw  raw
}

// history is what came of a case.
type history struct {
	taken []taken
	sunk  map[string][]raw // by topic
}

// run runs a case and returns what is wrong, "" if nothing is.
func (p *program) run(dir string) string {
	r, done := &recorder{dir: dir}, make(chan struct{})
	go func() { // Fatal ends its goroutine
		defer close(done)
		defer func() {
			if x := recover(); x != nil {
				r.problems = append(r.problems, fmt.Sprintf("panic: %v\n%s", x, debug.Stack()))
			}
			for i := len(r.cleanups) - 1; i >= 0; i-- {
				r.cleanups[i]()
			}
		}()
		h := p.play(r)
		p.compare(h, r)
	}()
	<-done
	return strings.Join(r.problems, "\n")
}

// play runs the topology through the steps.
func (p *program) play(t testing.TB) *history {
	h := &history{sunk: map[string][]raw{}}
	d := streamtest.New(t, p.define, streamtest.Options{Partitions: p.partitions, Instances: p.instances, CommitEvery: p.commitEvery, Seed: p.seed + 1})
	d.Processed(func(task string, at topology.Origin, r topology.Record[[]byte, []byte]) {
		h.taken = append(h.taken, taken{task, at, rawOf(topology.Record[[]byte, serde.Opt[[]byte]]{
			Key: r.Key, NoKey: r.NoKey, Value: serde.Opt[[]byte]{Value: r.Value, OK: r.Value != nil}, Time: r.Time, Headers: r.Headers})})
	})
	down, instances := map[int]bool{}, p.instances
	for _, s := range p.steps {
		if s.kind == "put" {
			put(d, s)
			continue
		}
		f := func() { instances = disturb(d, s, down, instances) }
		if s.after == 0 {
			f()
		} else {
			d.After(s.after, f)
		}
	}
	for i := range instances {
		if down[i] {
			d.Restart(i)
		}
	}
	d.Commit()
	for _, i := range p.sunkOps() {
		name := sinkName(i)
		for _, r := range d.Topic(topology.Nullable(topology.NewTopic(name, serde.Bytes, serde.Bytes))).Read() {
			h.sunk[name] = append(h.sunk[name], rawOf(r))
		}
	}
	return h
}

func put(d *streamtest.Driver, s step) {
	var rs []topology.Record[string, opt]
	for _, r := range s.records {
		rs = append(rs, topology.Record[string, opt]{Key: r.key, NoKey: r.key == "", Value: r.value, Time: window.Instant(r.at),
			Headers: topology.Headers{}.Add("id", fmt.Append(nil, r.id))})
	}
	d.Topic(topology.Nullable(sourceTopic(s.topic))).PutAll(rs...)
}

// disturb does a step that no result may show.
func disturb(d *streamtest.Driver, s step, down map[int]bool, instances int) int {
	i := s.instance
	switch {
	case s.kind == "commit":
		d.Commit()
	case s.kind == "scale":
		for k := s.instance; k < instances; k++ {
			delete(down, k)
		}
		d.Scale(s.instance)
		return s.instance
	case i >= instances:
	case s.kind == "restart":
		d.Restart(i)
		delete(down, i)
	case s.kind == "wipe":
		d.Wipe(i)
		delete(down, i)
	case down[i]:
	case s.kind == "abort":
		d.Abort(i)
	case s.kind == "crash":
		d.Crash(i)
		down[i] = true
	}
	return instances
}

func rawOf(r topology.Record[[]byte, serde.Opt[[]byte]]) raw {
	return raw{key: string(r.Key), value: string(r.Value.Value), noKey: r.NoKey, null: !r.Value.OK, time: int64(r.Time), headers: headersOf(r.Headers)}
}

func headersOf(h topology.Headers) string {
	var all []string
	for k, v := range h.All() {
		all = append(all, k+"="+string(v))
	}
	return strings.Join(all, " ")
}
