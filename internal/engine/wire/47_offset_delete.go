package wire

import (
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/thalweg/thalweg/internal/engine/auth"
	"github.com/thalweg/thalweg/internal/engine/code"
	"github.com/thalweg/thalweg/internal/engine/coord"
)

// OffsetDelete: v0
//
// Behavior:
//   - Offsets of topics a member subscribes to stay: GROUP_SUBSCRIBED_TO_TOPIC.
const offsetDeleteShape = "s (s (i))"

func offsetDelete(r *request) kmsg.Response {
	req := r.body.(*kmsg.OffsetDeleteRequest)
	resp := req.ResponseKind().(*kmsg.OffsetDeleteResponse)
	if c := r.refusal(auth.Group, req.Group); c != code.None {
		resp.ErrorCode = int16(c)
		return resp
	}
	var parts []coord.TopicPartition
	var at [][2]int
	for i := range req.Topics {
		rt := &req.Topics[i]
		st := kmsg.NewOffsetDeleteResponseTopic()
		st.Topic = rt.Topic
		for j, rp := range rt.Partitions {
			sp := kmsg.NewOffsetDeleteResponseTopicPartition()
			sp.Partition = rp.Partition
			_, c := r.topicPartition(rt.Topic, [16]byte{}, false, rp.Partition)
			if sp.ErrorCode = int16(c); c == code.None {
				parts, at = append(parts, coord.TopicPartition{Topic: rt.Topic, Partition: rp.Partition}), append(at, [2]int{i, j})
			}
			st.Partitions = append(st.Partitions, sp)
		}
		resp.Topics = append(resp.Topics, st)
	}
	results, ticket, c := r.groups.DeleteOffsets(req.Group, parts)
	if c != code.None {
		resp.ErrorCode, resp.Topics = int16(c), nil
		return resp
	}
	for k, c := range results {
		resp.Topics[at[k][0]].Partitions[at[k][1]].ErrorCode = int16(c)
	}
	r.settle(ticket, func(c code.Code) { resp.ErrorCode, resp.Topics = int16(c), nil })
	return resp
}
