package auth

import "testing"

// acls makes a set of ACLs that are given without what most have in common.
func acls(t *testing.T, all ...ACL) *ACLs {
	t.Helper()
	s := NewACLs(map[ACL]struct{}{})
	for _, a := range all {
		if a.Pattern == 0 {
			a.Pattern = Literal
		}
		if a.Host == "" {
			a.Host = Wildcard
		}
		if a.Resource == 0 {
			a.Resource = Topic
		}
		if err := a.Check(); err != nil {
			t.Fatal(err)
		}
		s = s.With(nil, []ACL{a})
	}
	return s
}

// TestDecisions goes through what allows and what denies.
func TestDecisions(t *testing.T) {
	const ann, bob = "User:ann", "User:bob"
	s := acls(t,
		ACL{Name: "words", Principal: ann, Operation: Read, Permission: Allow},
		ACL{Name: "logs-", Pattern: Prefixed, Principal: ann, Operation: All, Permission: Allow},
		ACL{Name: "logs-secret", Pattern: Prefixed, Principal: Everybody, Operation: Write, Permission: Deny},
		ACL{Name: Wildcard, Principal: bob, Operation: AlterConfigs, Permission: Allow},
		ACL{Name: "words", Principal: bob, Operation: All, Permission: Deny, Host: "10.0.0.1"},
		ACL{Name: "open", Principal: Everybody, Operation: Write, Permission: Allow, Host: "10.0.0.2"},
		ACL{Name: "closed", Principal: Everybody, Operation: Read, Permission: Allow},
		ACL{Name: "closed", Principal: ann, Operation: Read, Permission: Deny},
		ACL{Name: "g", Resource: Group, Principal: ann, Operation: Read, Permission: Allow},
	)
	for _, test := range []struct {
		who, host string
		op        Operation
		on        Resource
		name      string
		want      bool
	}{
		{ann, "10.0.0.1", Read, Topic, "words", true},
		{ann, "10.0.0.1", Describe, Topic, "words", true},
		{ann, "10.0.0.1", Write, Topic, "words", false},
		{ann, "10.0.0.1", DescribeConfigs, Topic, "words", false},
		{ann, "10.0.0.1", Read, Topic, "word", false},
		{ann, "10.0.0.1", Read, Topic, "words2", false},
		{ann, "10.0.0.1", Read, Group, "words", false},
		{ann, "10.0.0.1", Read, Group, "g", true},
		{ann, "10.0.0.1", Delete, Group, "g", false},
		{ann, "10.0.0.1", Write, Topic, "logs-a", true},
		{ann, "10.0.0.1", Write, Topic, "logs-secret", false},
		{ann, "10.0.0.1", Write, Topic, "logs-secrets", false},
		{ann, "10.0.0.1", Read, Topic, "logs-secret", true},
		{ann, "10.0.0.1", Describe, Topic, "logs-secret", true}, // a denied write denies no describe
		{ann, "10.0.0.1", Write, Topic, "logs", false},
		{bob, "10.0.0.3", DescribeConfigs, Topic, "words", true},
		{bob, "10.0.0.3", Describe, Topic, "words", false},
		{bob, "10.0.0.1", AlterConfigs, Topic, "words", false},
		{bob, "10.0.0.1", DescribeConfigs, Topic, "words", false}, // all is denied
		{bob, "10.0.0.2", Write, Topic, "open", true},
		{bob, "10.0.0.1", Write, Topic, "open", false},
		{bob, "10.0.0.1", Read, Topic, "closed", true},
		{ann, "10.0.0.1", Read, Topic, "closed", false},
	} {
		if got := s.Allowed(Who{test.who, test.host}, test.op, test.on, test.name); got != test.want {
			t.Errorf("%s from %s, operation %d on %q: %v", test.who, test.host, test.op, test.name, got)
		}
	}
}

