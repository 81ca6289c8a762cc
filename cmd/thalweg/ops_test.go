package main

import (
	"io"
	"net/http"
	"regexp"
	"strings"
	"syscall"
	"testing"
)

// TestServeOps asks a server for its metrics and health, with its token and without.
func TestServeOps(t *testing.T) {
	dir := t.TempDir()
	fails(t, []string{"-ops", "beyond loopback", "-ops-token-file"}, "serve", "-dir", dir, "-listen", "127.0.0.1:0", "-ops", "0.0.0.0:0")
	fails(t, []string{"-ops-token-file without -ops"}, "serve", "-dir", dir, "-listen", "127.0.0.1:0", "-ops-token-file", passwordFile(t, "secret"))
	fails(t, []string{"first line is empty"}, "serve", "-dir", dir, "-listen", "127.0.0.1:0", "-ops", "127.0.0.1:0", "-ops-token-file", passwordFile(t, ""))
	s := start(t, dir, "-ops", "127.0.0.1:0", "-ops-token-file", passwordFile(t, "secret"))
	works(t, "", "topics", "create", "words", "-dir", dir)
	works(t, "a\nb\n", "produce", "words", "-dir", dir)
	m := regexp.MustCompile(`metrics on (http://\S+)/metrics`).FindStringSubmatch(s.said)
	if m == nil {
		t.Fatal(s.said)
	}
	ask := func(path, token string) (int, string) {
		req, err := http.NewRequestWithContext(t.Context(), "GET", m[1]+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+token)
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		b, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return resp.StatusCode, string(b)
	}
	status, text := ask("/metrics", "secret")
	if status != 200 || !strings.Contains(text, `thalweg_engine_requests_total{api="Produce",error="NONE"} 1`) {
		t.Errorf("metrics: %d\n%s", status, text)
	}
	namesMetrics(t, text)
	if status, _ := ask("/metrics", "other"); status != 401 {
		t.Errorf("metrics by another token: %d", status)
	}
	if status, text := ask("/health", "secret"); status != 200 || text != "ok\n" {
		t.Errorf("health: %d %q", status, text)
	}
	s.stop(t, syscall.SIGTERM)
}
