// Package metrics shows an engine to Prometheus, and its health to probes.
package metrics

import (
	"net/http"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/thalweg/thalweg/internal/engine"
	"github.com/thalweg/thalweg/internal/engine/times"
	"github.com/thalweg/thalweg/internal/ops/surface"
)

// Source is an engine as it is shown.
type Source interface {
	Metrics() engine.Metrics
	Health() error
}

// Handler serves /metrics, of a registry of its own with those of the process, and /health. With a token, every request has to
// bear it.
func Handler(s Source, token string) http.Handler {
	reg := prometheus.NewRegistry()
	reg.MustRegister(Collector(func() Source { return s }), collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(reg, promhttp.HandlerOpts{}))
	mux.HandleFunc("GET /health", func(w http.ResponseWriter, _ *http.Request) { surface.Answer(w, s.Health()) })
	return surface.Guard(mux, token)
}

// Collector returns the metrics of an engine, for any Registerer. They are taken when they are asked for; while s returns
// nil there are none.
func Collector(s func() Source) prometheus.Collector { return &collector{s} }

type collector struct{ source func() Source }

func desc(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("thalweg_engine_"+name, help, labels, nil)
}

var (
	requests = desc("requests_total", "Requests answered, by API and the first error in the answer.", "api", "error")
	answers  = desc("request_seconds", "Times of requests, by API: from when a request has been read, and any before it that must be answered first has been, until its own answer is "+
		"written. Time in which the engine has nothing to do for it is left out: waiting for records, for the members of a group, or after a failed login.", "api")
	received     = desc("received_bytes_total", "Bytes of requests.")
	sent         = desc("sent_bytes_total", "Bytes of responses.")
	connections  = desc("connections", "Connections open.")
	accepted     = desc("connections_accepted_total", "Connections accepted.")
	refused      = desc("connections_refused_total", "Connections refused, as too many were open.")
	failedLogins = desc("failed_logins_total", "Logins that failed.")
	syncs        = desc("wal_sync_seconds", "Times of the syncs of the write-ahead log, which producers with acks=all wait for.")
	compactions  = desc("cleaner_compactions_total", "Runs of the cleaner over a partition.")
	compactTime  = desc("cleaner_seconds_total", "Time of these runs.")
	compacted    = desc("cleaner_compacted_bytes_total", "Bytes that these runs took away.")
	expired      = desc("cleaner_expired_bytes_total", "Bytes below a log start that were removed.")
	failures     = desc("cleaner_failures_total", "Runs of retention and compaction that failed.")
	groups       = desc("groups", "Consumer groups, by state.", "state")
	openTxns     = desc("transactions_open", "Transactions that have begun and not ended.")
	endedTxns    = desc("transactions_total", "Transactions that have ended.", "outcome")
	txnIDs       = desc("transactional_ids", "Transactional ids known.")
	topics       = desc("topics", "Topics.")
	partitions   = desc("partitions", "Partitions of all topics.")
	size         = desc("log_bytes", "Bytes of all partitions, on disk.")
	users        = desc("users", "Users who may log in.")
	acls         = desc("acls", "ACLs.")
	healthy      = desc("healthy", "1, or 0 once a part of the storage is offline.")
)

// Describe implements prometheus.Collector.
func (c *collector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{requests, answers, received, sent, connections, accepted, refused, failedLogins, syncs, compactions, compactTime,
		compacted, expired, failures, groups, openTxns, endedTxns, txnIDs, topics, partitions, size, users, acls, healthy} {
		ch <- d
	}
}

// Collect implements prometheus.Collector.
func (c *collector) Collect(ch chan<- prometheus.Metric) {
	s := c.source()
	if s == nil {
		return
	}
	m := s.Metrics()
	count := func(d *prometheus.Desc, v float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, v, labels...)
	}
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	for _, t := range m.Server.Times {
		ch <- histogram(answers, t.Counts, t.API)
	}
	for _, r := range m.Server.Requests {
		count(requests, float64(r.Count), r.API, r.Error.String())
	}
	count(received, float64(m.Server.Received))
	count(sent, float64(m.Server.Sent))
	count(accepted, float64(m.Server.Accepted))
	count(refused, float64(m.Server.Refused))
	count(failedLogins, float64(m.Server.FailedLogins))
	ch <- histogram(syncs, m.Log.Syncs)
	count(compactions, float64(m.Log.Compactions))
	count(compactTime, m.Log.CompactTime.Seconds())
	count(compacted, float64(m.Log.Compacted))
	count(expired, float64(m.Log.Expired))
	count(failures, float64(m.Log.CleanFailures))
	count(endedTxns, float64(m.Txns.Committed), "committed")
	count(endedTxns, float64(m.Txns.Aborted), "aborted")
	for state, n := range m.GroupStates {
		gauge(groups, float64(n), state)
	}
	up := 1.0
	if s.Health() != nil {
		up = 0
	}
	for d, v := range map[*prometheus.Desc]float64{
		connections: float64(m.Connections), openTxns: float64(m.Txns.Open), txnIDs: float64(m.Transactions), topics: float64(m.Topics),
		partitions: float64(m.Partitions), size: float64(m.Bytes), users: float64(m.Users), acls: float64(m.ACLs), healthy: up,
	} {
		gauge(d, v)
	}
}

// histogram are times as a histogram, for every scraper: it has buckets of its own, and not a native one's.
func histogram(d *prometheus.Desc, c times.Counts, labels ...string) prometheus.Metric {
	buckets, n := map[float64]uint64{}, uint64(0)
	for i, bound := range times.Bounds {
		n += c.Classes[i]
		buckets[bound.Seconds()] = n
	}
	return prometheus.MustNewConstHistogram(d, n+c.Classes[len(times.Bounds)], c.Sum.Seconds(), buckets, labels...)
}
