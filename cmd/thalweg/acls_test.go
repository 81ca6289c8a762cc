package main

import (
	"strings"
	"syscall"
	"testing"
)

// TestACLs makes the first ACLs on a folder without a server, and changes them through one that decides by them.
func TestACLs(t *testing.T) {
	dir := t.TempDir()
	for _, user := range []string{"root", "ann"} {
		works(t, "secret\n", "users", "add", user, "-dir", dir)
	}
	fails(t, []string{"-acls", "-auth", "-tls-client-ca"}, "serve", "-acls", "-dir", dir, "-listen", "127.0.0.1:0")
	fails(t, []string{"nobody could do anything", "-super-user", "thalweg acls allow"}, "serve", "-acls", "-auth", "-dir", dir, "-listen", "127.0.0.1:0")
	fails(t, []string{"no resource", "-topic"}, "acls", "allow", "ann", "read", "-dir", dir)
	fails(t, []string{`unknown operation "reed"`}, "acls", "allow", "ann", "reed", "-topic", "words", "-dir", dir)
	fails(t, []string{"INVALID_REQUEST", "write of group"}, "acls", "allow", "ann", "write", "-group", "g", "-dir", dir)
	works(t, "", "acls", "allow", "ann", "write", "create", "-topic-prefix", "wor", "-dir", dir)
	s := start(t, dir, "-auth", "-acls", "-super-user", "root")
	password := passwordFile(t, "secret")
	as := func(user string, args ...string) []string {
		return append(args, "-dir", dir, "-user", user, "-password-file", password)
	}
	works(t, "", as("ann", "topics", "create", "words")...)
	works(t, "a\nb\n", as("ann", "produce", "words")...)
	fails(t, []string{"TOPIC_AUTHORIZATION_FAILED"}, as("ann", "topics", "create", "other")...)
	fails(t, []string{"CLUSTER_AUTHORIZATION_FAILED"}, as("ann", "acls", "allow", "ann", "all", "-topic", "*")...)
	fails(t, []string{"TOPIC_AUTHORIZATION_FAILED"}, as("ann", "consume", "words", "-from-beginning", "-to-end")...)
	works(t, "", as("root", "acls", "allow", "ann", "read", "-topic", "words", "-group", "g", "-host", "127.0.0.1")...)
	if got := works(t, "", as("ann", "consume", "words", "-from-beginning", "-to-end")...); got != "a\nb\n" {
		t.Errorf("consume printed %q", got)
	}
	works(t, "", as("root", "acls", "deny", "*", "write", "-topic", "words", "-transactional-id-prefix", "x")...)
	if out, errs, err := call(t, "c\n", as("ann", "produce", "words")...); err == nil || !strings.Contains(errs, "TOPIC_AUTHORIZATION_FAILED") {
		t.Errorf("a write that is denied: %v, %s%s", err, out, errs)
	}
	want := "USER HOST PERMISSION OPERATION RESOURCE PATTERN NAME " +
		"ann 127.0.0.1 allow read topic literal words ann * allow write topic prefixed wor ann * allow create topic prefixed wor ann 127.0.0.1 allow read group literal g"
	if got := works(t, "", as("root", "acls", "list", "ann")...); strings.Join(strings.Fields(got), " ") != want {
		t.Errorf("list printed\n%s", got)
	}
	var removed []struct{ Name, Operation, Permission string }
	parse(t, works(t, "", as("root", "acls", "remove", "*", "write", "-topic", "words", "-json")...), &removed)
	if len(removed) != 1 || removed[0].Name != "words" || removed[0].Permission != "deny" {
		t.Errorf("removed %+v", removed)
	}
	works(t, "", as("root", "acls", "remove", "ann")...)
	fails(t, []string{"there is no such ACL"}, as("root", "acls", "remove", "ann")...)
	s.stop(t, syscall.SIGTERM)
	parse(t, works(t, "", "acls", "list", "-json", "-dir", dir), &removed)
	if len(removed) != 1 || removed[0].Name != "x" {
		t.Errorf("the log has %+v", removed)
	}
}
