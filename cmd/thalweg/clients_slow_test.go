//go:build slow

package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// These tests want clients as others have written them: THALWEG_TEST_PYTHON is a Python with
// testdata/interop/requirements.txt, THALWEG_TEST_KAFKA_CLASSPATH what testdata/clients/pom.xml asks for. .ci/run gets both.

// foreign runs a program of another language and returns the lines it printed.
func foreign(t *testing.T, name string, args ...string) []string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), name, args...)
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s %q: %v\n%s%s", filepath.Base(name), args[max(0, len(args)-4):], err, out, errs.String())
	}
	return strings.Split(strings.TrimSpace(string(out)), "\n")
}

// java returns the arguments for a program of testdata/clients, or for a class of Kafka's own.
func java(t *testing.T, program string, args ...string) []string {
	t.Helper()
	return append([]string{"-Xmx256m", "-cp", tool(t, "THALWEG_TEST_KAFKA_CLASSPATH"), program}, args...)
}

// committedValues are those that clients.py and Clients.java leave committed.
func committedValues() (want []string) {
	for i := range 300 {
		want = append(want, fmt.Sprintf("plain-%d", i))
	}
	for n := 0; n < 6; n += 2 {
		for i := range 20 {
			want = append(want, fmt.Sprintf("txn-%d-%d", n, i))
		}
	}
	slices.Sort(want)
	return want
}

func TestPythonClients(t *testing.T) {
	for _, client := range []string{"kafka-python", "aiokafka", "confluent"} {
		t.Run(client, func(t *testing.T) {
			s := start(t, t.TempDir())
			defer s.stop(t, syscall.SIGTERM)
			got := foreign(t, tool(t, "THALWEG_TEST_PYTHON"), "testdata/clients/clients.py", client, s.addr)
			if !slices.Equal(got, committedValues()) {
				t.Errorf("%d values: %v", len(got), got)
			}
		})
	}
}

func TestJavaClients(t *testing.T) {
	for _, protocol := range []string{"classic", "consumer"} {
		t.Run(protocol, func(t *testing.T) {
			s := start(t, t.TempDir())
			defer s.stop(t, syscall.SIGTERM)
			got := foreign(t, "java", java(t, "testdata/clients/Clients.java", s.addr, protocol)...)
			if !slices.Equal(got, committedValues()) {
				t.Errorf("%d values: %v", len(got), got)
			}
		})
	}
}

func TestJavaConsoleTools(t *testing.T) {
	s := start(t, t.TempDir())
	defer s.stop(t, syscall.SIGTERM)
	at := []string{"--bootstrap-server", s.addr}
	kafka := func(class string, args ...string) string {
		t.Helper()
		return strings.Join(foreign(t, "java", java(t, "org.apache.kafka.tools."+class, append(slices.Clone(at), args...)...)...), "\n")
	}
	kafka("TopicCommand", "--create", "--topic", "orders", "--partitions", "3", "--config", "retention.ms=3600000")
	works(t, "a=1\nb=2\nc=3\n", "produce", "orders", "-key-separator", "=", "-brokers", s.addr)
	for _, c := range []struct{ class, args, want string }{
		{"TopicCommand", "--describe --topic orders", "PartitionCount: 3"},
		{"TopicCommand", "--describe --topic orders", "retention.ms=3600000"},
		{"consumer.ConsoleConsumer", "--topic orders --group g --from-beginning --max-messages 3 --timeout-ms 20000", "2"},
		{"consumer.group.ConsumerGroupCommand", "--describe --group g", "orders"},
		{"consumer.group.ConsumerGroupCommand", "--list", "g"},
		{"GetOffsetShell", "--topic orders", "orders:"},
	} {
		if got := kafka(c.class, strings.Fields(c.args)...); !strings.Contains(got, c.want) {
			t.Errorf("%s %s:\n%s", c.class, c.args, got)
		}
	}
}

// loginFile returns a configuration of Kafka's tools with which a user logs in, whose password is "secret".
func loginFile(t *testing.T, user string) string {
	t.Helper()
	return propertiesFile(t, "login.properties", login("SASL_PLAINTEXT", "SCRAM-SHA-256", user, "secret")...)
}

