package wire

import (
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/thalweg/thalweg/internal/engine/auth"
)

// DeleteACLs: v0-3
//
// Behavior:
//   - Deletes, and names, what the filters choose, all or none of it; an ACL that several choose is the first one's.
//     Durable before it is answered, and decided by from then on, on connections that are open, too.
//
// Version notes:
//   - v1: pattern types; before it literal ones
const deleteACLsShape = "(b s b@1 s s b b)"

func deleteACLs(r *request) kmsg.Response {
	req := r.body.(*kmsg.DeleteACLsRequest)
	resp := req.ResponseKind().(*kmsg.DeleteACLsResponse)
	refused := r.refused(auth.Cluster, auth.ClusterName)
	var chosen [][]auth.ACL
	var errs []error
	if refused == nil {
		filters := make([]auth.Filter, 0, len(req.Filters))
		for i := range req.Filters {
			f := &req.Filters[i]
			filters = append(filters, auth.Filter{
				Resource: auth.Resource(f.ResourceType), Name: f.ResourceName, Pattern: r.patternType(f.ResourcePatternType),
				Principal: f.Principal, Host: f.Host, Operation: auth.Operation(f.Operation), Permission: auth.Permission(f.PermissionType),
			})
		}
		chosen, errs = r.meta.RemoveACLs(filters)
	}
	for i := range req.Filters {
		err := refused
		var deleted []auth.ACL
		if err == nil {
			deleted, err = chosen[i], errs[i]
		}
		sr := kmsg.NewDeleteACLsResponseResult()
		sr.ErrorCode, sr.ErrorMessage = topicError(err)
		for _, a := range deleted {
			sa := kmsg.NewDeleteACLsResponseResultMatchingACL()
			sa.ResourceType, sa.ResourceName, sa.ResourcePatternType = kmsg.ACLResourceType(a.Resource), a.Name, kmsg.ACLResourcePatternType(a.Pattern)
			sa.Principal, sa.Host, sa.Operation, sa.PermissionType = a.Principal, a.Host, kmsg.ACLOperation(a.Operation), kmsg.ACLPermissionType(a.Permission)
			sr.MatchingACLs = append(sr.MatchingACLs, sa)
		}
		resp.Results = append(resp.Results, sr)
	}
	return resp
}
