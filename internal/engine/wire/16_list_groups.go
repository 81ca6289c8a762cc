package wire

import (
	"slices"
	"strings"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/thalweg/thalweg/internal/engine/auth"
)

// ListGroups: v0-5
//
// Behavior:
//   - Lists every group that the client may describe, those that only hold offsets included.
//
// Version notes:
//   - v4: states, and a filter by them
//   - v5: types, and a filter by them: all groups are classic
const listGroupsShape = "[@4 s] [@5 s]"

// classicType is the type of the groups served.
const classicType = "classic"

func listGroups(r *request) kmsg.Response {
	req := r.body.(*kmsg.ListGroupsRequest)
	resp := req.ResponseKind().(*kmsg.ListGroupsResponse)
	if !chosen(req.TypesFilter, classicType) {
		return resp
	}
	all := r.may(auth.Cluster, auth.ClusterName)
	for _, g := range r.groups.List() {
		if !chosen(req.StatesFilter, g.State) || !all && !r.may(auth.Group, g.ID) {
			continue
		}
		sg := kmsg.NewListGroupsResponseGroup()
		sg.Group, sg.ProtocolType, sg.GroupState, sg.GroupType = g.ID, g.ProtocolType, g.State, classicType
		resp.Groups = append(resp.Groups, sg)
	}
	return resp
}

// chosen reports whether a filter lets value through; an empty one lets all.
func chosen(filter []string, value string) bool {
	return len(filter) == 0 || slices.ContainsFunc(filter, func(f string) bool { return strings.EqualFold(f, value) })
}