// TestJavaACLTool lets Kafka's own tool decide who may do what, and its consumer and idempotent producer find out.
func TestJavaACLTool(t *testing.T) {
	dir := t.TempDir()
	for _, user := range []string{"root", "ann"} {
		works(t, "secret", "users", "add", user, "-dir", dir)
	}
	s := start(t, dir, "-auth", "-acls", "-super-user", "root")
	defer s.stop(t, syscall.SIGTERM)
	root, ann := loginFile(t, "root"), loginFile(t, "ann")
	acls := func(args ...string) string {
		t.Helper()
		all := append([]string{"--bootstrap-server", s.addr, "--command-config", root}, args...)
		return strings.Join(foreign(t, "java", java(t, "org.apache.kafka.tools.AclCommand", all...)...), "\n")
	}
	consume := java(t, "org.apache.kafka.tools.consumer.ConsoleConsumer", "--bootstrap-server", s.addr, "--command-config", ann, "--topic", "orders", "--group", "g",
		"--from-beginning", "--max-messages", "2", "--timeout-ms", "20000")
	works(t, "", "topics", "create", "orders", "-dir", dir, "-user", "root", "-password-file", passwordFile(t, "secret"))
	acls("--add", "--allow-principal", "User:ann", "--producer", "--topic", "ord", "--resource-pattern-type", "prefixed")
	produce := exec.CommandContext(t.Context(), "java", java(t, "org.apache.kafka.tools.ConsoleProducer", "--bootstrap-server", s.addr, "--command-config", ann, "--topic", "orders")...)
	produce.Stdin = strings.NewReader("1\n2\n")
	if out, err := produce.CombinedOutput(); err != nil || strings.Contains(string(out), "ERROR") {
		t.Fatalf("producing: %v\n%s", err, out)
	}
	denied := exec.CommandContext(t.Context(), "java", consume...)
	if out, _ := denied.CombinedOutput(); !strings.Contains(string(out), "a total of 0 messages") {
		t.Errorf("without an ACL the consumer says\n%s", out)
	}
	acls("--add", "--allow-principal", "User:ann", "--allow-host", "127.0.0.1", "--consumer", "--topic", "orders", "--group", "g")
	if got := foreign(t, "java", consume...); !slices.Equal(got, []string{"1", "2"}) {
		t.Errorf("with ACLs the consumer reads %q", got)
	}
	listed := acls("--list", "--topic", "orders", "--resource-pattern-type", "match")
	for _, want := range []string{"name=ord, patternType=PREFIXED", "name=orders, patternType=LITERAL", "(principal=User:ann, host=127.0.0.1, operation=READ, permissionType=ALLOW)"} {
		if !strings.Contains(listed, want) {
			t.Errorf("the list does not say %s:\n%s", want, listed)
		}
	}
	acls("--remove", "--force", "--topic", "ord", "--resource-pattern-type", "prefixed")
	if listed := acls("--list"); strings.Contains(listed, "PREFIXED") || !strings.Contains(listed, "resourceType=GROUP, name=g") {
		t.Errorf("after the removal:\n%s", listed)
	}
}

// TestJavaStreamsCountsExactly kills Kafka Streams' word count in the middle of its input and lets it finish in a second life.
func TestJavaStreamsCountsExactly(t *testing.T) {
	s := start(t, t.TempDir())
	defer s.stop(t, syscall.SIGTERM)
	for _, topic := range []string{"lines", "counts"} {
		works(t, "", "topics", "create", topic, "-partitions", "2", "-brokers", s.addr)
	}
	want := map[string]int{}
	var lines [2]strings.Builder
	for i := range 20_000 {
		word, other := fmt.Sprintf("w%d", i*i%997), fmt.Sprintf("v%d", i%13)
		want[word]++
		want[other]++
		fmt.Fprintf(&lines[i/10_000], "%s %s\n", word, other)
	}
	state := t.TempDir()
	life := func() *exec.Cmd {
		cmd := exec.CommandContext(t.Context(), "java", java(t, "testdata/clients/WordCount.java", s.addr, state)...)
		cmd.Stderr = os.Stderr
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		return cmd
	}
	// counts returns the last count of each word, and their sum.
	counts := func() (map[string]int, int) {
		last := map[string]int{}
		for line := range strings.Lines(works(t, "", "consume", "counts", "-from-beginning", "-to-end", "-format", `{key} {value}`, "-brokers", s.addr)) {
			var word string
			var n int
			if _, err := fmt.Sscan(line, &word, &n); err != nil {
				t.Fatalf("%q: %v", line, err)
			}
			last[word] = n
		}
		sum := 0
		for _, n := range last {
			sum += n
		}
		return last, sum
	}
	reach := func(least int, cmd *exec.Cmd) map[string]int {
		t.Helper()
		for deadline := time.Now().Add(90 * time.Second); ; {
			last, sum := counts()
			if sum >= least {
				return last
			}
			if time.Now().After(deadline) {
				_ = cmd.Process.Kill()
				t.Fatalf("%d of %d words counted in time", sum, least)
			}
		}
	}
	works(t, lines[0].String(), "produce", "lines", "-brokers", s.addr)
	first := life()
	reach(1, first)
	works(t, lines[1].String(), "produce", "lines", "-brokers", s.addr)
	if err := first.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = first.Wait() // it was killed
	second := life()
	got := reach(40_000, second)
	_ = second.Process.Kill()
	_ = second.Wait()
	for word, n := range want {
		if got[word] != n {
			t.Errorf("%s: %d, want %d", word, got[word], n)
		}
	}
	if len(got) != len(want) {
		t.Errorf("%d words, want %d", len(got), len(want))
	}
}
