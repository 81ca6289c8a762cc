package wire

import (
	"fmt"
	"slices"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/thalweg/thalweg/internal/engine/code"
)

// asAdmin has a request come from who may do everything.
func asAdmin(r *request) {
	admin := "admin"
	r.conn.user.Store(&admin)
}

func withACLs(c *Config) { c.ACLs, c.SuperUsers = true, []string{"User:admin"} }

// creation returns the i-th of many ACLs.
func creation(i int) kmsg.CreateACLsRequestCreation {
	c := kmsg.NewCreateACLsRequestCreation()
	c.ResourceType, c.ResourceName, c.ResourcePatternType = kmsg.ACLResourceTypeTopic, fmt.Sprint("topic", i), kmsg.ACLResourcePatternTypePrefixed
	c.Principal, c.Host, c.Operation, c.PermissionType = "User:ann", "*", kmsg.ACLOperationRead, kmsg.ACLPermissionTypeAllow
	return c
}

// filterOf returns what chooses a creation alone, by name.
func filterOf(c kmsg.CreateACLsRequestCreation) kmsg.DeleteACLsRequestFilter {
	f := kmsg.NewDeleteACLsRequestFilter()
	f.ResourceType, f.ResourceName, f.ResourcePatternType = c.ResourceType, &c.ResourceName, c.ResourcePatternType
	f.Principal, f.Host, f.Operation, f.PermissionType = &c.Principal, &c.Host, c.Operation, c.PermissionType
	return f
}

// TestManyACLsAreAddedAndRemovedTogether adds as many as there may be, and removes them by filters that overlap. Each request costs
// no more than others.
func TestManyACLsAreAddedAndRemovedTogether(t *testing.T) {
	s := newTestServer(t, withACLs)
	ask := func(req kmsg.Request) kmsg.Response {
		t.Helper()
		frame := frameOf(req, 0)
		var r *request
		c := spent(t, func() { r, _ = exchange(t.Context(), s, frame, asAdmin) })
		if r == nil {
			t.Fatalf("a frame of %d bytes closes the connection", len(frame))
		}
		c.memory = 0 // what is made is not the request's cost
		if !c.within(len(frame)) {
			t.Errorf("%T of %d bytes took %v", req, len(frame), c.cpu)
		}
		return r.resp
	}
	const each, most = 1000, 10_000
	for i := range most/each + 1 {
		req := kmsg.NewPtrCreateACLsRequest()
		req.SetVersion(3)
		for j := range each {
			req.Creations = append(req.Creations, creation(i*each+j-min(i, 1))) // the last one of those before again
		}
		want := code.None
		if i == most/each {
			want = code.PolicyViolation
		}
		results := ask(req).(*kmsg.CreateACLsResponse).Results
		if got := code.Code(results[each-1].ErrorCode); got != want || results[0].ErrorCode != 0 {
			t.Fatalf("ACLs from %d on: %v and %v, want %v for the last", i*each, code.Code(results[0].ErrorCode), got, want)
		}
	}
	if n := s.meta.ACLs().Len(); n != most {
		t.Fatalf("%d ACLs, want %d", n, most)
	}
	req := kmsg.NewPtrDeleteACLsRequest()
	req.SetVersion(3)
	for i := range each {
		req.Filters = append(req.Filters, filterOf(creation(i)))
	}
	search := kmsg.NewDeleteACLsRequestFilter()
	name := "topic77"
	search.ResourceType, search.ResourceName, search.ResourcePatternType = kmsg.ACLResourceTypeTopic, &name, kmsg.ACLResourcePatternTypeMatch
	search.Operation, search.PermissionType = kmsg.ACLOperationAny, kmsg.ACLPermissionTypeAny
	req.Filters = append(slices.Repeat([]kmsg.DeleteACLsRequestFilter{search}, 201), req.Filters...)
	results := ask(req).(*kmsg.DeleteACLsResponse).Results
	matching := func(i int) int { return len(results[i].MatchingACLs) }
	if matching(0) != 2 || matching(1) != 0 || matching(201+76) != 1 || matching(201+77) != 0 {
		t.Errorf("filters for topic77 choose %d and %d, those by name of topic76 and topic77 %d and %d", matching(0), matching(1), matching(201+76), matching(201+77))
	}
	if got := code.Code(results[200].ErrorCode); got != code.InvalidRequest || results[199].ErrorCode != 0 {
		t.Errorf("the 201st search: %v, that before it %v", got, code.Code(results[199].ErrorCode))
	}
	if n := s.meta.ACLs().Len(); n != most-each {
		t.Errorf("%d ACLs are left, want %d", n, most-each)
	}
}
