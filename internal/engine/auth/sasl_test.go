package auth

import (
	"fmt"
	"testing"
	"time"
)

// people are users for tests, by name; nobody else has a credential.
type people map[string]Credential

func (p people) Credential(user string, m Mechanism) (Credential, bool) {
	if c, ok := p[user]; ok && m == ScramSHA256 {
		return c, true
	}
	return Decoy([]byte("secret"), user, m, 16, MinIterations), false
}

// FuzzExchange gives every mechanism any two messages: it may refuse them, but nobody gets in without a proof.
func FuzzExchange(f *testing.F) {
	for _, first := range []string{"", "\x00ann\x00secret", "n,,n=ann,r=nonce", "n,a=ann,n=ann,r=nonce", "y,,n=a=2Cb,r=n", "p=x,,n=ann,r=n", "n,,n==,r=n,m=1"} {
		for _, second := range []string{"", "c=biws,r=nonce,p=AAAA", "c=,r=,p="} {
			f.Add([]byte(first), []byte(second))
		}
	}
	salted := make([]byte, 32)
	users := people{"ann": FromSalted(ScramSHA256, salted, []byte("saltsaltsalt"), MinIterations)}
	f.Fuzz(func(t *testing.T, first, second []byte) {
		for _, name := range []string{NamePlain, NameScramSHA256, NameScramSHA512} {
			e := NewExchange(name, users)
			for _, m := range [][]byte{first, second, second} {
				if answer, err := e.Step(m); err != nil && answer != nil {
					t.Errorf("%s: %q is refused and answered %q", name, m, answer)
				}
				if e.User() != "" {
					t.Errorf("%s: %q, %q logs %q in", name, first, second, e.User())
				}
			}
		}
	})
}

// TestDecoysMatchNothing tries passwords on a user who does not exist.
func TestDecoysMatchNothing(t *testing.T) {
	for _, m := range []Mechanism{ScramSHA256, ScramSHA512} {
		c := Decoy([]byte("secret"), "bob", m, 40, MinIterations)
		if len(c.Salt) != 40 || len(c.StoredKey) != m.Size() || len(c.ServerKey) != m.Size() {
			t.Errorf("%s: salt, stored key and server key have %d, %d and %d bytes", m, len(c.Salt), len(c.StoredKey), len(c.ServerKey))
		}
		for _, password := range []string{"", "bob", "secret"} {
			if c.matches(m, password) {
				t.Errorf("%s: %q matches", m, password)
			}
		}
	}
}

// TestFailuresAreForgotten checks that delays begin anew after a while, that one host does not make another wait, and that
// the hosts remembered have a limit.
func TestFailuresAreForgotten(t *testing.T) {
	var f Failures
	now := time.Unix(0, 0)
	for _, want := range []time.Duration{firstDelay, 2 * firstDelay, 4 * firstDelay} {
		if got := f.Add("a", now); got != want {
			t.Errorf("a waits %v, want %v", got, want)
		}
	}
	if got := f.Add("b", now); got != firstDelay {
		t.Errorf("b waits %v", got)
	}
	if got := f.Add("a", now.Add(forget+1)); got != firstDelay {
		t.Errorf("a waits %v long after", got)
	}
	for i := range 2 * maxHosts {
		f.Add(fmt.Sprint(i), now.Add(forget+2))
	}
	if len(f.hosts) > maxHosts {
		t.Errorf("%d hosts are remembered, want at most %d", len(f.hosts), maxHosts)
	}
}
