package kafka

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// unitsOf are n units with state.
func unitsOf(n int) (us []Unit) {
	for i := range n {
		us = append(us, Unit{Name: fmt.Sprint("0_", i), Places: []Place{{"in", int32(i)}}, Stateful: true})
	}
	return us
}

// has is what a member says of units: pairs of a unit and its lag, all of size 100.
func has(pairs ...int64) candidate {
	c := candidate{standings: map[string]Standing{}}
	for i := 0; i < len(pairs); i += 2 {
		c.standings[fmt.Sprint("0_", pairs[i])] = Standing{Lag: pairs[i+1], Size: 100}
	}
	return c
}

func on(rack string, c candidate) candidate { c.rack = rack; return c }

// TestPlacement is what KIP-441 says, case by case. A copy counts as warm at 10.
func TestPlacement(t *testing.T) {
	none := func(n int) [][]int { return make([][]int, n) }
	for _, c := range []struct {
		name    string
		copies  Copies
		owner   []int
		members []candidate
		want    placement
	}{
		{"nobody has anything", Copies{WarmUps: 2}, []int{-1, -1, -1}, []candidate{has(), has()},
			placement{[]int{0, 1, 0}, none(3), none(3)}},
		{"all stays", Copies{WarmUps: 2}, []int{1, 0, 1}, []candidate{has(1, 0), has(0, 0, 2, 0)},
			placement{[]int{1, 0, 1}, none(3), none(3)}},
		{"a new member warms up first", Copies{WarmUps: 1}, []int{0, 0, 0, 0}, []candidate{has(0, 0, 1, 0, 2, 0, 3, 0), has()},
			placement{[]int{0, 0, 0, 0}, none(4), [][]int{nil, nil, {1}, nil}}},
		{"what has begun comes to its end", Copies{WarmUps: 1}, []int{0, 0, 0, 0}, []candidate{has(0, 0, 1, 0, 2, 0, 3, 0), has(3, 40)},
			placement{[]int{0, 0, 0, 0}, none(4), [][]int{nil, nil, nil, {1}}}},
		{"what is warm moves, with a copy until it is given", Copies{WarmUps: 1}, []int{0, 0, 0, 0}, []candidate{has(0, 0, 1, 0, 2, 0, 3, 0), has(1, 10)},
			placement{[]int{0, 1, 0, 0}, none(4), [][]int{nil, {1}, nil, {1}}}},
		{"little state moves at once", Copies{WarmUps: 1}, []int{0, 0}, []candidate{
			{standings: map[string]Standing{"0_0": {0, 10}, "0_1": {0, 10}}}, has()},
			placement{[]int{0, 1}, none(2), none(2)}},
		{"a standby takes over", Copies{Standbys: 1, WarmUps: 2}, []int{-1, 1, 2}, []candidate{has(2, 0), has(1, 0), has(0, 3, 2, 0)},
			placement{[]int{2, 1, 2}, [][]int{{1}, {2}, {0}}, [][]int{{0}, nil, nil}}},
		{"the last one makes room", Copies{Standbys: 1}, []int{0, 1, 2}, []candidate{has(0, 0), has(1, 0), has(2, 0)},
			placement{[]int{0, 1, 2}, [][]int{{1}, {2}, {0}}, none(3)}},
		{"racks", Copies{Standbys: 1}, []int{0, 2}, []candidate{on("a", has(0, 0)), on("a", has(0, 0, 1, 0)), on("b", has(1, 0)), on("b", has())},
			placement{[]int{0, 2}, [][]int{{3}, {1}}, none(2)}},
		{"no more copies than members", Copies{Standbys: 3}, []int{0}, []candidate{has(0, 0), has()},
			placement{[]int{0}, [][]int{{1}}, none(1)}},
		{"who restores gives way to warm state", Copies{Standbys: 1, WarmUps: 1}, []int{0, 1}, []candidate{has(0, 90), has(0, 0, 1, 0)},
			placement{[]int{1, 1}, [][]int{nil, {0}}, [][]int{{0, 1}, nil}}},
	} {
		c.copies.AcceptableLag = 10
		r := roster{units: unitsOf(len(c.owner)), owner: c.owner, members: c.members, copies: c.copies}
		got := r.place()
		if !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s:\n got %v\nwant %v", c.name, got, c.want)
		}
	}
}

