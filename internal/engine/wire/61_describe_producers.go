package wire

import (
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/thalweg/thalweg/internal/engine/code"
)

// DescribeProducers: v0
//
// Behavior:
//   - The producers a partition remembers, with their open transactions.
const describeProducersShape = "(s [i])"

func describeProducers(r *request) kmsg.Response {
	req := r.body.(*kmsg.DescribeProducersRequest)
	resp := req.ResponseKind().(*kmsg.DescribeProducersResponse)
	type key struct {
		topic     string
		partition int32
	}
	seen := once[key]{}
	for i := range req.Topics {
		rt := &req.Topics[i]
		t, unreached := r.reach(rt.Topic, [16]byte{}, false)
		st := kmsg.NewDescribeProducersResponseTopic()
		st.Topic = rt.Topic
		for _, n := range rt.Partitions {
			if !seen.first(key{rt.Topic, n}) {
				continue
			}
			sp := kmsg.NewDescribeProducersResponseTopicPartition()
			sp.Partition = n
			p := r.meta.Partition(t, n)
			if p == nil {
				if sp.ErrorCode = int16(unreached); t != nil {
					sp.ErrorCode = int16(code.UnknownTopicOrPartition)
				}
				st.Partitions = append(st.Partitions, sp)
				continue
			}
			for _, x := range p.Producers() {
				a := kmsg.NewDescribeProducersResponseTopicPartitionActiveProducer()
				a.ProducerID, a.ProducerEpoch, a.LastSequence = x.ID, int32(x.Epoch), x.LastSequence
				a.LastTimestamp, a.CoordinatorEpoch, a.CurrentTxnStartOffset = x.LastTime, r.dir.LeaderEpoch(), x.TxnStart
				sp.ActiveProducers = append(sp.ActiveProducers, a)
			}
			st.Partitions = append(st.Partitions, sp)
		}
		resp.Topics = append(resp.Topics, st)
	}
	return resp
}
