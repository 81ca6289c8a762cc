package wire

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"testing"
	"testing/synctest"
	"time"
)

func TestMemoryConnectionCarriesBytesBothWays(t *testing.T) {
	t.Logf("-seed %d", *seed)
	client, server := memPipe("c", "s:1")
	r := rand.New(rand.NewPCG(*seed, 4))
	want := make([]byte, 3*ringBytes+17)
	for i := range want {
		want[i] = byte(r.Uint32())
	}
	for _, ends := range [][2]net.Conn{{client, server}, {server, client}} {
		sizes := rand.New(rand.NewPCG(*seed, 5))
		go func() {
			for left := want; len(left) > 0; {
				n := min(len(left), 1+sizes.IntN(ringBytes))
				if _, err := ends[0].Write(left[:n]); err != nil {
					t.Error(err)
					return
				}
				left = left[n:]
			}
		}()
		got := make([]byte, len(want))
		if _, err := io.ReadFull(ends[1], got); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, want) {
			t.Fatal("the bytes differ")
		}
	}
}

func TestMemoryConnectionDeadlines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, server := memPipe("c", "s:1")
		defer client.Close()
		defer server.Close()
		timedOut := func(what string, err error) {
			t.Helper()
			var ne net.Error
			if !errors.Is(err, os.ErrDeadlineExceeded) || !errors.As(err, &ne) || !ne.Timeout() {
				t.Errorf("%s: %v", what, err)
			}
		}
		start := time.Now()
		client.SetReadDeadline(start.Add(time.Second))
		_, err := client.Read(make([]byte, 1))
		timedOut("read", err)
		if d := time.Since(start); d != time.Second {
			t.Errorf("read returned after %s", d)
		}
		// A deadline set while a read waits ends it; a cleared one lets reads go on.
		client.SetReadDeadline(time.Time{})
		done := make(chan error)
		go func() { _, err := client.Read(make([]byte, 1)); done <- err }()
		synctest.Wait()
		client.SetReadDeadline(time.Now())
		timedOut("waiting read", <-done)
		client.SetDeadline(time.Time{})
		server.Write([]byte{9})
		b := make([]byte, 1)
		if n, err := client.Read(b); n != 1 || err != nil || b[0] != 9 {
			t.Errorf("read %d, %v", n, err)
		}
		client.SetWriteDeadline(time.Now().Add(time.Minute))
		n, err := client.Write(make([]byte, 2*ringBytes))
		timedOut("write", err)
		if n != ringBytes {
			t.Errorf("%d bytes written, the ring has %d", n, ringBytes)
		}
	})
}

func TestMemoryConnectionClose(t *testing.T) {
	client, server := memPipe("c", "s:1")
	client.Write([]byte("last words"))
	client.Close()
	got, err := io.ReadAll(server)
	if string(got) != "last words" || err != nil {
		t.Errorf("%q, %v", got, err)
	}
	if _, err := server.Write([]byte{1}); err == nil {
		t.Error("a write to a closed peer succeeded")
	}
	if _, err := client.Read(make([]byte, 1)); err == nil {
		t.Error("a read after close succeeded")
	}
}

// TestBudgetLetsInWhatFits checks that a claim waits for room and that who gave up takes none.
func TestBudgetLetsInWhatFits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBudget(10)
		if err := b.take(t.Context(), 25); err != nil { // alone: let in
			t.Fatal(err)
		}
		taken := make(chan error, 1)
		go func() { taken <- b.take(t.Context(), 4) }()
		synctest.Wait()
		select {
		case <-taken:
			t.Fatal("let in above the limit")
		default:
		}
		b.give(25)
		if err := <-taken; err != nil {
			t.Fatal(err)
		}
		b.give(4)
		if b.used != 0 || len(b.queued) != 0 {
			t.Errorf("%d bytes used, %d queued", b.used, len(b.queued))
		}
	})
}
