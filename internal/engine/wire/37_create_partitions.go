package wire

import (
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/thalweg/thalweg/internal/engine/auth"
	"github.com/thalweg/thalweg/internal/engine/code"
	"github.com/thalweg/thalweg/internal/engine/meta"
)

// CreatePartitions: v0-3
//
// Behavior:
//   - The number of partitions only grows. The coordinators' topics keep theirs.
const createPartitionsShape = "(s i ([i])) i b"

func createPartitions(r *request) kmsg.Response {
	req := r.body.(*kmsg.CreatePartitionsRequest)
	resp := req.ResponseKind().(*kmsg.CreatePartitionsResponse)
	named := make(map[string]int, len(req.Topics))
	for i := range req.Topics {
		named[req.Topics[i].Topic]++
	}
	for i := range req.Topics {
		rt := &req.Topics[i]
		times := named[rt.Topic]
		if times == 0 {
			continue // answered before
		}
		delete(named, rt.Topic)
		st := kmsg.NewCreatePartitionsResponseTopic()
		st.Topic = rt.Topic
		var err error = &meta.Failure{Code: code.InvalidRequest, Text: "the request names the topic more than once"}
		if times == 1 {
			err = r.grow(rt, req.ValidateOnly)
		}
		st.ErrorCode, st.ErrorMessage = topicError(err)
		resp.Topics = append(resp.Topics, st)
	}
	return resp
}

func (r *request) grow(rt *kmsg.CreatePartitionsRequestTopic, validateOnly bool) error {
	if err := r.refused(auth.Topic, rt.Topic); err != nil {
		return err
	}
	t := r.meta.Topic(rt.Topic)
	if t != nil && t.Internal() {
		return &meta.Failure{Code: code.InvalidTopic, Text: "the coordinators' topics keep their partitions"}
	}
	if t != nil && rt.Assignment != nil && len(rt.Assignment) != int(rt.Count-t.Partitions) {
		return &meta.Failure{Code: code.InvalidReplicaAssignment, Text: "the assignment does not cover the new partitions"}
	}
	for _, a := range rt.Assignment {
		if len(a.Replicas) != 1 || a.Replicas[0] != nodeID {
			return &meta.Failure{Code: code.InvalidReplicaAssignment, Text: "a partition has one replica, on the only broker"}
		}
	}
	return r.meta.Grow(rt.Topic, rt.Count, validateOnly)
}