// TestPlacementSettles has groups of random members, racks and state come and go, and warm-ups succeed: in every round each unit is
// at work once and no copy lies beside it; in the end all is even and stays as it is.
func TestPlacementSettles(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	for range 3000 {
		us := unitsOf(r.IntN(25))
		for i := range us {
			us[i].Stateful = r.IntN(5) > 0
		}
		ro := roster{units: us, copies: Copies{Standbys: r.IntN(3), AcceptableLag: 10, WarmUps: 1 + r.IntN(3)}}
		racks := r.IntN(3)
		for range 1 + r.IntN(6) {
			c := has()
			if racks > 0 {
				c.rack = fmt.Sprint("r", r.IntN(racks))
			}
			ro.members = append(ro.members, c)
		}
		for u := range us {
			ro.owner = append(ro.owner, r.IntN(len(ro.members)+1)-1)
			for m := range ro.members {
				switch {
				case !us[u].Stateful:
				case ro.owner[u] == m:
					ro.members[m].standings[us[u].Name] = Standing{0, 100}
				case r.IntN(4) == 0:
					ro.members[m].standings[us[u].Name] = Standing{r.Int64N(30), 100}
				}
			}
		}
		var before placement
		rounds := 0
		for ; rounds < 60; rounds++ {
			p := ro.place()
			sound(t, &ro, p)
			warming := slices.ContainsFunc(p.warmUp, func(ms []int) bool { return len(ms) > 0 })
			if reflect.DeepEqual(p, before) && slices.Equal(ro.owner, p.active) && !warming {
				break
			}
			before = p
			ro.apply(p, r)
		}
		if rounds == 60 {
			t.Fatalf("it does not settle: %+v\n%v", ro, before)
		}
		even(t, &ro, before)
	}
}

// apply has members do what they are told: they give up units and take them, and a copy is warm by the next time.
func (r *roster) apply(p placement, rnd *rand.Rand) {
	for m := range r.members {
		was := r.members[m].standings
		now := map[string]Standing{}
		for u, unit := range r.units {
			switch {
			case !unit.Stateful:
			case p.active[u] == m:
				now[unit.Name] = Standing{0, 100}
			case slices.Contains(p.standby[u], m) || slices.Contains(p.warmUp[u], m):
				lag := int64(100)
				if s, ok := was[unit.Name]; ok {
					lag = s.Lag
				}
				now[unit.Name] = Standing{max(0, lag-20-rnd.Int64N(100)), 100}
			}
		}
		r.members[m].standings = now
	}
	copy(r.owner, p.active)
}

func sound(t *testing.T, r *roster, p placement) {
	t.Helper()
	warm := 0
	for u := range r.units {
		if p.active[u] < 0 || p.active[u] >= len(r.members) {
			t.Fatalf("%s is nowhere: %v", r.units[u].Name, p)
		}
		for i, m := range p.standby[u] {
			if m == p.active[u] || slices.Contains(p.standby[u][:i], m) || slices.Contains(p.warmUp[u], m) {
				t.Fatalf("%s: copies %v, %v beside the one at work on %d", r.units[u].Name, p.standby[u], p.warmUp[u], p.active[u])
			}
		}
		for _, m := range p.warmUp[u] {
			if m != p.active[u] {
				warm++
			} else if r.owner[u] == m {
				t.Fatalf("%s is copied where it is", r.units[u].Name)
			}
		}
		if !r.units[u].Stateful && len(p.standby[u])+len(p.warmUp[u]) > 0 {
			t.Fatalf("%s has no state and copies", r.units[u].Name)
		}
		if want := min(r.copies.Standbys, len(r.members)-1); r.units[u].Stateful && len(p.standby[u]) != want && len(p.warmUp[u]) == 0 {
			t.Fatalf("%s has %d standbys, want %d", r.units[u].Name, len(p.standby[u]), want)
		}
		for m := range r.members {
			if m != p.active[u] && r.warm(m, u) && !r.warm(p.active[u], u) {
				t.Fatalf("%s goes to a member without its state, and member %d has it: %v", r.units[u].Name, m, p)
			}
		}
	}
	if warm > r.copies.WarmUps {
		t.Fatalf("%d warm-ups, %d are allowed", warm, r.copies.WarmUps)
	}
}

func even(t *testing.T, r *roster, p placement) {
	t.Helper()
	active, standby := make([]int, len(r.members)), make([]int, len(r.members))
	for u := range r.units {
		active[p.active[u]]++
		for _, m := range p.standby[u] {
			standby[m]++
		}
		if len(p.warmUp[u]) > 0 {
			t.Fatalf("%s is still warmed up: %v", r.units[u].Name, p)
		}
	}
	if slices.Max(active)-slices.Min(active) > 1 {
		t.Fatalf("the members have %v units", active)
	}
	for u := range r.units {
		if r.units[u].Stateful && len(p.standby[u]) > 0 && r.near(&p, p.standby[u][0], u) > 1 {
			for m := range r.members {
				if r.members[m].rack != r.members[p.active[u]].rack && !slices.Contains(p.standby[u], m) && len(p.standby[u]) == 1 {
					t.Fatalf("%s: its standby is on the same rack, and member %d is not: %v", r.units[u].Name, m, p)
				}
			}
		}
	}
}

