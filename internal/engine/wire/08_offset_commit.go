package wire

import (
	"context"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/thalweg/thalweg/internal/engine/auth"
	"github.com/thalweg/thalweg/internal/engine/code"
	"github.com/thalweg/thalweg/internal/engine/coord"
	"github.com/thalweg/thalweg/internal/engine/log"
)

// OffsetCommit: v0-10
//
// Behavior:
//   - Answered when the offsets are durable. Partitions that do not exist fail one by one.
//   - Version 0, which once meant ZooKeeper, is stored as version 1 is.
//
// Version notes:
//   - v1: a timestamp for each partition; v2-4: a retention for all
//   - v7: group.instance.id
//   - v9: STALE_MEMBER_EPOCH, to members by KIP-848; before it UNSUPPORTED_VERSION
//   - v10: topics by id
const offsetCommitShape = "s i@1 s@1 s@7 l@2-4 (s@0-9 u@10 (i l l@1-1 i@6 s))"

func offsetCommit(r *request) kmsg.Response {
	req := r.body.(*kmsg.OffsetCommitRequest)
	resp := req.ResponseKind().(*kmsg.OffsetCommitResponse)
	from := coord.Sender{Group: req.Group, Generation: req.Generation, MemberID: req.MemberID, Instance: req.InstanceID}
	if r.version == 0 {
		from.Generation = -1
	}
	retention := time.Duration(-1)
	if r.version >= 2 && r.version <= 4 && req.RetentionTimeMillis >= 0 {
		retention = time.Duration(req.RetentionTimeMillis) * time.Millisecond
	}
	refused := r.refusal(auth.Group, req.Group)
	n := 0
	for i := range req.Topics {
		n += len(req.Topics[i].Partitions)
	}
	commits := make([]coord.Commit, 0, n)
	at := make([][2]int, 0, n) // where the answer to each commit belongs
	resp.Topics = make([]kmsg.OffsetCommitResponseTopic, 0, len(req.Topics))
	for i := range req.Topics {
		rt := &req.Topics[i]
		st := kmsg.NewOffsetCommitResponseTopic()
		st.Topic, st.TopicID = rt.Topic, rt.TopicID
		st.Partitions = make([]kmsg.OffsetCommitResponseTopicPartition, 0, len(rt.Partitions))
		for j := range rt.Partitions {
			rp := &rt.Partitions[j]
			sp := kmsg.NewOffsetCommitResponseTopicPartition()
			sp.Partition = rp.Partition
			name, c := r.topicPartition(rt.Topic, rt.TopicID, r.version >= 10, rp.Partition)
			if refused != code.None {
				c = refused
			}
			if sp.ErrorCode = int16(c); c == code.None {
				x := coord.Commit{
					TopicPartition: coord.TopicPartition{Topic: name, Partition: rp.Partition},
					Offset:         rp.Offset, LeaderEpoch: -1, Metadata: deref(rp.Metadata), Timestamp: -1,
				}
				if r.version >= 6 {
					x.LeaderEpoch = rp.LeaderEpoch
				}
				if r.version == 1 {
					x.Timestamp = rp.Timestamp
				}
				commits, at = append(commits, x), append(at, [2]int{i, j})
			}
			st.Partitions = append(st.Partitions, sp)
		}
		resp.Topics = append(resp.Topics, st)
	}
	if refused != code.None {
		return resp
	}
	results, ticket := r.groups.Commit(from, retention, commits)
	set := func(c code.Code, k int) { resp.Topics[at[k][0]].Partitions[at[k][1]].ErrorCode = int16(c) }
	for k, c := range results {
		if c == code.StaleMemberEpoch && r.version < 9 {
			c = code.UnsupportedVersion // the client's version does not know of groups by KIP-848
		}
		set(c, k)
	}
	r.settle(ticket, func(c code.Code) {
		for k, was := range results {
			if was == code.None {
				set(c, k)
			}
		}
	})
	return resp
}

// topicPartition resolves a partition by its topic's name or id, if the client may do what r does.
func (r *request) topicPartition(name string, id [16]byte, byID bool, partition int32) (string, code.Code) {
	t, c := r.reach(name, id, byID)
	switch {
	case t == nil:
		return "", c
	case partition < 0 || partition >= t.Partitions:
		return "", code.UnknownTopicOrPartition
	}
	return t.Name, code.None
}

// settle makes the answer wait until a coordinator's record is durable; failed puts what is answered when it cannot be.
func (r *request) settle(t log.Ticket, failed func(code.Code)) {
	if t == 0 {
		return
	}
	r.finish = func(ctx context.Context) error {
		err := r.dir.WaitDurable(ctx, t)
		if err != nil && ctx.Err() != nil {
			return err
		}
		if err != nil {
			failed(code.CoordinatorNotAvailable)
		}
		return nil
	}
}
