package metrics

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/thalweg/thalweg/internal/engine"
	"github.com/thalweg/thalweg/internal/engine/wire"
)

func open(t *testing.T) *engine.Engine {
	t.Helper()
	cfg := engine.Defaults()
	cfg.AutoCreate = wire.CreateAlways
	e, err := engine.Open(vfs.NewMem(), "data", cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return e
}

func client(t *testing.T, e *engine.Engine, opts ...kgo.Opt) *kgo.Client {
	t.Helper()
	c, err := kgo.NewClient(append([]kgo.Opt{kgo.SeedBrokers(e.Addr()), kgo.Dialer(e.Dial), kgo.AllowAutoTopicCreation(), kgo.DefaultProduceTopic("words")}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// get asks a handler.
func get(t *testing.T, h http.Handler, path, token string) (int, string) {
	t.Helper()
	r := httptest.NewRequest("GET", path, nil)
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	b, err := io.ReadAll(w.Result().Body)
	if err != nil {
		t.Fatal(err)
	}
	return w.Code, string(b)
}

// scrape returns the metrics by name and labels, as they are written.
func scrape(t *testing.T, h http.Handler) map[string]float64 {
	t.Helper()
	status, text := get(t, h, "/metrics", "")
	if status != http.StatusOK {
		t.Fatal(status, text)
	}
	all := map[string]float64{}
	for line := range strings.Lines(text) {
		name, value, ok := strings.Cut(strings.TrimSpace(line), " ")
		if v, err := strconv.ParseFloat(value, 64); ok && err == nil {
			all[strings.TrimPrefix(name, "thalweg_engine_")] = v
		}
	}
	return all
}

// TestMetrics reads the numbers of an engine after things whose number is known.
func TestMetrics(t *testing.T) {
	e := open(t)
	h := Handler(e, "")
	before := scrape(t, h)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	c := client(t, e, kgo.TransactionalID("x"))
	for _, end := range []kgo.TransactionEndTry{kgo.TryCommit, kgo.TryAbort, kgo.TryCommit} {
		if err := c.BeginTransaction(); err != nil {
			t.Fatal(err)
		}
		if err := c.ProduceSync(ctx, kgo.StringRecord("w")).FirstErr(); err != nil {
			t.Fatal(err)
		}
		if err := c.EndTransaction(ctx, end); err != nil {
			t.Fatal(err)
		}
	}
	if err := c.BeginTransaction(); err != nil {
		t.Fatal(err)
	}
	if err := c.ProduceSync(ctx, kgo.StringRecord("w")).FirstErr(); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		beat := kmsg.NewPtrHeartbeatRequest()
		beat.Group, beat.MemberID = "nobody's", "nobody"
		if _, err := beat.RequestWith(ctx, c); err != nil {
			t.Fatal(err)
		}
	}
	// The time of a request counts once its answer is sent, when the client may have it already.
	after := scrape(t, h)
	for after[`request_seconds_count{api="Produce"}`] < 4 || after[`request_seconds_count{api="Heartbeat"}`] < 2 {
		if ctx.Err() != nil {
			t.Fatal(ctx.Err())
		}
		after = scrape(t, h)
	}
	for name, want := range map[string]float64{
		`requests_total{api="Produce",error="NONE"}`:                4,
		`requests_total{api="Heartbeat",error="UNKNOWN_MEMBER_ID"}`: 2,
		`request_seconds_count{api="Produce"}`:                      4,
		`request_seconds_bucket{api="Produce",le="+Inf"}`:           4,
		`request_seconds_count{api="Heartbeat"}`:                    2,
		`transactions_total{outcome="committed"}`:                   2,
		`transactions_total{outcome="aborted"}`:                     1,
		`transactions_open`:                                         1,
		`transactional_ids`:                                         1,
		`topics`:                                                    3, // the coordinators', too
		`healthy`:                                                   1,
	} {
		if got, ok := after[name]; !ok || got != want {
			t.Errorf("%s is %v, want %v", name, got, want)
		}
	}
	for _, name := range []string{"received_bytes_total", "sent_bytes_total", "connections", "connections_accepted_total", "wal_sync_seconds_count",
		`wal_sync_seconds_bucket{le="+Inf"}`, "log_bytes", `request_seconds_sum{api="Produce"}`} {
		if after[name] <= before[name] {
			t.Errorf("%s went from %v to %v", name, before[name], after[name])
		}
	}
	if after["wal_sync_seconds_count"] != after[`wal_sync_seconds_bucket{le="+Inf"}`] {
		t.Error("a sync is in no bucket")
	}
}

// TestOtherRegistry registers two engines with a registry of the program's.
func TestOtherRegistry(t *testing.T) {
	reg := prometheus.NewPedanticRegistry()
	for _, name := range []string{"a", "b"} {
		e := open(t)
		if err := prometheus.WrapRegistererWith(prometheus.Labels{"engine": name}, reg).Register(Collector(func() Source { return e })); err != nil {
			t.Fatal(err)
		}
	}
	none := prometheus.WrapRegistererWith(prometheus.Labels{"engine": "none yet"}, reg)
	if err := none.Register(Collector(func() Source { return nil })); err != nil {
		t.Fatal(err)
	}
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for _, f := range families {
		if f.GetName() == "thalweg_engine_topics" {
			found = len(f.GetMetric())
		}
	}
	if found != 2 {
		t.Errorf("%d engines have topics", found)
	}
}

// broken is an engine whose disk is.
type broken struct{ *engine.Engine }

func (broken) Health() error { return errors.New("partition 0 is offline") }

// TestHealth asks for it, and as one who bears no token.
func TestHealth(t *testing.T) {
	e := open(t)
	if status, text := get(t, Handler(e, ""), "/health", ""); status != http.StatusOK || text != "ok\n" {
		t.Errorf("healthy: %d %q", status, text)
	}
	if status, text := get(t, Handler(broken{e}, ""), "/health", ""); status != http.StatusServiceUnavailable || !strings.Contains(text, "offline") {
		t.Errorf("broken: %d %q", status, text)
	}
	if got := scrape(t, Handler(broken{e}, ""))["healthy"]; got != 0 {
		t.Errorf("healthy is %v of what is broken", got)
	}
	h := Handler(e, "secret")
	for token, want := range map[string]int{"": http.StatusUnauthorized, "other": http.StatusUnauthorized, "secret": http.StatusOK} {
		if status, _ := get(t, h, "/metrics", token); status != want {
			t.Errorf("with token %q: %d", token, status)
		}
	}
}
