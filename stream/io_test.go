package stream_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/thalweg/thalweg/serde"
	"github.com/thalweg/thalweg/state"
	"github.com/thalweg/thalweg/stream"
	"github.com/thalweg/thalweg/table"
	"github.com/thalweg/thalweg/topology"
)

var (
	amounts = topology.Topic[string, int64]{Name: "amounts", Key: serde.String, Value: serde.Int64, Partitions: 3}
	sums    = topology.NewTopic("sums", serde.String, serde.Int64)
)

// summed is a topology with a table to ask.
type summed struct{ total table.Table[string, int64] }

func (s *summed) topology(b *topology.Builder) {
	s.total = stream.From(b, amounts).GroupByKey().Reduce("total", func(a, v int64) int64 { return a + v })
	s.total.To(sums)
}

// limit is how long anything here may take.
func limit(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
	t.Cleanup(cancel)
	return ctx
}

// TestWriterQueryAndMetrics writes from outside, asks for what was written, and looks at metrics and probes.
func TestWriterQueryAndMetrics(t *testing.T) {
	for _, g := range []stream.Guarantee{stream.ExactlyOnce, stream.AtLeastOnce} {
		t.Run(fmt.Sprint("guarantee ", g), func(t *testing.T) {
			var s summed
			addr := freePort(t)
			a, _ := start(t, s.topology, stream.Config{Dir: t.TempDir(), Workers: 2, Guarantee: g, Ops: stream.Ops{Addr: addr, Token: "secret"}})
			ctx := limit(t)
			w := stream.NewWriter(a, amounts)
			for i := range 300 {
				if err := w.Put(ctx, fmt.Sprint("k", i%10), int64(i)); err != nil {
					t.Fatal(err)
				}
			}
			if err := w.Close(); err != nil {
				t.Fatal(err)
			}
			token, err := a.Token(ctx)
			if err != nil {
				t.Fatal(err)
			}
			n, ok, err := s.total.Query(a).After(token).Get(ctx, "k3")
			if want := int64(30*3 + 10*(29*30/2)); n != want || !ok || err != nil {
				t.Errorf("k3 = %d, %v, %v; want %d", n, ok, err, want)
			}
			if _, ok, err := s.total.Query(a).Get(ctx, "nobody"); ok || err != nil {
				t.Errorf("nobody: %v, %v", ok, err)
			}
			rows := 0
			for _, err := range s.total.Query(a).All(ctx) {
				if err != nil {
					t.Fatal(err)
				}
				rows++
			}
			if rows != 10 {
				t.Errorf("%d rows, want 10", rows)
			}
			probe(t, addr)
			shown := httptest.NewRecorder()
			ask := httptest.NewRequest("GET", "/metrics", nil)
			ask.Header.Set("Authorization", "Bearer secret")
			a.Handler().ServeHTTP(shown, ask)
			if want := `thalweg_engine_requests_total{api="Produce",error="NONE"} `; !strings.Contains(shown.Body.String(), want) {
				t.Errorf("nothing of the bundled engine is shown: %.2000s", shown.Body)
			}
		})
	}
}

func probe(t *testing.T, addr string) {
	t.Helper()
	for path, want := range map[string]string{"/health": "ok", "/ready": "ok", "/metrics": "thalweg_records_total{app=\"words\"} "} {
		for _, token := range []string{"", "Bearer secret"} {
			req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+addr+path, nil)
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("Authorization", token)
			resp, err := http.DefaultClient.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			body, err := io.ReadAll(resp.Body)
			if err := errors.Join(err, resp.Body.Close()); err != nil {
				t.Fatal(err)
			}
			if token == "" {
				if resp.StatusCode != http.StatusUnauthorized {
					t.Errorf("%s without a token: %s", path, resp.Status)
				}
				continue
			}
			if resp.StatusCode != http.StatusOK || !strings.Contains(string(body), want) {
				t.Errorf("%s: %s, %.2000s", path, resp.Status, body)
			}
		}
	}
}

