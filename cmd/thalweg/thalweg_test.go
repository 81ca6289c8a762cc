package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"
)

// program is the path of thalweg, built once.
var program string

func TestMain(m *testing.M) {
	os.Exit(build(m))
}

// build builds the program, runs the tests and takes it away again.
func build(m *testing.M) int {
	dir, err := os.MkdirTemp("", "thalweg")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	program = filepath.Join(dir, "thalweg")
	if out, err := exec.Command("go", "build", "-o", program, ".").CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "%v\n%s", err, out)
		return 1
	}
	return m.Run()
}

// call runs the program to its end.
func call(t *testing.T, in string, args ...string) (out, errs string, err error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute) // a mistake that is not seen would serve for ever
	defer cancel()
	cmd := exec.CommandContext(ctx, program, args...)
	var stdout, stderr bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(in), &stdout, &stderr
	err = cmd.Run()
	return stdout.String(), stderr.String(), err
}

// works runs the program, which must end well, and returns what it printed.
func works(t *testing.T, in string, args ...string) string {
	t.Helper()
	out, errs, err := call(t, in, args...)
	if err != nil {
		t.Fatalf("thalweg %q: %v\n%s", args, err, errs)
	}
	return out
}

// fails runs the program, which must fail with one error that says all of want.
func fails(t *testing.T, want []string, args ...string) {
	t.Helper()
	out, errs, err := call(t, "", args...)
	if err == nil {
		t.Errorf("thalweg %q did not fail: %s", args, out)
	}
	for _, w := range want {
		if !strings.Contains(errs, w) {
			t.Errorf("thalweg %q: the error does not say %q: %s", args, w, errs)
		}
	}
}

// server is a thalweg serve under test.
type server struct {
	cmd  *exec.Cmd
	addr string
	said string // at first
	log  *bytes.Buffer
}

// start starts a server on dir and waits until it says that it serves.
func start(t *testing.T, dir string, args ...string) *server {
	t.Helper()
	s := &server{log: &bytes.Buffer{}}
	s.cmd = exec.CommandContext(t.Context(), program, append([]string{"serve", "-dir", dir, "-listen", "127.0.0.1:0"}, args...)...)
	s.cmd.Stderr = s.log
	out, err := s.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	first := make([]byte, 256) // the line comes in one write
	n, _ := out.Read(first)
	m := regexp.MustCompile(`serving on (\S+)\n|"serving":"([^"]+)"`).FindSubmatch(first[:n])
	if m == nil {
		_ = s.cmd.Wait()
		t.Fatalf("the server printed %q\n%s", first[:n], s.log)
	}
	s.addr, s.said = string(m[1])+string(m[2]), string(first[:n])
	return s
}

// stop ends the server by a signal, and checks that it ended in order.
func (s *server) stop(t *testing.T, sig os.Signal) {
	t.Helper()
	if err := s.cmd.Process.Signal(sig); err != nil {
		t.Fatal(err)
	}
	if err := s.cmd.Wait(); err != nil {
		t.Errorf("the server ended with %v\n%s", err, s.log)
	}
}

// TestRecordsSurviveTheServer writes records, kills the server with -9, starts it again on the same folder, and reads
// them, by -brokers and by -dir.
func TestRecordsSurviveTheServer(t *testing.T) {
	dir := t.TempDir()
	s := start(t, dir)
	works(t, "", "topics", "create", "orders", "-partitions", "3", "-brokers", s.addr)
	if got := works(t, "a=1\nb=2\na=none\n", "produce", "orders", "-key-separator", "=", "-null", "none", "-dir", dir); got != "3 records written to orders\n" {
		t.Errorf("produce printed %q", got)
	}
	if err := s.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = s.cmd.Wait() // killed

	fails(t, []string{dir, "does not run any more", "thalweg serve"}, "topics", "list", "-dir", dir)
	s = start(t, dir)
	got := works(t, "", "consume", "orders", "-from-beginning", "-to-end", "-dir", dir, "-format", `{key}\t{value}`)
	for _, want := range []string{"a\t1\n", "b\t2\n", "a\tnull\n"} {
		if !strings.Contains(got, want) {
			t.Errorf("consume printed %q, without %q", got, want)
		}
	}
	if n := strings.Count(got, "\n"); n != 3 {
		t.Errorf("consume printed %d lines, want 3: %q", n, got)
	}
	s.stop(t, syscall.SIGTERM)
	if !strings.Contains(s.log.String(), "closed") {
		t.Errorf("the log does not say that all was closed:\n%s", s.log)
	}
}

