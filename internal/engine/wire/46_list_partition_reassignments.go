package wire

import (
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/thalweg/thalweg/internal/engine/auth"
)

// ListPartitionReassignments: v0
//
// Behavior:
//   - None is ever under way.
const listReassignmentsShape = "i (s [i])"

func listReassignments(r *request) kmsg.Response {
	resp := r.body.(*kmsg.ListPartitionReassignmentsRequest).ResponseKind().(*kmsg.ListPartitionReassignmentsResponse)
	if err := r.refused(auth.Cluster, auth.ClusterName); err != nil {
		resp.ErrorCode, resp.ErrorMessage = topicError(err)
	}
	return resp
}
