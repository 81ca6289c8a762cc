package main

import (
	"strings"
	"syscall"
	"testing"
)

// TestConfigs sets and unsets settings of topics, through a server and on its folder afterwards.
func TestConfigs(t *testing.T) {
	dir := t.TempDir()
	s := start(t, dir)
	works(t, "", "topics", "create", "a", "b", "-dir", dir)
	fails(t, []string{"-topic or -broker"}, "configs", "describe", "-dir", dir)
	fails(t, []string{"-topic or -broker"}, "configs", "set", "retention.ms=1", "-topic", "a", "-broker", "1", "-dir", dir)
	fails(t, []string{`"retention.ms"`, "NAME=VALUE"}, "configs", "set", "retention.ms", "-topic", "a", "-dir", dir)
	fails(t, []string{`"nowhere"`, "UNKNOWN_TOPIC_OR_PARTITION"}, "configs", "set", "retention.ms=1000", "-topic", "nowhere", "-dir", dir)
	fails(t, []string{`topic "a"`, "INVALID_CONFIG", "retention.mss"}, "configs", "set", "retention.mss=1000", "-topic", "a", "-dir", dir)
	fails(t, []string{`broker "1"`, "INVALID_REQUEST"}, "configs", "set", "num.partitions=9", "-broker", "1", "-dir", dir)
	if got := works(t, "", "configs", "set", "retention.ms=1000", "cleanup.policy=compact,delete", "-topic", "a,b", "-dir", dir); got != "set retention.ms\nset cleanup.policy\n" {
		t.Errorf("set printed %q", got)
	}
	works(t, "", "configs", "unset", "retention.ms", "-topic", "b", "-dir", dir)
	describe := func(args ...string) string {
		return strings.Join(strings.Fields(works(t, "", append([]string{"configs", "describe", "-dir", dir}, args...)...)), " ")
	}
	want := "TOPIC SETTING VALUE SOURCE a cleanup.policy compact,delete topic a retention.ms 1000 topic b cleanup.policy compact,delete topic"
	if got := describe("-topic", "a,b"); got != want {
		t.Errorf("describe printed %q", got)
	}
	if got := describe("-topic", "b", "-all"); !strings.Contains(got, "b retention.ms 604800000 default") {
		t.Errorf("describe -all printed %q", got)
	}
	if got := describe("-broker", "1"); !strings.HasPrefix(got, "BROKER SETTING VALUE SOURCE") || !strings.Contains(got, "1 num.partitions 1 static-broker") {
		t.Errorf("describe of the broker printed %q", got)
	}
	s.stop(t, syscall.SIGTERM)
	var kept map[string][]struct{ Name, Value string }
	parse(t, works(t, "", "configs", "describe", "-topic", "a", "-json", "-dir", dir), &kept)
	if len(kept["a"]) != 2 || kept["a"][1].Value != "1000" {
		t.Errorf("the log has %+v", kept)
	}
}