// TestTopics goes through a topic's life, as text and as JSON.
func TestTopics(t *testing.T) {
	dir := t.TempDir()
	s := start(t, dir, "-json", "-partitions", "2")
	defer s.stop(t, os.Interrupt)
	if got := works(t, "", "topics", "create", "rows", "-set", "cleanup.policy=compact", "-json", "-dir", dir); got != "{\"created\":[\"rows\"]}\n" {
		t.Errorf("create printed %q", got)
	}
	works(t, "a:x\nb:y\n", "produce", "rows", "-key-separator", ":", "-partition", "1", "-dir", dir)
	var described []struct {
		Name       string
		Settings   map[string]string
		Partitions []struct{ Start, End int64 }
	}
	parse(t, works(t, "", "topics", "describe", "rows", "-json", "-dir", dir), &described)
	if len(described) != 1 || described[0].Settings["cleanup.policy"] != "compact" || len(described[0].Partitions) != 2 || described[0].Partitions[1].End != 2 {
		t.Errorf("describe: %+v", described)
	}
	if got := works(t, "", "topics", "describe", "rows", "-dir", dir); !strings.Contains(got, "cleanup.policy=compact") || !strings.Contains(got, "PARTITION") {
		t.Errorf("describe printed %q", got)
	}
	if got := works(t, "", "topics", "list", "-dir", dir); strings.Join(strings.Fields(got), " ") != "TOPIC PARTITIONS REPLICAS rows 2 1" {
		t.Errorf("list printed %q", got)
	}
	var listed []struct{ Name string }
	parse(t, works(t, "", "topics", "list", "-internal", "-json", "-dir", dir), &listed)
	if len(listed) != 3 {
		t.Errorf("list -internal: %+v", listed)
	}
	fails(t, []string{`"rows"`, "exists already"}, "topics", "create", "rows", "-dir", dir)
	works(t, "", "topics", "delete", "rows", "-dir", dir)
	for _, args := range [][]string{{"topics", "delete", "rows"}, {"topics", "describe", "rows"}, {"produce", "rows"}, {"consume", "rows"}} {
		fails(t, []string{`"rows"`, "does not exist", "thalweg topics"}, append(args, "-dir", dir)...)
	}
}

// TestConsumeFormats reads text, numbers and bytes that are neither.
func TestConsumeFormats(t *testing.T) {
	dir := t.TempDir()
	s := start(t, dir)
	defer s.stop(t, os.Interrupt)
	works(t, "", "topics", "create", "bytes", "-dir", dir)
	works(t, "\x00\x00\x00\x2a\n\xff\xfe\xfd\xfc\n", "produce", "bytes", "-dir", dir)
	consume := func(args ...string) string {
		t.Helper()
		return works(t, "", append([]string{"consume", "bytes", "-from-beginning", "-dir", dir}, args...)...)
	}
	if got := consume("-count", "1", "-values", "int32", "-format", "{partition}@{offset} {value}"); got != "0@0 42\n" {
		t.Errorf("int32: %q", got)
	}
	if got := consume("-to-end", "-values", "hex", "-read-uncommitted"); got != "0000002a\nfffefdfc\n" {
		t.Errorf("hex: %q", got)
	}
	last := strings.Split(consume("-to-end", "-json"), "\n")[1]
	var r struct {
		Value   string
		ValueIs string `json:"value_is"`
		Key     any
		Offset  int64
	}
	parse(t, last, &r)
	if r.Value != "//79/A==" || r.ValueIs != "base64" || r.Key != nil || r.Offset != 1 {
		t.Errorf("json: %+v of %s", r, last)
	}
	fails(t, []string{"bytes-0@0", "int64", "hex"}, "consume", "bytes", "-from-beginning", "-to-end", "-values", "int64", "-dir", dir)
	fails(t, []string{"partitions 0 to 0", "7"}, "consume", "bytes", "-partition", "7", "-dir", dir)
	fails(t, []string{"-values"}, "consume", "bytes", "-values", "float", "-dir", dir)
}

// TestServeSaysWhatIsInTheWay checks the errors of serve and of tools that find nothing.
func TestServeSaysWhatIsInTheWay(t *testing.T) {
	dir := t.TempDir()
	s := start(t, dir)
	defer s.stop(t, os.Interrupt)
	fails(t, []string{dir, s.addr, "choose another -dir"}, "serve", "-dir", dir, "-listen", "127.0.0.1:0")
	fails(t, []string{s.addr, "-listen"}, "serve", "-dir", t.TempDir(), "-listen", s.addr)
	fails(t, []string{"0.0.0.0:0", "-insecure"}, "serve", "-dir", t.TempDir(), "-listen", "0.0.0.0:0")
	empty := t.TempDir()
	fails(t, []string{empty, "no engine has run there"}, "topics", "list", "-dir", empty)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	nobody := l.Addr().String()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	fails(t, []string{nobody, "-brokers"}, "topics", "list", "-brokers", nobody)
	fails(t, []string{"unexpected argument"}, "topics", "paint")
}

// TestServeTakesAProgramsFolder serves the log that a program has left below its own folder.
func TestServeTakesAProgramsFolder(t *testing.T) {
	dir := t.TempDir()
	s := start(t, filepath.Join(dir, "log"))
	works(t, "", "topics", "create", "left", "-dir", filepath.Join(dir, "log"))
	if got := works(t, "", "topics", "list", "-dir", dir); !strings.Contains(got, "left") {
		t.Errorf("list by the program's folder printed %q", got)
	}
	s.stop(t, os.Interrupt)
	s = start(t, dir)
	if got := works(t, "", "topics", "list", "-brokers", s.addr); !strings.Contains(got, "left") {
		t.Errorf("the server does not have the topic: %q", got)
	}
	s.stop(t, os.Interrupt)
}

// TestHelp checks that everything can be asked for help.
func TestHelp(t *testing.T) {
	for _, args := range [][]string{
		{}, {"serve"}, {"topics"}, {"topics", "list"}, {"topics", "describe"}, {"topics", "create"}, {"topics", "delete"}, {"produce"}, {"consume"},
		{"groups"}, {"groups", "list"}, {"groups", "describe"}, {"groups", "delete"},
		{"users"}, {"users", "add"}, {"users", "list"}, {"users", "delete"},
	} {
		if got := works(t, "", append(args, "-help")...); !strings.Contains(got, "Usage: thalweg") || !strings.Contains(got, "--help") {
			t.Errorf("help of %q: %q", args, got)
		}
	}
}

func parse(t *testing.T, text string, into any) {
	t.Helper()
	if err := json.Unmarshal([]byte(text), into); err != nil {
		t.Fatalf("%v in %q", err, text)
	}
}
