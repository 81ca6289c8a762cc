package wire

import (
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/thalweg/thalweg/internal/engine/auth"
	"github.com/thalweg/thalweg/internal/engine/code"
	"github.com/thalweg/thalweg/internal/engine/meta"
)

// DescribeACLs: v0-3
//
// Behavior:
//   - The ACLs that a filter chooses, those of a resource together. They are kept, and told, where they are not decided
//     by, too.
//
// Version notes:
//   - v1: pattern types; before it literal ones
const describeACLsShape = "b s b@1 s s b b"

func describeACLs(r *request) kmsg.Response {
	req := r.body.(*kmsg.DescribeACLsRequest)
	resp := req.ResponseKind().(*kmsg.DescribeACLsResponse)
	f := auth.Filter{
		Resource: auth.Resource(req.ResourceType), Name: req.ResourceName, Pattern: r.patternType(req.ResourcePatternType),
		Principal: req.Principal, Host: req.Host, Operation: auth.Operation(req.Operation), Permission: auth.Permission(req.PermissionType),
	}
	err := r.refused(auth.Cluster, auth.ClusterName)
	if wrong := f.Check(); err == nil && wrong != nil {
		err = &meta.Failure{Code: code.InvalidRequest, Text: wrong.Error()}
	}
	if err != nil {
		resp.ErrorCode, resp.ErrorMessage = topicError(err)
		return resp
	}
	for _, a := range r.meta.ACLs().Chosen(&f) {
		n := len(resp.Resources)
		if n == 0 || !isOf(&resp.Resources[n-1], &a) {
			sr := kmsg.NewDescribeACLsResponseResource()
			sr.ResourceType, sr.ResourceName, sr.ResourcePatternType = kmsg.ACLResourceType(a.Resource), a.Name, kmsg.ACLResourcePatternType(a.Pattern)
			resp.Resources = append(resp.Resources, sr)
			n++
		}
		sa := kmsg.NewDescribeACLsResponseResourceACL()
		sa.Principal, sa.Host, sa.Operation, sa.PermissionType = a.Principal, a.Host, kmsg.ACLOperation(a.Operation), kmsg.ACLPermissionType(a.Permission)
		resp.Resources[n-1].ACLs = append(resp.Resources[n-1].ACLs, sa)
	}
	return resp
}

// isOf reports whether a is of the same resources as those before it.
func isOf(sr *kmsg.DescribeACLsResponseResource, a *auth.ACL) bool {
	return auth.Resource(sr.ResourceType) == a.Resource && sr.ResourceName == a.Name && auth.Pattern(sr.ResourcePatternType) == a.Pattern
}

// patternType is that of a request about ACLs.
func (r *request) patternType(asked kmsg.ACLResourcePatternType) auth.Pattern {
	if r.version == 0 {
		return auth.Literal
	}
	return auth.Pattern(asked)
}
