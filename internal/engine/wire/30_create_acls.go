package wire

import (
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/thalweg/thalweg/internal/engine/auth"
)

// CreateACLs: v0-3
//
// Behavior:
//   - Each ACL has its own result; one that is there already is no mistake. Durable before it is answered, and decided by
//     from then on, on connections that are open, too.
//
// Version notes:
//   - v1: pattern types; before it literal ones
const createACLsShape = "(b s b@1 s s b b)"

func createACLs(r *request) kmsg.Response {
	req := r.body.(*kmsg.CreateACLsRequest)
	resp := req.ResponseKind().(*kmsg.CreateACLsResponse)
	refused := r.refused(auth.Cluster, auth.ClusterName)
	var errs []error
	if refused == nil {
		acls := make([]auth.ACL, 0, len(req.Creations))
		for i := range req.Creations {
			c := &req.Creations[i]
			acls = append(acls, auth.ACL{
				Resource: auth.Resource(c.ResourceType), Name: c.ResourceName, Pattern: r.patternType(c.ResourcePatternType),
				Principal: c.Principal, Host: c.Host, Operation: auth.Operation(c.Operation), Permission: auth.Permission(c.PermissionType),
			})
		}
		errs = r.meta.AddACLs(acls)
	}
	for i := range req.Creations {
		err := refused
		if err == nil {
			err = errs[i]
		}
		sr := kmsg.NewCreateACLsResponseResult()
		sr.ErrorCode, sr.ErrorMessage = topicError(err)
		resp.Results = append(resp.Results, sr)
	}
	return resp
}
