package wire

import (
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/thalweg/thalweg/internal/engine/code"
)

// OffsetForLeaderEpoch: v0-4
//
// Behavior:
//   - The end offset of the largest epoch not above the one asked for.
//
// Version notes:
//   - v2: the client's idea of the current epoch is checked
const offsetForLeaderEpochShape = "i@3 (s (i i@2 i))"

func offsetForLeaderEpoch(r *request) kmsg.Response {
	req := r.body.(*kmsg.OffsetForLeaderEpochRequest)
	resp := req.ResponseKind().(*kmsg.OffsetForLeaderEpochResponse)
	for i := range req.Topics {
		rt := &req.Topics[i]
		t, unreached := r.reach(rt.Topic, [16]byte{}, false)
		st := kmsg.NewOffsetForLeaderEpochResponseTopic()
		st.Topic = rt.Topic
		for _, rp := range rt.Partitions {
			sp := kmsg.NewOffsetForLeaderEpochResponseTopicPartition()
			sp.Partition, sp.LeaderEpoch, sp.EndOffset = rp.Partition, -1, -1
			p := r.meta.Partition(t, rp.Partition)
			current := int32(-1)
			if r.version >= 2 {
				current = rp.CurrentLeaderEpoch
			}
			if c := r.checkEpoch(current); unreached != code.None {
				sp.ErrorCode = int16(unreached)
			} else if p == nil {
				sp.ErrorCode = int16(code.UnknownTopicOrPartition)
			} else if c != code.None {
				sp.ErrorCode = int16(c)
			} else {
				sp.LeaderEpoch, sp.EndOffset = p.EndOfEpoch(rp.LeaderEpoch)
			}
			st.Partitions = append(st.Partitions, sp)
		}
		resp.Topics = append(resp.Topics, st)
	}
	return resp
}
