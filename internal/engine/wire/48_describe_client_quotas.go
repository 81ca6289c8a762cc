package wire

import (
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/thalweg/thalweg/internal/engine/auth"
)

// DescribeClientQuotas: v0-1
//
// Behavior:
//   - There are no quotas: see AlterClientQuotas.
const describeClientQuotasShape = "(s b s) b"

func describeClientQuotas(r *request) kmsg.Response {
	resp := r.body.(*kmsg.DescribeClientQuotasRequest).ResponseKind().(*kmsg.DescribeClientQuotasResponse)
	if err := r.refused(auth.Cluster, auth.ClusterName); err != nil {
		resp.ErrorCode, resp.ErrorMessage = topicError(err)
		return resp // with null for the entries
	}
	resp.Entries = []kmsg.DescribeClientQuotasResponseEntry{}
	return resp
}
