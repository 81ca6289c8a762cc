package wire

import (
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/thalweg/thalweg/internal/engine/auth"
	"github.com/thalweg/thalweg/internal/engine/code"
	"github.com/thalweg/thalweg/internal/engine/meta"
)

// AlterClientQuotas: v0-1
//
// Behavior:
//   - Refuses each entry: a quota that is kept but never holds anybody back would be believed.
const alterClientQuotasShape = "((s s) (s l b)) b"

func alterClientQuotas(r *request) kmsg.Response {
	req := r.body.(*kmsg.AlterClientQuotasRequest)
	resp := req.ResponseKind().(*kmsg.AlterClientQuotasResponse)
	err := r.refused(auth.Cluster, auth.ClusterName)
	if err == nil {
		err = &meta.Failure{Code: code.InvalidRequest, Text: "quotas are not enforced here, so none can be set"}
	}
	for i := range req.Entries {
		se := kmsg.NewAlterClientQuotasResponseEntry()
		se.ErrorCode, se.ErrorMessage = topicError(err)
		for _, x := range req.Entries[i].Entity {
			y := kmsg.NewAlterClientQuotasResponseEntryEntity()
			y.Type, y.Name = x.Type, x.Name
			se.Entity = append(se.Entity, y)
		}
		resp.Entries = append(resp.Entries, se)
	}
	return resp
}