// TestUserDataOfOtherVersions is read for what it says.
func TestUserDataOfOtherVersions(t *testing.T) {
	for _, c := range []struct {
		data []byte
		want told
	}{
		{nil, told{}},
		{[]byte("10.0.0.1:80"), told{Addr: "10.0.0.1:80"}}, // before there were copies
		{userData(told{"h:1", map[string]Standing{"0_1": {2, 3}}}), told{"h:1", map[string]Standing{"0_1": {2, 3}}}},
		{[]byte("\x01" + `{"addr":"h:1","more":[1]}`), told{Addr: "h:1"}}, // fields of later ones
		{[]byte("\x02{}"), told{}},
		{[]byte("\x01{"), told{}},
	} {
		if got := parseTold(c.data); !reflect.DeepEqual(got, c.want) {
			t.Errorf("%q is read as %+v, want %+v", c.data, got, c.want)
		}
	}
}

// TestBalancerTellsMembersOfTheirCopies goes the way of the protocol: from what members say of themselves to what each is given.
func TestBalancerTellsMembersOfTheirCopies(t *testing.T) {
	of := func(addr string, s map[string]Standing) *balancer {
		return &balancer{units: func(map[string]int32) []Unit { return unitsOf(2) }, copies: Copies{Standbys: 1, AcceptableLag: 10}, addr: addr,
			standings: func() map[string]Standing { return s }}
	}
	a, b := of("a:1", map[string]Standing{"0_0": {0, 100}}), of("b:1", map[string]Standing{"0_1": {0, 100}})
	ms := []kmsg.JoinGroupResponseMember{
		{MemberID: "a", ProtocolMetadata: a.JoinGroupMetadata([]string{"in"}, map[string][]int32{"in": {0}}, 1)},
		{MemberID: "b", ProtocolMetadata: b.JoinGroupMetadata([]string{"in"}, map[string][]int32{"in": {1}}, 1)},
	}
	cb, err := kgo.NewConsumerBalancer(a, ms)
	if err != nil {
		t.Fatal(err)
	}
	for _, as := range a.Balance(cb, map[string]int32{"in": 2}).IntoSyncAssignment() {
		own, other := int32(0), "0_1"
		if as.MemberID == "b" {
			own, other = 1, "0_0"
		}
		got, err := b.ParseSyncAssignment(as.MemberAssignment)
		if err != nil || !reflect.DeepEqual(got, map[string][]int32{"in": {own}}) || !reflect.DeepEqual(b.held(), given{Copies: []Copy{{other, false}}}) {
			t.Errorf("%s is given %v and copies %v, %v", as.MemberID, got, b.held(), err)
		}
	}
}

// TestBalancerSaysThatMoreComes has a member without anything join two that have all: what it is to have must be given back first.
func TestBalancerSaysThatMoreComes(t *testing.T) {
	for units, want := range map[int]bool{3: true, 2: false} { // two units are for those who have them
		stateless := unitsOf(units)
		for i := range stateless {
			stateless[i].Stateful = false
		}
		b := &balancer{units: func(map[string]int32) []Unit { return stateless }, standings: func() map[string]Standing { return nil }}
		first := []int32{0, 2}[:units-1]
		owned := []map[string][]int32{{"in": first}, {"in": {1}}, nil}
		for generation := int32(1); ; generation++ {
			var ms []kmsg.JoinGroupResponseMember
			for i, o := range owned {
				ms = append(ms, kmsg.JoinGroupResponseMember{MemberID: string(rune('a' + i)), ProtocolMetadata: b.JoinGroupMetadata([]string{"in"}, o, generation)})
			}
			cb, err := kgo.NewConsumerBalancer(b, ms)
			if err != nil {
				t.Fatal(err)
			}
			for i, as := range b.Balance(cb, map[string]int32{"in": int32(units)}).IntoSyncAssignment() {
				if owned[i], err = b.ParseSyncAssignment(as.MemberAssignment); err != nil {
					t.Fatal(err)
				}
				if more := b.held().More; more != (want && generation == 1 && as.MemberID == "c") {
					t.Errorf("%d units, generation %d: member %s is told %v", units, generation, as.MemberID, more)
				}
			}
			if generation == 2 {
				break
			}
		}
		if got := len(owned[2]) == 1; got != want {
			t.Errorf("%d units: the new member has %v", units, owned[2])
		}
	}
}
