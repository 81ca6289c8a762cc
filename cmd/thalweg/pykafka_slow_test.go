//go:build slow

package main

import (
	"fmt"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// TestPythonClientOfMessageSets has pykafka 2.8 write what this program reads, and read what it writes, alone and in a group
// whose positions outlive its processes. All of it needs -legacy: pykafka knows no record batches, whatever broker it is
// told to expect.
func TestPythonClientOfMessageSets(t *testing.T) {
	for _, version := range []string{"0.9.0", "1.0.0"} {
		t.Run(version, func(t *testing.T) {
			s := start(t, t.TempDir(), "-legacy", "-partitions", "3")
			defer s.stop(t, syscall.SIGTERM)
			old := func(args ...string) []string {
				return foreign(t, tool(t, "THALWEG_TEST_PYTHON"), append([]string{"-W", "ignore", "testdata/clients/old.py", s.addr, version}, args...)...)
			}
			number := 0
			write := func(n int) (lines []string) {
				for range n {
					lines = append(lines, fmt.Sprintf("new-%d=value %d", number, number))
					number++
				}
				works(t, strings.Join(lines, "\n")+"\n", "produce", "words", "-key-separator", "=", "-brokers", s.addr)
				return lines
			}
			same := func(what string, got, want []string) {
				t.Helper()
				slices.Sort(got)
				slices.Sort(want)
				i := 0
				for i < min(len(got), len(want)) && got[i] == want[i] {
					i++
				}
				if !slices.Equal(got, want) {
					t.Errorf("%s: %d values, want %d, which differ from %q, %q on", what, len(got), len(want), got[i:min(i+1, len(got))], want[i:min(i+1, len(want))])
				}
			}
			all := old("write", "words") // makes the topic
			if len(all) != 241 {
				t.Fatalf("%d values were written: %q", len(all), all)
			}
			all = append(all, write(150)...)
			today := works(t, "", "consume", "words", "-from-beginning", "-to-end", "-format", "{key}={value}", "-brokers", s.addr)
			same("by a client of today", strings.Split(strings.TrimSpace(today), "\n"), slices.Clone(all))
			same("by a consumer of its own", old("read", "words", "alone", strconv.Itoa(len(all))), slices.Clone(all))
			same("by a group", old("share", "words", "group", strconv.Itoa(len(all))), slices.Clone(all))
			more := write(40)
			same("by the consumer again", old("read", "words", "alone", "40"), slices.Clone(more))
			same("by the group again", old("share", "words", "group", "40"), slices.Clone(more))
		})
	}
}

// TestPythonClientOfMessageSetsIsRefused: without -legacy nothing is written, and the log says what to do.
func TestPythonClientOfMessageSetsIsRefused(t *testing.T) {
	s := start(t, t.TempDir())
	out, err := exec.CommandContext(t.Context(), tool(t, "THALWEG_TEST_PYTHON"), "-W", "ignore", "testdata/clients/old.py", s.addr, "0.9.0", "write", "words").CombinedOutput()
	s.stop(t, syscall.SIGTERM)
	if err == nil || !strings.Contains(string(out), "SocketDisconnectedError") {
		t.Errorf("pykafka ended with %v: %s", err, out)
	}
	if log := s.log.String(); !strings.Contains(log, "pykafka") || !strings.Contains(log, "-legacy") {
		t.Errorf("the log does not say who came and what to do:\n%s", log)
	}
}
