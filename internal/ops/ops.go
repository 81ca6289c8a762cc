// Package ops is the HTTP surface of a running app: metrics for Prometheus, and probes.
package ops

import (
	"fmt"
	"net/http"
	"strconv"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/thalweg/thalweg/internal/ops/surface"
	"github.com/thalweg/thalweg/internal/runtime"
)

// Source is the app as the surface sees it.
type Source struct {
	App      string
	Snapshot func() (runtime.Snapshot, bool) // false before the instance runs
	Health   func() error
	Ready    <-chan struct{} // closed once the app is

	Ask       Ask // nil: no queries
	ScanLimit int // rows of one answer
}

// Handler serves /metrics, /health, /ready, and with Source.Ask POST /query. With a token, every request has to bear it.
func Handler(s Source, token string) http.Handler {
	reg := prometheus.NewRegistry()
	reg.MustRegister(&collector{s}, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(reg, promhttp.HandlerOpts{}))
	mux.HandleFunc("GET /health", func(w http.ResponseWriter, _ *http.Request) { surface.Answer(w, s.Health()) })
	mux.HandleFunc("GET /ready", func(w http.ResponseWriter, _ *http.Request) {
		select {
		case <-s.Ready:
			surface.Answer(w, s.Health())
		default:
			surface.Answer(w, fmt.Errorf("not ready: stores are being restored, or no tasks are assigned yet"))
		}
	})
	if s.Ask != nil {
		mux.Handle("POST /query", queries(s.Ask, s.ScanLimit))
	}
	return surface.Guard(mux, token)
}

// collector turns snapshots into metrics, when they are asked for.
type collector struct{ s Source }

func desc(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("thalweg_"+name, help, append([]string{"app"}, labels...), nil)
}

var (
	records     = desc("records_total", "Records processed.")
	lag         = desc("lag_records", "Offsets between the position of an input and its end.", "topic", "partition")
	dropped     = desc("dropped_records_total", "Records dropped, by node and reason.", "node", "reason")
	userCounter = desc("user_total", "Counters of processors.", "task", "node", "name")
	commits     = desc("commits_total", "Transactions committed.")
	commitTime  = desc("commit_seconds_total", "Time spent in commits.")
	aborted     = desc("aborted_transactions_total", "Transactions taken back.")
	restored    = desc("restored_records_total", "Changelog records replayed into stores.")
	restoring   = desc("restoring_tasks", "Tasks whose stores are being restored.")
	copied      = desc("copied_records_total", "Changelog records replayed into copies of stores: standbys and warm-ups.")
	standbys    = desc("standby_tasks", "Tasks that this instance keeps a copy of, warm-ups among them.")
	warmUps     = desc("warmup_tasks", "Tasks that this instance keeps a copy of so that they can move here.")
	standbyLag  = desc("standby_lag_records", "Offsets between the position of a copy and the end of its changelogs.", "task")
	tasks       = desc("tasks", "Tasks of this instance.")
	stateBytes  = desc("state_bytes", "Memory of a store's hot rows.", "task", "store")
	stateRows   = desc("state_rows", "Rows of a store, approximately.", "task", "store")
	stateTail   = desc("state_changelog_tail_records", "What a restart would have to replay of a store's changelog.", "task", "store")
	checkpoints = desc("checkpoints_total", "Checkpoints written.")
	rebalances  = desc("rebalances_total", "Assignments received.")
	memoryUsed  = desc("memory_bytes", "Memory of all hot rows and buffers.")
	memoryLimit = desc("memory_limit_bytes", "Budget of hot rows and buffers.")
)

// Describe implements prometheus.Collector.
func (c *collector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{records, lag, dropped, userCounter, commits, commitTime, aborted, restored, restoring, copied, standbys, warmUps, standbyLag, tasks,
		stateBytes, stateRows, stateTail, checkpoints, rebalances, memoryUsed, memoryLimit} {
		ch <- d
	}
}

// Collect implements prometheus.Collector.
func (c *collector) Collect(ch chan<- prometheus.Metric) {
	s, ok := c.s.Snapshot()
	if !ok {
		return
	}
	count := func(d *prometheus.Desc, v float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, v, append([]string{c.s.App}, labels...)...)
	}
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, append([]string{c.s.App}, labels...)...)
	}
	count(records, float64(s.Records))
	count(commits, float64(s.Commits))
	count(commitTime, s.CommitTime.Seconds())
	count(aborted, float64(s.Aborted))
	count(restored, float64(s.Restored))
	count(checkpoints, float64(s.Checkpoints))
	count(rebalances, float64(s.Rebalances))
	gauge(restoring, float64(s.Restoring))
	count(copied, float64(s.Copied))
	warm := 0
	for _, k := range s.Copies {
		if k.WarmUp {
			warm++
		}
		if k.Lag >= 0 {
			gauge(standbyLag, float64(k.Lag), k.Task)
		}
	}
	gauge(standbys, float64(len(s.Copies)))
	gauge(warmUps, float64(warm))
	gauge(tasks, float64(len(s.Tasks)))
	gauge(memoryUsed, float64(s.Memory))
	gauge(memoryLimit, float64(s.MemoryLimit))
	for k, n := range s.Dropped {
		count(dropped, float64(n), k[0], k[1])
	}
	for id, t := range s.Tasks {
		for _, i := range t.Inputs {
			if i.End >= 0 {
				gauge(lag, float64(max(0, i.End-i.Position)), i.Topic, strconv.Itoa(int(i.Partition)))
			}
		}
		for name, st := range t.Stores {
			gauge(stateBytes, float64(st.Bytes), id, name)
			gauge(stateRows, float64(st.Rows), id, name)
			gauge(stateTail, float64(st.Tail), id, name)
		}
		for k, n := range t.Counters {
			count(userCounter, float64(n), id, k[0], k[1])
		}
	}
}