// TestDeadLettersCommitWithTheRest puts a malformed record aside, with where it was and why.
func TestDeadLettersCommitWithTheRest(t *testing.T) {
	text := topology.Topic[string, string]{Name: "amounts", Key: serde.String, Value: serde.String, Partitions: 1}
	dead := topology.NewTopic("words-dead-letter", serde.String, serde.String)
	var s summed
	a, _ := start(t, s.topology, stream.Config{Dir: t.TempDir(), Workers: 1, Errors: stream.Errors{Decode: stream.DeadLetter}})
	ctx := limit(t)
	w := stream.NewWriter(a, text)
	for _, v := range []string{"\x00\x00\x00\x00\x00\x00\x00\x05", "five", "\x00\x00\x00\x00\x00\x00\x00\x06"} {
		if err := w.Put(ctx, "k", v); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	for r, err := range stream.Read(ctx, a, dead) {
		if err != nil {
			t.Fatal(err)
		}
		h := func(k string) string { return string(r.Headers.Get(k)) }
		if r.Key != "k" || r.Value != "five" || h("thalweg.topic") != "amounts" || h("thalweg.offset") != "1" ||
			!strings.Contains(h("thalweg.error"), "int64 of 4 bytes") {
			t.Errorf("dead letter %+v, offset %q, error %q", r, h("thalweg.offset"), h("thalweg.error"))
		}
		break
	}
	for r, err := range stream.Read(ctx, a, sums) {
		if err != nil {
			t.Fatal(err)
		}
		if r.Value == 11 {
			break
		}
	}
}

// TestStopsAtTheRecord stops at a malformed record and names it and the way out; another run with a policy goes on.
func TestStopsAtTheRecord(t *testing.T) {
	text := topology.Topic[string, string]{Name: "amounts", Key: serde.String, Value: serde.String, Partitions: 1}
	cfg := stream.Config{Dir: t.TempDir(), Workers: 1}
	var s summed
	topo, err := topology.Define("words", s.topology)
	if err != nil {
		t.Fatal(err)
	}
	a, err := stream.New(topo, cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx := limit(t)
	done := make(chan error, 1)
	go func() { done <- a.Run(ctx) }()
	w := stream.NewWriter(a, text)
	if err := errors.Join(w.Put(ctx, "k", "five"), w.Flush(ctx)); err != nil {
		t.Fatal(err)
	}
	err = <-done
	for _, want := range []string{"decode failed at amounts-", "@0", "int64 of 4 bytes", "Config.Errors.Decode"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v does not say %q", err, want)
		}
	}
	if _, _, err := s.total.Query(a).Get(ctx, "k"); err == nil {
		t.Error("a stopped app answers")
	}
	var again summed
	cfg.Errors.Decode = stream.Skip
	b, _ := start(t, again.topology, cfg)
	w = stream.NewWriter(b, text)
	if err := errors.Join(w.Put(ctx, "k", "\x00\x00\x00\x00\x00\x00\x00\x05"), w.Close()); err != nil {
		t.Fatal(err)
	}
	token, err := b.Token(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if n, ok, err := again.total.Query(b).After(token).Get(ctx, "k"); n != 5 || !ok || err != nil {
		t.Errorf("k = %d, %v, %v; want 5", n, ok, err)
	}
}

// TestAskingForWhatIsNotThere names a table without rows.
func TestAskingForWhatIsNotThere(t *testing.T) {
	var prices table.Table[string, int64]
	a, _ := start(t, func(b *topology.Builder) {
		prices = table.From(b, amounts)
		prices.To(sums)
	}, stream.Config{Dir: t.TempDir(), Workers: 1})
	<-a.Ready()
	if _, _, err := prices.Query(a).Get(limit(t), "k"); !errors.Is(err, state.ErrNoStore) {
		t.Errorf("error %v, want ErrNoStore", err)
	}
}
