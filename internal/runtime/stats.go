package runtime

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/thalweg/thalweg/internal/edge"
	"github.com/thalweg/thalweg/internal/kafka"
	"github.com/thalweg/thalweg/internal/store"
	"github.com/thalweg/thalweg/internal/task"
)

// Stats count what an instance does. Workers publish at commits and between rounds, never for each record.
type Stats struct {
	records, restored, copied, rebalances, aborted, checkpoints, commits, commitNanos atomic.Int64

	mu       sync.Mutex // protects following fields
	tasks    map[string]*TaskStats
	dropped  map[[2]string]int64 // by node and reason, of tasks that are gone
	restores map[kafka.Place]Restore
}

// Restore is a changelog that is being read into a store.
type Restore struct {
	kafka.Place
	From, At, To int64 // where it began, is, and will end
}

// TaskStats is what a task has to say.
type TaskStats struct {
	Inputs   []task.Input
	Stores   map[string]StoreStats
	Dropped  map[[2]string]int64 // by node and reason
	Counters map[[2]string]int64 // by node and name
	At       time.Time
}

// StoreStats is what a store holds.
type StoreStats struct {
	Rows, Bytes, Tail int64
}

// CopyStats is where a copy of a task's stores stands.
type CopyStats struct {
	Task   string
	Lag    int64 // offsets still to be read; -1: not known yet
	WarmUp bool  // made to move the task here
}

// Snapshot is the state of an instance at one moment.
type Snapshot struct {
	Records, Restored, Copied, Rebalances, Aborted, Checkpoints, Commits int64
	CommitTime                                                           time.Duration // of all commits
	Restoring                                                            int           // tasks
	Restores                                                             []Restore
	Copies                                                               []CopyStats
	Tasks                                                                map[string]*TaskStats
	Dropped                                                              map[[2]string]int64
	Memory, MemoryLimit                                                  int64
}

func (s *Stats) committed(took time.Duration) {
	s.commits.Add(1)
	s.commitNanos.Add(int64(took))
}

// observeEvery bounds how often a task's counts are published.
const observeEvery = 200 * time.Millisecond

// observe publishes what the worker's tasks have to say: of those that are committed at once, unless the worker is idle. It
// runs on the worker's goroutine.
func (s *Stats) observe(w *worker, idle bool) {
	for _, a := range w.tasks {
		id := a.task.ID()
		s.mu.Lock()
		old := s.tasks[id]
		s.mu.Unlock()
		if old != nil && time.Since(old.At) < observeEvery && (idle || a.task.Dirty()) {
			continue
		}
		ts := taskStats(a.task)
		s.mu.Lock()
		if s.tasks == nil {
			s.tasks = map[string]*TaskStats{}
		}
		s.tasks[id] = ts
		s.mu.Unlock()
	}
}

func taskStats(t *task.Task) *TaskStats {
	ts := &TaskStats{Stores: map[string]StoreStats{}, Dropped: map[[2]string]int64{}, Counters: map[[2]string]int64{}, At: time.Now()}
	t.Inputs(func(i task.Input) { ts.Inputs = append(ts.Inputs, i) })
	t.Stores(func(d *edge.Store, st store.Store, tail int64) {
		ts.Stores[d.Name] = StoreStats{st.Rows(), st.Bytes(), tail}
	})
	t.Counters(func(node, name string, dropped bool, n int64) {
		if dropped {
			ts.Dropped[[2]string{node, name}] = n
		} else {
			ts.Counters[[2]string{node, name}] = n
		}
	})
	return ts
}

// restoring notes how far a restore is.
func (s *Stats) restoring(r Restore) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.restores == nil {
		s.restores = map[kafka.Place]Restore{}
	}
	s.restores[r.Place] = r
}

// restoreEnded forgets a restore.
func (s *Stats) restoreEnded(p kafka.Place) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.restores, p)
}

// gone keeps the counts of a task that is about to be closed.
func (s *Stats) gone(t *task.Task) {
	ts := taskStats(t)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.dropped == nil {
		s.dropped = map[[2]string]int64{}
	}
	for k, n := range ts.Dropped {
		s.dropped[k] += n
	}
	delete(s.tasks, t.ID())
}

// Snapshot returns what the instance counts.
func (in *Instance) Snapshot() Snapshot {
	s := &in.stats
	out := Snapshot{
		Records: s.records.Load(), Restored: s.restored.Load(), Copied: s.copied.Load(), Rebalances: s.rebalances.Load(), Aborted: s.aborted.Load(),
		Checkpoints: s.checkpoints.Load(), Commits: s.commits.Load(), CommitTime: time.Duration(s.commitNanos.Load()),
		Tasks: map[string]*TaskStats{}, Dropped: map[[2]string]int64{},
	}
	in.mu.Lock()
	for _, a := range in.tasks {
		if a.restoring != nil && a.task == nil {
			out.Restoring++
		}
	}
	copies, budget := in.copies, in.budget
	in.mu.Unlock()
	if copies != nil {
		out.Copies = copies.stats()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for k, n := range s.dropped {
		out.Dropped[k] += n
	}
	for _, r := range s.restores {
		out.Restores = append(out.Restores, r)
	}
	for id, t := range s.tasks {
		out.Tasks[id] = t
		for k, n := range t.Dropped {
			out.Dropped[k] += n
		}
	}
	if budget != nil {
		out.Memory, out.MemoryLimit = budget.Used(), budget.Limit()
	}
	return out
}
