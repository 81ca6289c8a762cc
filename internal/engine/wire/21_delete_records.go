package wire

import (
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/thalweg/thalweg/internal/engine/code"
)

// DeleteRecords: v0-2
//
// Behavior:
//   - Moves the log start, durably, before it is answered; -1 means the high watermark.
//   - An offset inside a batch is taken as it is: a fetch still returns the whole batch.
const deleteRecordsShape = "(s (i l)) i"

func deleteRecords(r *request) kmsg.Response {
	req := r.body.(*kmsg.DeleteRecordsRequest)
	resp := req.ResponseKind().(*kmsg.DeleteRecordsResponse)
	for i := range req.Topics {
		rt := &req.Topics[i]
		t, unreached := r.reach(rt.Topic, [16]byte{}, false)
		st := kmsg.NewDeleteRecordsResponseTopic()
		st.Topic = rt.Topic
		for _, rp := range rt.Partitions {
			sp := kmsg.NewDeleteRecordsResponseTopicPartition()
			sp.Partition, sp.LowWatermark = rp.Partition, -1
			p := r.meta.Partition(t, rp.Partition)
			switch {
			case unreached != code.None:
				sp.ErrorCode = int16(unreached)
			case p == nil:
				sp.ErrorCode = int16(code.UnknownTopicOrPartition)
			case t.Internal():
				sp.ErrorCode = int16(code.InvalidTopic)
			default:
				start, err := p.DeleteRecords(rp.Offset)
				if sp.ErrorCode = int16(errorCode(err)); err == nil {
					sp.LowWatermark = start
				}
			}
			st.Partitions = append(st.Partitions, sp)
		}
		resp.Topics = append(resp.Topics, st)
	}
	return resp
}
