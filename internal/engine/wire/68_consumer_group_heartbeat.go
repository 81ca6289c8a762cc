package wire

import (
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/thalweg/thalweg/internal/engine/auth"
	"github.com/thalweg/thalweg/internal/engine/code"
	"github.com/thalweg/thalweg/internal/engine/coord"
)

// ConsumerGroupHeartbeat: v0-1
//
// Behavior:
//   - Joins, keeps alive and leaves; the coordinator assigns, and answers with the assignment when it has changed
//     (KIP-848). Answered when what it changes is durable.
//
// Version notes:
//   - v1: the member has its id of its own making; regular expressions
const consumerGroupHeartbeatShape = "s s i s s i [s] s@1 s (u [i])"

func consumerGroupHeartbeat(r *request) kmsg.Response {
	req := r.body.(*kmsg.ConsumerGroupHeartbeatRequest)
	resp := req.ResponseKind().(*kmsg.ConsumerGroupHeartbeatResponse)
	if c := r.refusal(auth.Group, req.Group); c != code.None {
		resp.ErrorCode = int16(c)
		return resp
	}
	b := coord.Beat{
		Group: req.Group, MemberID: req.MemberID, Epoch: req.MemberEpoch, Instance: req.InstanceID, Rack: req.RackID,
		Rebalance: time.Duration(req.RebalanceTimeoutMillis) * time.Millisecond, Topics: req.SubscribedTopicNames,
		Regex: req.SubscribedTopicRegex, Assignor: req.ServerAssignor, Client: r.client, Host: r.conn.host,
		NeedsID: r.version >= 1, May: func(topic string) bool { return r.may(auth.Topic, topic) },
	}
	if req.Topics != nil {
		b.Owned = []coord.IDPartition{}
	}
	for i := range req.Topics {
		for _, p := range req.Topics[i].Partitions {
			b.Owned = append(b.Owned, coord.IDPartition{Topic: req.Topics[i].TopicID, Partition: p})
		}
	}
	a := r.groups.Beat(b)
	if a.Code != code.None {
		resp.ErrorCode, resp.ErrorMessage = int16(a.Code), &a.Text
		return resp
	}
	resp.MemberID, resp.MemberEpoch, resp.HeartbeatIntervalMillis = &a.MemberID, a.Epoch, int32(a.Interval.Milliseconds())
	if a.Assigned {
		x := kmsg.NewConsumerGroupHeartbeatResponseAssignment()
		for _, p := range a.Assignment {
			if n := len(x.Topics); n == 0 || x.Topics[n-1].TopicID != p.Topic {
				t := kmsg.NewConsumerGroupHeartbeatResponseAssignmentTopic()
				t.TopicID = p.Topic
				x.Topics = append(x.Topics, t)
			}
			t := &x.Topics[len(x.Topics)-1]
			t.Partitions = append(t.Partitions, p.Partition)
		}
		resp.Assignment = &x
	}
	r.settle(a.Ticket, func(c code.Code) { resp.ErrorCode, resp.Assignment = int16(c), nil })
	return resp
}
