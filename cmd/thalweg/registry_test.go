package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os/exec"
	"regexp"
	"strings"
	"syscall"
	"testing"
)

// startRegistry starts a schema registry and returns its URL.
func startRegistry(t *testing.T, args ...string) (url string, cmd *exec.Cmd, log *bytes.Buffer) {
	t.Helper()
	log = &bytes.Buffer{}
	cmd = exec.CommandContext(t.Context(), program, append([]string{"registry", "-listen", "127.0.0.1:0"}, args...)...)
	cmd.Stderr = log
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	first := make([]byte, 256) // the line comes in one write
	n, _ := out.Read(first)
	m := regexp.MustCompile(`registry on (\S+)\n|"registry":"([^"]+)"`).FindSubmatch(first[:n])
	if m == nil {
		_ = cmd.Wait()
		t.Fatalf("the registry printed %q\n%s", first[:n], log)
	}
	return string(m[1]) + string(m[2]), cmd, log
}

// post sends a schema and returns the answer.
func post(t *testing.T, url, schema string) string {
	t.Helper()
	body, err := json.Marshal(map[string]string{"schema": schema})
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.Post(url, "application/vnd.schemaregistry.v1+json", bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	return answer(t, resp)
}

func get(t *testing.T, url string) string {
	t.Helper()
	resp, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	return answer(t, resp)
}

func answer(t *testing.T, resp *http.Response) string {
	t.Helper()
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(text))
}

// TestRegistryKeepsSchemasInTheLog registers schemas, kills registry and engine with -9, and finds the schemas again.
func TestRegistryKeepsSchemasInTheLog(t *testing.T) {
	dir := t.TempDir()
	s := start(t, dir)
	url, reg, _ := startRegistry(t, "-dir", dir)
	for i := range 3 {
		if got, want := post(t, fmt.Sprintf("%s/subjects/s%d/versions", url, i), fmt.Sprintf(`{"type":"fixed","name":"F","size":%d}`, i+1)), fmt.Sprintf(`{"id":%d}`, i+1); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
	if err := reg.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = reg.Wait()
	if err := s.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = s.cmd.Wait()
	s = start(t, dir)
	url, reg, log := startRegistry(t, "-brokers", s.addr, "-json")
	if got := get(t, url+"/subjects"); got != `["s0","s1","s2"]` {
		t.Errorf("subjects %s", got)
	}
	if got := post(t, url+"/subjects/s3/versions", `"int"`); got != `{"id":4}` {
		t.Errorf("got %s", got)
	}
	if out := works(t, "", "topics", "describe", "_schemas", "-dir", dir); !strings.Contains(out, "compact") {
		t.Errorf("the topic of schemas: %s", out)
	}
	if err := reg.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := reg.Wait(); err != nil {
		t.Errorf("the registry ended with %v\n%s", err, log)
	}
	s.stop(t, syscall.SIGTERM)
}

// TestSecondRegistryTakesOver starts two registries on one topic: the first one's next write ends it, and is not there.
func TestSecondRegistryTakesOver(t *testing.T) {
	dir := t.TempDir()
	s := start(t, dir)
	one, first, log := startRegistry(t, "-dir", dir)
	if got := post(t, one+"/subjects/a/versions", `"int"`); got != `{"id":1}` {
		t.Fatal(got)
	}
	two, second, _ := startRegistry(t, "-dir", dir)
	if got := post(t, one+"/subjects/b/versions", `"long"`); !strings.Contains(got, "50003") {
		t.Errorf("the first registry answers %s", got)
	}
	if err := first.Wait(); err == nil || !strings.Contains(log.String(), "another registry has taken over") {
		t.Errorf("the first registry ended with %v\n%s", err, log)
	}
	if got := get(t, two+"/subjects"); got != `["a"]` {
		t.Errorf("subjects %s", got)
	}
	if got := post(t, two+"/subjects/b/versions", `"string"`); got != `{"id":2}` {
		t.Errorf("got %s", got)
	}
	if err := second.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	_ = second.Wait()
	s.stop(t, syscall.SIGTERM)
}

// TestRegistryRefuses shows what it does not start on.
func TestRegistryRefuses(t *testing.T) {
	dir := t.TempDir()
	fails(t, []string{"beyond loopback", "-insecure"}, "registry", "-listen", "0.0.0.0:0", "-dir", dir)
	s := start(t, dir)
	works(t, "", "topics", "create", "many", "-partitions", "2", "-dir", dir)
	works(t, "", "topics", "create", "lossy", "-dir", dir)
	fails(t, []string{`topic "many" has 2 partitions`}, "registry", "-listen", "127.0.0.1:0", "-dir", dir, "-topic", "many")
	fails(t, []string{`topic "lossy" has cleanup.policy "delete"`}, "registry", "-listen", "127.0.0.1:0", "-dir", dir, "-topic", "lossy")
	s.stop(t, syscall.SIGTERM)
}
