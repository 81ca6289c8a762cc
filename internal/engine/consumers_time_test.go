package engine

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/thalweg/thalweg/internal/engine/code"
)

// beatUntil has members beat each second up to a time.
func beatUntil(t *testing.T, at time.Time, members ...*beater) {
	t.Helper()
	for time.Now().Before(at) {
		time.Sleep(min(time.Second, time.Until(at)))
		for _, m := range members {
			if c := m.beat(nil); c != code.None {
				t.Fatalf("member %s: %v", m.id, c)
			}
		}
	}
}

// TestConsumerThatHoldsOnIsRemoved follows a member that beats, and says each time that it has all partitions: it has the
// time that it has asked for to give some up (KIP-848, "Rebalance timeout"), and others get them only then.
func TestConsumerThatHoldsOnIsRemoved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := open(t, testConfig())
		createTopic(t, e, "words", 4, nil)
		a, b := &beater{t: t, e: e, id: "a"}, &beater{t: t, e: e, id: "b"}
		wantCode(t, "a joins", a.join("words"), code.None) // with a rebalance timeout of 30 s
		had := a.has
		wantCode(t, "b joins", b.join("words"), code.None)
		told := time.Now()
		for time.Since(told) < 29*time.Second {
			wantCode(t, "a holds on", a.beat(nil), code.None)
			a.has = had
			wantCode(t, "b waits", b.beat(nil), code.None)
			wantPartitions(t, "while a holds on", b)
			time.Sleep(time.Second)
		}
		time.Sleep(2 * time.Second)
		wantCode(t, "a after its time", a.beat(nil), code.UnknownMemberID)
		settle(t, b)
		wantPartitions(t, "after a is out", b, 0, 1, 2, 3)

		// Who gives up in the last second stays.
		wantCode(t, "a comes back", a.join("words"), code.None)
		wantCode(t, "b is told", b.beat(nil), code.None)
		told = time.Now()
		time.Sleep(29 * time.Second)
		wantCode(t, "b gives up", b.beat(nil), code.None)
		beatUntil(t, told.Add(2*time.Minute), a, b)
		if len(a.partitions()) != 2 || len(b.partitions()) != 2 {
			t.Errorf("a has %v, b %v", a.partitions(), b.partitions())
		}
	})
}

// TestTimeToGiveUpBeginsAnewAfterARestart: the engine was away, so it cannot know when the member heard of it.
func TestTimeToGiveUpBeginsAnewAfterARestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fs := vfs.NewMem()
		e := openAt(t, fs, "data", testConfig())
		createTopic(t, e, "words", 4, nil)
		a, b := &beater{t: t, e: e, id: "a"}, &beater{t: t, e: e, id: "b"}
		wantCode(t, "a joins", a.join("words"), code.None)
		had := a.has
		wantCode(t, "b joins", b.join("words"), code.None)
		wantCode(t, "a is told", a.beat(nil), code.None)
		time.Sleep(20 * time.Second)
		closeEngine(t, e)
		e = openAt(t, fs, "data", testConfig())
		a.e, b.e, a.has = e, e, had
		restarted := time.Now()
		for time.Since(restarted) < 29*time.Second {
			wantCode(t, "a holds on", a.beat(nil), code.None)
			a.has = had
			time.Sleep(time.Second)
		}
		time.Sleep(2 * time.Second)
		wantCode(t, "a after its time", a.beat(nil), code.UnknownMemberID)
	})
}

// TestStaticConsumerThatStaysAwayIsRemoved: the partitions of an instance that has left for a while are kept for a session,
// counted from what was last heard of it, or from a restart of the engine, and no longer. That it had not confirmed what it
// was to give up when it went, and has no more than 30 s for, makes no difference.
func TestStaticConsumerThatStaysAwayIsRemoved(t *testing.T) {
	for _, restart := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			fs := vfs.NewMem()
			e := openAt(t, fs, "data", testConfig())
			createTopic(t, e, "words", 4, nil)
			host := "host-1"
			a, b := &beater{t: t, e: e, id: "a", instance: &host}, &beater{t: t, e: e, id: "b"}
			wantCode(t, "a joins", a.join("words"), code.None)
			wantCode(t, "b joins", b.join("words"), code.None)
			wantCode(t, "a is told", a.beat(nil), code.None)
			heard := time.Now()
			time.Sleep(10 * time.Second)
			wantCode(t, "a leaves for a while", a.leave(-2), code.None)
			if restart {
				closeEngine(t, e)
				e = openAt(t, fs, "data", testConfig())
				b.e, heard = e, time.Now()
			}
			beatUntil(t, heard.Add(44*time.Second), b)
			if n := len(b.partitions()); n != 2 {
				t.Errorf("b has %d partitions while a is away, want 2", n)
			}
			beatUntil(t, heard.Add(46*time.Second), b)
			wantPartitions(t, "a session later", b, 0, 1, 2, 3)
			a.e = e
			wantCode(t, "a comes back as new", a.join("words"), code.None)
			wantPartitions(t, "as long as b has all", a)
		})
	}
}

// TestClassicMembersOfConsumersHaveTheirTimes: who is told to join again has its rebalance timeout to do so, who has joined has
// it to sync, and who says nothing its own session.
func TestClassicMembersOfConsumersHaveTheirTimes(t *testing.T) {
	for _, x := range []struct {
		name  string
		do    func(*oldMember) code.Code // every second
		after time.Duration              // counted from the first time
	}{
		{"silent", nil, 10 * time.Second},
		{"beats only", (*oldMember).beat, 20 * time.Second},
		{"joins, then beats only", func(m *oldMember) code.Code {
			if m.generation == 1 {
				return m.rejoin("words")
			}
			return m.beat()
		}, 20 * time.Second},
	} {
		synctest.Test(t, func(t *testing.T) {
			e := open(t, testConfig())
			createTopic(t, e, "words", 4, nil)
			old, a := &oldMember{t: t, e: e}, &beater{t: t, e: e, id: "a"}
			wantCode(t, "the classic member joins", old.join("words"), code.None)
			began := time.Now()
			wantCode(t, "a joins", a.join("words"), code.None)
			for time.Since(began) < x.after+2*time.Second {
				in := len(describeConsumers(t, e).Members) == 2
				if want := time.Since(began) < x.after; in != want && time.Since(began) != x.after {
					t.Fatalf("%s: after %s it is a member: %v, want %v", x.name, time.Since(began), in, want)
				}
				if x.do != nil && in {
					x.do(old)
				}
				wantCode(t, "a beats", a.beat(nil), code.None)
				time.Sleep(time.Second)
			}
			settle(t, a)
			wantPartitions(t, x.name, a, 0, 1, 2, 3)
		})
	}
}
