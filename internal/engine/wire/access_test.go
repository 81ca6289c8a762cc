package wire

import (
	"testing"

	"github.com/thalweg/thalweg/internal/engine/auth"
)

// TestEveryAPIHasItsNeeds wants a line of every API that is served, with operations that there are.
func TestEveryAPIHasItsNeeds(t *testing.T) {
	for key, a := range apis {
		line, ok := needs[key]
		if !ok {
			t.Errorf("%s (%d) has no line in the table of needs", a.name, key)
		}
		if len(line) == 0 && !a.early {
			t.Errorf("%s (%d) needs nothing", a.name, key)
		}
		for _, n := range line {
			if !n.on.Supported().Has(n.op) {
				t.Errorf("%s (%d) needs operation %d, which there is not on resources of type %d", a.name, key, n.op, n.on)
			}
		}
	}
}

// TestDecisionsAllocateNothing asks again and again what a connection was told already, and where ACLs are off.
func TestDecisionsAllocateNothing(t *testing.T) {
	s := newTestServer(t)
	ann := "ann"
	c := &conn{server: s, host: "10.0.0.1"}
	c.user.Store(&ann)
	r := &request{Server: s, conn: c, api: apis[0]}
	want := true
	ask := func() {
		if r.may(auth.Topic, "words") != want || r.refusal(auth.Topic, "words") == 0 != want {
			t.Fatalf("the client may not be told %v", want)
		}
	}
	if n := testing.AllocsPerRun(100, ask); n != 0 {
		t.Errorf("without ACLs a decision allocates %v times", n)
	}
	s.cfg.ACLs = true
	want = false
	ask()
	a := auth.ACL{Resource: auth.Topic, Name: "words", Pattern: auth.Literal, Principal: "User:ann", Host: "*", Operation: auth.Write, Permission: auth.Allow}
	if err := s.meta.AddACLs([]auth.ACL{a})[0]; err != nil {
		t.Fatal(err)
	}
	want = true
	ask()
	if n := testing.AllocsPerRun(100, ask); n != 0 {
		t.Errorf("a decision that was made before allocates %v times", n)
	}
	for i := range 3 * maxKnown {
		c.allowed(auth.Read, auth.Topic, string(rune(i)))
	}
	if n := len(c.access.known); n > maxKnown {
		t.Errorf("%d decisions are remembered", n)
	}
}
