package wire

import (
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/thalweg/thalweg/internal/engine/auth"
)

// DeleteACLs: v0-3
//
// Behavior:
//   - Deletes, and names, what each filter chooses, all or none of it. Durable before it is answered, and decided by from
//     then on, on connections that are open, too.
//
// Version notes:
//   - v1: pattern types; before it literal ones
const deleteACLsShape = "(b s b@1 s s b b)"

func deleteACLs(r *request) kmsg.Response {
	req := r.body.(*kmsg.DeleteACLsRequest)
	resp := req.ResponseKind().(*kmsg.DeleteACLsResponse)
	for i := range req.Filters {
		f := &req.Filters[i]
		var deleted []auth.ACL
		err := r.refused(auth.Cluster, auth.ClusterName)
		if err == nil {
			deleted, err = r.meta.RemoveACLs(&auth.Filter{
				Resource: auth.Resource(f.ResourceType), Name: f.ResourceName, Pattern: r.patternType(f.ResourcePatternType),
				Principal: f.Principal, Host: f.Host, Operation: auth.Operation(f.Operation), Permission: auth.Permission(f.PermissionType),
			})
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
