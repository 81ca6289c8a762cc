package engine

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// TestEngineInVirtualTime runs an engine and its clients in a bubble of virtual time: what takes minutes is over at
// once, and happens at its very second.
func TestEngineInVirtualTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e, err := Open(vfs.NewMem(), "data", testConfig())
		if err != nil {
			t.Fatal(err)
		}
		ctx := context.Background()
		c, err := kgo.NewClient(kgo.SeedBrokers(e.Addr()), kgo.Dialer(e.Dial), kgo.TransactionalID("slow"), kgo.TransactionTimeout(10*time.Minute))
		if err != nil {
			t.Fatal(err)
		}
		adm := kadm.NewClient(c)
		if _, err := adm.CreateTopic(ctx, 1, 1, nil, "words"); err != nil {
			t.Fatal(err)
		}
		if err := c.BeginTransaction(); err != nil {
			t.Fatal(err)
		}
		if err := c.ProduceSync(ctx, &kgo.Record{Topic: "words", Value: []byte("v")}).FirstErr(); err != nil {
			t.Fatal(err)
		}
		opened := time.Now()
		join := kmsg.NewPtrJoinGroupRequest()
		join.Group, join.ProtocolType, join.SessionTimeoutMillis, join.RebalanceTimeoutMillis = "g", "consumer", 45_000, 45_000
		p := kmsg.NewJoinGroupRequestProtocol()
		p.Name, p.Metadata = "range", []byte{1}
		join.Protocols = append(join.Protocols, p)
		join.InstanceID = kmsg.StringPtr("i")
		if resp, err := join.RequestWith(ctx, c); err != nil || resp.ErrorCode != 0 {
			t.Fatal(err, resp)
		}
		state := func() (group, txn string) {
			groups, err := adm.DescribeGroups(ctx, "g")
			if err != nil {
				t.Fatal(err)
			}
			txns, err := adm.DescribeTransactions(ctx, "slow")
			if err != nil {
				t.Fatal(err)
			}
			return groups["g"].State, txns["slow"].State
		}
		for _, step := range []struct {
			at         time.Duration
			group, txn string
		}{
			{40 * time.Second, "CompletingRebalance", "Ongoing"},
			{50 * time.Second, "Empty", "Ongoing"},
			{9*time.Minute + 55*time.Second, "Empty", "Ongoing"},
			{10*time.Minute + 5*time.Second, "Dead", "CompleteAbort"}, // a group with nothing left is swept after ten minutes
		} {
			time.Sleep(time.Until(opened.Add(step.at)))
			if group, txn := state(); group != step.group || txn != step.txn {
				t.Errorf("after %s: group %s, transaction %s; want %s, %s", step.at, group, txn, step.group, step.txn)
			}
		}
		c.Close()
		if err := e.Close(ctx); err != nil {
			t.Error(err)
		}
	})
}

// TestFirstRebalanceWaitsForMore lets a second member come while the first rebalance of a group is delayed: the delay
// begins again, and both are in the first generation.
func TestFirstRebalanceWaitsForMore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := testConfig()
		cfg.InitialRebalanceDelay = 3 * time.Second
		e, err := Open(vfs.NewMem(), "data", cfg)
		if err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		type joined struct {
			resp  *kmsg.JoinGroupResponse
			after time.Duration
		}
		answers := make(chan joined)
		for i := range 2 {
			go func() {
				time.Sleep(time.Duration(i) * 2 * time.Second)
				join := joinOf("g")
				c := rawDial(t, e)
				c.SetDeadline(time.Time{})
				c.request(join, 3, 1)
				answers <- joined{c.response(join).(*kmsg.JoinGroupResponse), time.Since(start)}
			}()
		}
		leaders := 0
		for range 2 {
			a := <-answers
			if a.resp.ErrorCode != 0 || a.resp.Generation != 1 || a.after != 6*time.Second {
				t.Errorf("answered after %s: error %d, generation %d", a.after, a.resp.ErrorCode, a.resp.Generation)
			}
			if len(a.resp.Members) == 2 {
				leaders++
			}
		}
		if leaders != 1 {
			t.Errorf("%d members were told of both", leaders)
		}
		if err := e.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
}
