package wire

import (
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/thalweg/thalweg/internal/engine/auth"
	"github.com/thalweg/thalweg/internal/engine/code"
)

// ElectLeaders: v0-2
//
// Behavior:
//   - The only broker leads every partition, so none needs an election. Of all partitions, which a client asks for by
//     naming none, those that need none are not listed, as in Apache Kafka.
//
// Version notes:
//   - v1: the kind of election (KIP-460); an error of the whole
const electLeadersShape = "b@1 (s [i]) i"

func electLeaders(r *request) kmsg.Response {
	req := r.body.(*kmsg.ElectLeadersRequest)
	resp := req.ResponseKind().(*kmsg.ElectLeadersResponse)
	refused := r.refusal(auth.Cluster, auth.ClusterName)
	resp.ErrorCode = int16(refused)
	for i := range req.Topics {
		rt := &req.Topics[i]
		t := r.meta.Topic(rt.Topic)
		st := kmsg.NewElectLeadersResponseTopic()
		st.Topic = rt.Topic
		for _, n := range rt.Partitions {
			sp := kmsg.NewElectLeadersResponseTopicPartition()
			c := refused
			switch {
			case c != code.None:
			case r.meta.Partition(t, n) == nil:
				c = code.UnknownTopicOrPartition
			default:
				c = code.ElectionNotNeeded
			}
			sp.Partition, sp.ErrorCode = n, int16(c)
			st.Partitions = append(st.Partitions, sp)
		}
		resp.Topics = append(resp.Topics, st)
	}
	return resp
}
