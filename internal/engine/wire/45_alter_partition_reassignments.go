package wire

import (
	"slices"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/thalweg/thalweg/internal/engine/auth"
	"github.com/thalweg/thalweg/internal/engine/code"
	"github.com/thalweg/thalweg/internal/engine/meta"
)

// AlterPartitionReassignments: v0-1, in the codec AlterPartitionAssignments
//
// Behavior:
//   - A partition may be assigned to the broker that has it, which changes nothing; no other replicas are possible, and
//     no reassignment is ever under way to be cancelled.
//
// Version notes:
//   - v1: whether the replication factor may change (KIP-860), which it cannot
const alterReassignmentsShape = "i b@1 (s (i [i]))"

func alterReassignments(r *request) kmsg.Response {
	req := r.body.(*kmsg.AlterPartitionAssignmentsRequest)
	resp := req.ResponseKind().(*kmsg.AlterPartitionAssignmentsResponse)
	if err := r.refused(auth.Cluster, auth.ClusterName); err != nil {
		resp.ErrorCode, resp.ErrorMessage = topicError(err)
		return resp
	}
	resp.AllowReplicationFactorChange = req.AllowReplicationFactorChange
	for i := range req.Topics {
		rt := &req.Topics[i]
		t := r.meta.Topic(rt.Topic)
		st := kmsg.NewAlterPartitionAssignmentsResponseTopic()
		st.Topic = rt.Topic
		for _, rp := range rt.Partitions {
			sp := kmsg.NewAlterPartitionAssignmentsResponseTopicPartition()
			sp.Partition = rp.Partition
			var err error
			switch {
			case r.meta.Partition(t, rp.Partition) == nil:
				err = &meta.Failure{Code: code.UnknownTopicOrPartition, Text: "there is no such partition"}
			case rp.Replicas == nil:
				err = &meta.Failure{Code: code.NoReassignmentInProgress, Text: "the partition is not being reassigned"}
			case !slices.Equal(rp.Replicas, []int32{nodeID}):
				err = &meta.Failure{Code: code.InvalidReplicaAssignment, Text: "a partition has one replica, on the only broker"}
			}
			sp.ErrorCode, sp.ErrorMessage = topicError(err)
			st.Partitions = append(st.Partitions, sp)
		}
		resp.Topics = append(resp.Topics, st)
	}
	return resp
}
