package wire

import (
	"maps"
	"slices"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/thalweg/thalweg/internal/engine/auth"
	"github.com/thalweg/thalweg/internal/engine/code"
	"github.com/thalweg/thalweg/internal/engine/meta"
)

// DescribeUserSCRAMCredentials: v0
//
// Behavior:
//   - Says which mechanisms users can log in by, and with how many iterations; nothing of the credentials themselves.
//   - No names, null or empty, mean all users. One asked for twice is DUPLICATE_RESOURCE.
const describeUserScramCredentialsShape = "(s)"

func describeUserScramCredentials(r *request) kmsg.Response {
	req := r.body.(*kmsg.DescribeUserSCRAMCredentialsRequest)
	resp := req.ResponseKind().(*kmsg.DescribeUserSCRAMCredentialsResponse)
	if err := r.refused(auth.Cluster, auth.ClusterName); err != nil {
		resp.ErrorCode, resp.ErrorMessage = topicError(err)
		return resp
	}
	times := map[string]int{}
	var names []string
	for _, u := range req.Users {
		if times[u.Name]++; times[u.Name] == 1 {
			names = append(names, u.Name)
		}
	}
	if len(req.Users) == 0 {
		for _, u := range r.meta.Users() {
			names = append(names, u.Name)
		}
	}
	for _, name := range names {
		sr := kmsg.NewDescribeUserSCRAMCredentialsResponseResult()
		sr.User = name
		u := r.meta.User(name)
		switch {
		case times[name] > 1:
			sr.ErrorCode, sr.ErrorMessage = topicError(&meta.Failure{Code: code.DuplicateResource, Text: "the request names the user more than once"})
		case u == nil:
			sr.ErrorCode, sr.ErrorMessage = topicError(&meta.Failure{Code: code.ResourceNotFound, Text: "there is no such user"})
		default:
			for _, m := range slices.Sorted(maps.Keys(u.Credentials)) {
				ci := kmsg.NewDescribeUserSCRAMCredentialsResponseResultCredentialInfo()
				ci.Mechanism, ci.Iterations = int8(m), int32(u.Credentials[m].Iterations)
				sr.CredentialInfos = append(sr.CredentialInfos, ci)
			}
		}
		resp.Results = append(resp.Results, sr)
	}
	return resp
}
