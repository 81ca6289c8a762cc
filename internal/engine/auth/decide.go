package auth

import (
	"cmp"
	"maps"
	"slices"
)

// ACLs is a set of them, ready to decide by. It is never changed.
type ACLs struct {
	all      map[ACL]struct{}
	by       map[pattern][]ACL
	prefixes map[Resource][]int // lengths of the prefixes there are
}

// pattern is what several ACLs can share.
type pattern struct {
	resource Resource
	kind     Pattern
	name     string
}

// NewACLs returns the set of all. It takes the map over.
func NewACLs(all map[ACL]struct{}) *ACLs {
	s := &ACLs{all: all, by: map[pattern][]ACL{}, prefixes: map[Resource][]int{}}
	for a := range all {
		p := pattern{a.Resource, a.Pattern, a.Name}
		s.by[p] = append(s.by[p], a)
		if lengths := s.prefixes[a.Resource]; a.Pattern == Prefixed && !slices.Contains(lengths, len(a.Name)) {
			s.prefixes[a.Resource] = append(lengths, len(a.Name))
		}
	}
	return s
}

// Len returns how many there are.
func (s *ACLs) Len() int { return len(s.all) }

// Has reports whether a is in s.
func (s *ACLs) Has(a ACL) bool {
	_, ok := s.all[a]
	return ok
}

// With returns another set, without some ACLs and with others.
func (s *ACLs) With(removed, added []ACL) *ACLs {
	all := maps.Clone(s.all)
	for _, a := range removed {
		delete(all, a)
	}
	for _, a := range added {
		all[a] = struct{}{}
	}
	return NewACLs(all)
}

// Chosen returns the ACLs that f chooses, those of a resource together.
func (s *ACLs) Chosen(f *Filter) []ACL {
	if f.Host != nil {
		g, host := *f, Canonical(*f.Host)
		f, g.Host = &g, &host
	}
	if f.Exact() {
		a := ACL{Resource: f.Resource, Name: *f.Name, Pattern: f.Pattern, Principal: *f.Principal, Host: *f.Host, Operation: f.Operation, Permission: f.Permission}
		if s.Has(a) {
			return []ACL{a}
		}
		return nil
	}
	var chosen []ACL
	for a := range s.all {
		if f.Chooses(&a) {
			chosen = append(chosen, a)
		}
	}
	slices.SortFunc(chosen, func(a, b ACL) int {
		return cmp.Or(cmp.Compare(a.Resource, b.Resource), cmp.Compare(a.Pattern, b.Pattern), cmp.Compare(a.Name, b.Name),
			cmp.Compare(a.Principal, b.Principal), cmp.Compare(a.Host, b.Host), cmp.Compare(a.Permission, b.Permission), cmp.Compare(a.Operation, b.Operation))
	})
	return chosen
}

// Who asks to do something.
type Who struct{ Principal, Host string }

// is reports whether a speaks of w.
func (w Who) is(a *ACL) bool {
	return (a.Principal == w.Principal || a.Principal == Everybody) && (a.Host == w.Host || a.Host == Wildcard)
}

// Allowed decides whether w may do op to a resource: what is denied is not, and nothing is that is not allowed. Being
// allowed to read, write, delete or alter is being allowed to describe; being denied them is not being denied that.
func (s *ACLs) Allowed(w Who, op Operation, r Resource, name string) bool {
	allowed := false
	decide := func(p pattern) (denied bool) {
		acls := s.by[p]
		for i := range acls {
			a := &acls[i]
			if !w.is(a) {
				continue
			}
			exact := a.Operation == op || a.Operation == All
			if a.Permission == Deny && exact {
				return true
			}
			if a.Permission == Allow && (exact || implied[op].Has(a.Operation)) {
				allowed = true
			}
		}
		return false
	}
	if decide(pattern{r, Literal, name}) || name != Wildcard && decide(pattern{r, Literal, Wildcard}) {
		return false
	}
	for _, n := range s.prefixes[r] {
		if n <= len(name) && decide(pattern{r, Prefixed, name[:n]}) {
			return false
		}
	}
	return allowed
}

// AllowedSome decides whether there may be a resource of the kind that w may do op to (KIP-679): some ACL allows it,
// and none that denies it covers all that one allows.
func (s *ACLs) AllowedSome(w Who, op Operation, r Resource) bool {
	var denies, allows []*ACL
	for a := range s.all {
		switch {
		case a.Resource != r || !w.is(&a):
		case a.Permission == Deny && (a.Operation == op || a.Operation == All):
			denies = append(denies, &a)
		case a.Permission == Allow && (a.Operation == op || a.Operation == All || implied[op].Has(a.Operation)):
			allows = append(allows, &a)
		}
	}
	return slices.ContainsFunc(allows, func(a *ACL) bool {
		return !slices.ContainsFunc(denies, func(d *ACL) bool {
			everything := d.Pattern == Literal && d.Name == Wildcard
			if a.Pattern == Literal && a.Name == Wildcard || a.Pattern == Prefixed && d.Pattern == Literal {
				return everything
			}
			return covers(d, a.Name)
		})
	})
}
