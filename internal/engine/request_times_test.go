package engine

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/thalweg/thalweg/internal/engine/times"
)

// TestRequestTimesAreWork has requests wait, in virtual time, in which nothing takes any but a sync of the disk: that counts,
// and what was to happen elsewhere does not.
func TestRequestTimesAreWork(t *testing.T) {
	const disk = 30 * time.Millisecond
	synctest.Test(t, func(t *testing.T) {
		cfg := testConfig()
		cfg.InitialRebalanceDelay = 3 * time.Second
		e := openAt(t, slowFS{FS: vfs.NewMem(), delay: disk}, "data", cfg)
		createTopic(t, e, "words", 1, nil)
		produce(t, client(t, e), "words", 1)
		patient := func() *rawConn {
			c := rawDial(t, e)
			c.SetDeadline(time.Time{})
			return c
		}
		// waits sends requests at once on one connection, and takes their answers.
		waits := func(want time.Duration, requests ...kmsg.Request) {
			t.Helper()
			began, c := time.Now(), patient()
			for _, r := range requests {
				c.request(r, r.GetVersion(), 1)
			}
			for _, r := range requests {
				c.response(r)
			}
			if took := time.Since(began); took < want {
				t.Errorf("void: %T was answered after %v, it was to take %v", requests[0], took, want)
			}
		}
		waits(10*time.Second, fetchOf("words", 1, 10*time.Second), &kmsg.ListTransactionsRequest{Version: 1})
		waits(3*time.Second, joinOf("g"))
		dial := serveInMemory(t, e)
		began := time.Now()
		if resp := authenticate(dialRaw(t, dial), "PLAIN", "\x00bob\x00wrong"); resp.ErrorCode == 0 || time.Since(began) < 250*time.Millisecond {
			t.Errorf("void: a wrong password is answered %d after %v", resp.ErrorCode, time.Since(began))
		}
		closeEngine(t, e)

		took := map[string]times.Counts{}
		for _, of := range e.Metrics().Server.Times {
			took[of.API] = of.Counts
		}
		for api, most := range map[string]time.Duration{"Fetch": 0, "ListTransactions": 0, "SASLAuthenticate": 0, "JoinGroup": 2 * disk, "Produce": 2 * disk} {
			c, n := took[api], uint64(0)
			for _, class := range c.Classes {
				n += class
			}
			if n != 1 || c.Sum > most {
				t.Errorf("%d requests of %s took %v, want 1 and at most %v", n, api, c.Sum, most)
			}
		}
		if got := took["Produce"].Sum; got < disk {
			t.Errorf("a record was acknowledged in %v, and a sync takes %v", got, disk)
		}
	})
}

// fetchOf asks for a topic's partition 0 from an offset on, and waits.
func fetchOf(topic string, offset int64, wait time.Duration) kmsg.Request {
	r := kmsg.NewPtrFetchRequest()
	r.Version, r.MaxWaitMillis, r.MinBytes = 11, int32(wait.Milliseconds()), 1
	p := kmsg.NewFetchRequestTopicPartition()
	p.FetchOffset, p.PartitionMaxBytes = offset, 1<<20
	ft := kmsg.NewFetchRequestTopic()
	ft.Topic, ft.Partitions = topic, append(ft.Partitions, p)
	r.Topics = append(r.Topics, ft)
	return r
}

// joinOf joins a group as a member that does without an id.
func joinOf(group string) kmsg.Request {
	r := kmsg.NewPtrJoinGroupRequest()
	r.Version, r.Group, r.ProtocolType, r.SessionTimeoutMillis, r.RebalanceTimeoutMillis = 3, group, "consumer", 10_000, 45_000
	p := kmsg.NewJoinGroupRequestProtocol()
	p.Name, p.Metadata = "range", []byte{1}
	r.Protocols = append(r.Protocols, p)
	return r
}