// TestAllowedSome checks when a producer may be idempotent (KIP-679): if there may be a topic it may write to.
func TestAllowedSome(t *testing.T) {
	const ann = "User:ann"
	allow := func(name string, p Pattern) ACL {
		return ACL{Name: name, Pattern: p, Principal: ann, Operation: Write, Permission: Allow}
	}
	deny := func(name string, p Pattern) ACL {
		return ACL{Name: name, Pattern: p, Principal: Everybody, Operation: All, Permission: Deny}
	}
	for what, test := range map[string]struct {
		acls []ACL
		want bool
	}{
		"nothing":                           {nil, false},
		"another operation":                 {[]ACL{{Name: "a", Principal: ann, Operation: Read, Permission: Allow}}, false},
		"another host":                      {[]ACL{{Name: "a", Principal: ann, Operation: Write, Permission: Allow, Host: "10.0.0.9"}}, false},
		"a topic":                           {[]ACL{allow("a", Literal)}, true},
		"a topic that is denied":            {[]ACL{allow("a", Literal), deny("a", Literal)}, false},
		"a topic, another denied":           {[]ACL{allow("a", Literal), deny("b", Literal)}, true},
		"a topic under a denied prefix":     {[]ACL{allow("ab", Literal), deny("a", Prefixed)}, false},
		"a prefix, a topic of it denied":    {[]ACL{allow("a", Prefixed), deny("a", Literal)}, true},
		"a prefix under a denied prefix":    {[]ACL{allow("ab", Prefixed), deny("a", Prefixed)}, false},
		"a prefix, a longer one denied":     {[]ACL{allow("a", Prefixed), deny("ab", Prefixed)}, true},
		"every topic, a prefix denied":      {[]ACL{allow(Wildcard, Literal), deny("a", Prefixed)}, true},
		"every topic, all denied":           {[]ACL{allow(Wildcard, Literal), deny(Wildcard, Literal)}, false},
		"a prefix, all denied":              {[]ACL{allow("a", Prefixed), deny(Wildcard, Literal)}, false},
		"a denied topic and another prefix": {[]ACL{allow("a", Literal), deny("a", Literal), allow("b", Prefixed)}, true},
	} {
		if got := acls(t, test.acls...).AllowedSome(Who{ann, "10.0.0.1"}, Write, Topic); got != test.want {
			t.Errorf("%s: %v", what, got)
		}
	}
}

// TestFilters chooses ACLs by their patterns.
func TestFilters(t *testing.T) {
	s := acls(t,
		ACL{Name: "words", Principal: "User:ann", Operation: Read, Permission: Allow},
		ACL{Name: "wor", Pattern: Prefixed, Principal: "User:ann", Operation: Read, Permission: Allow},
		ACL{Name: "words", Pattern: Prefixed, Principal: "User:bob", Operation: Write, Permission: Deny},
		ACL{Name: Wildcard, Principal: "User:bob", Operation: Read, Permission: Allow},
		ACL{Name: "words", Resource: Group, Principal: "User:bob", Operation: Read, Permission: Allow},
	)
	words, bob := "words", "User:bob"
	all := Filter{Resource: AnyResource, Pattern: AnyPattern, Operation: AnyOperation, Permission: AnyPermission}
	for what, test := range map[string]struct {
		change func(*Filter)
		want   int
	}{
		"all":               {func(*Filter) {}, 5},
		"topics":            {func(f *Filter) { f.Resource = Topic }, 4},
		"by name":           {func(f *Filter) { f.Name = &words }, 3},
		"literal":           {func(f *Filter) { f.Name, f.Pattern = &words, Literal }, 2},
		"prefixed":          {func(f *Filter) { f.Pattern = Prefixed }, 2},
		"that bear on":      {func(f *Filter) { f.Name, f.Pattern = &words, MatchPattern }, 5},
		"of bob":            {func(f *Filter) { f.Principal = &bob }, 3},
		"that deny":         {func(f *Filter) { f.Permission = Deny }, 1},
		"of an operation":   {func(f *Filter) { f.Operation = Write }, 1},
		"of bob that allow": {func(f *Filter) { f.Principal, f.Permission = &bob, Allow }, 2},
	} {
		f := all
		test.change(&f)
		if got := s.Chosen(&f); len(got) != test.want {
			t.Errorf("%s: %+v, want %d", what, got, test.want)
		}
	}
}
