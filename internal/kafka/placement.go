package kafka

import (
	"cmp"
	"math"
	"slices"
)

// roster is what the leader of a group knows when it assigns: units by their number, members by theirs.
type roster struct {
	units   []Unit
	members []candidate
	owner   []int // by unit: the member that has it, -1: none
	copies  Copies

	size []int64 // by unit: what a member without state would have to read
}

// candidate is a member as the leader knows it.
type candidate struct {
	rack      string
	standings map[string]Standing // by unit; nothing is known of others
}

// placement is who has what: all by unit.
type placement struct {
	active  []int
	standby [][]int
	warmUp  [][]int // copies of members that are about to have the unit
}

// place assigns units and copies of their state, as KIP-441 does. Units are spread evenly, and stay where they are as long as
// no member has more than its share. One that would move to a member without warm state stays where there is warm state until a
// warm-up has made a copy; those are few at a time.
func (r *roster) place() placement {
	r.measure()
	p := placement{active: r.balanced(), standby: make([][]int, len(r.units)), warmUp: make([][]int, len(r.units))}
	r.holdBack(&p)
	r.standBy(&p)
	r.keepUntilGiven(&p)
	return p
}

// measure finds the size of each unit's state: what anyone has said of it. Of what nobody knows, nobody has a warm copy.
func (r *roster) measure() {
	r.size = make([]int64, len(r.units))
	for u := range r.units {
		known := false
		for _, m := range r.members {
			if s, ok := m.standings[r.units[u].Name]; ok {
				known = true
				r.size[u] = max(r.size[u], s.Size)
			}
		}
		if !known {
			r.size[u] = math.MaxInt64
		}
	}
}

// lag is how much of a unit's state a member lacks.
func (r *roster) lag(m, u int) int64 {
	if s, ok := r.members[m].standings[r.units[u].Name]; ok {
		return s.Lag
	}
	if r.owner[u] == m {
		return 0 // it is of a version that says nothing, or is about to learn where the state stands
	}
	return r.size[u]
}

// warm reports whether a member could go on with a unit about at once.
func (r *roster) warm(m, u int) bool {
	return !r.units[u].Stateful || r.lag(m, u) <= r.copies.AcceptableLag
}

// holds reports whether a member has something of a unit's state.
func (r *roster) holds(m, u int) bool {
	s, ok := r.members[m].standings[r.units[u].Name]
	return ok && s.Lag < s.Size
}

// balanced spreads units over members, no member having more than one above another: first what each has stays, up to its
// share, then the rest goes to who has room for it, to warm state first.
func (r *roster) balanced() []int {
	to := make([]int, len(r.units))
	n := len(r.members)
	load := make([]int, n)
	share, extra := len(r.units)/n, len(r.units)%n
	room := func(m int) bool { return load[m] < share || load[m] == share && extra > 0 }
	take := func(u, m int) {
		if load[m] == share {
			extra--
		}
		to[u] = m
		load[m]++
	}
	var rest []int
	for _, u := range r.byReluctance(share) {
		if m := r.owner[u]; m >= 0 && room(m) {
			take(u, m)
		} else {
			rest = append(rest, u)
		}
	}
	slices.Sort(rest)
	for _, warm := range []bool{true, false} { // who can be anywhere waits until those are placed that cannot
		rest = slices.DeleteFunc(rest, func(u int) bool {
			best := -1
			for m := range n {
				if !room(m) || warm && !(r.units[u].Stateful && r.warm(m, u)) {
					continue
				}
				if best < 0 || cmp.Or(cmp.Compare(r.distance(m, u), r.distance(best, u)), cmp.Compare(load[m], load[best])) < 0 {
					best = m
				}
			}
			if best >= 0 {
				take(u, best)
			}
			return best >= 0
		})
	}
	return to
}

// byReluctance orders units so that those come last which a member with room has a warm copy of: of what one has too much,
// they go.
func (r *roster) byReluctance(share int) []int {
	had := make([]int, len(r.members))
	for _, m := range r.owner {
		if m >= 0 {
			had[m]++
		}
	}
	var stay, leave []int
	for u := range r.units {
		leaves := r.units[u].Stateful && slices.ContainsFunc(r.numbers(), func(m int) bool {
			return m != r.owner[u] && had[m] < share && r.warm(m, u)
		})
		if leaves {
			leave = append(leave, u)
		} else {
			stay = append(stay, u)
		}
	}
	return append(stay, leave...)
}

func (r *roster) numbers() []int {
	ns := make([]int, len(r.members))
	for i := range ns {
		ns[i] = i
	}
	return ns
}

// distance is how much there is to be read before a member can go on with a unit; what is warm is at hand.
func (r *roster) distance(m, u int) int64 {
	if r.warm(m, u) {
		return 0
	}
	return r.lag(m, u)
}

// holdBack leaves units that would move to members without warm state where warm state is, and has the first of them warmed up.
func (r *roster) holdBack(p *placement) {
	n := len(r.members)
	load := make([]int, n)
	for _, m := range p.active {
		load[m]++
	}
	type move struct{ u, to int }
	var moves []move
	for u, to := range p.active {
		if r.warm(to, u) {
			continue
		}
		best := -1
		for m := range n {
			if !r.warm(m, u) {
				continue
			}
			if best < 0 || m == r.owner[u] || best != r.owner[u] && load[m] < load[best] {
				best = m
			}
		}
		if best < 0 || best == to {
			continue
		}
		load[to]--
		load[best]++
		p.active[u] = best
		moves = append(moves, move{u, to})
	}
	// The nearest first: what has begun comes to its end.
	slices.SortStableFunc(moves, func(a, b move) int { return cmp.Compare(r.lag(a.to, a.u), r.lag(b.to, b.u)) })
	for _, x := range moves[:min(len(moves), r.copies.WarmUps)] {
		p.warmUp[x.u] = append(p.warmUp[x.u], x.to)
	}
}

// standBy places the standbys: never beside the unit at work, on another rack if there is one, and evenly. A copy that is there
// stays as long as its member has not more than its share.
func (r *roster) standBy(p *placement) {
	n := len(r.members)
	want := min(r.copies.Standbys, n-1)
	stateful := 0
	for _, u := range r.units {
		if u.Stateful {
			stateful++
		}
	}
	if want <= 0 || stateful == 0 {
		return
	}
	most := (stateful*want + n - 1) / n
	load, work := make([]int, n), make([]int, n)
	for _, m := range p.active {
		work[m]++
	}
	add := func(u, m int) {
		p.standby[u] = append(p.standby[u], m)
		load[m]++
	}
	for _, gives := range []bool{false, true} { // who has a copy goes before who gives the unit away, and would begin one
		for u := range r.units {
			for m := range n {
				if r.units[u].Stateful && (m == r.owner[u]) == gives && len(p.standby[u]) < want && load[m] < most &&
					r.holds(m, u) && r.free(p, m, u) && r.apart(p, m, u) {
					add(u, m)
				}
			}
		}
	}
	for u := range r.units {
		for r.units[u].Stateful && len(p.standby[u]) < want {
			best := -1
			for m := range n {
				if r.free(p, m, u) && (best < 0 || cmp.Or(r.prefers(p, load, most, u, m, best), cmp.Compare(work[m], work[best])) < 0) {
					best = m
				}
			}
			if best < 0 {
				break
			}
			add(u, best)
		}
	}
	r.relieve(p, load, most)
}

// relieve moves standbys away from members that have more than their share, as placing them one by one can leave it: the last
// one's unit may be at work where there was room. Copies that are only to be made go first.
func (r *roster) relieve(p *placement, load []int, most int) {
	for _, held := range []bool{false, true} {
		for u := range r.units {
			for i, from := range p.standby[u] {
				if load[from] <= most || r.holds(from, u) != held {
					continue
				}
				if to := r.instead(p, u, i, load, most); to >= 0 {
					p.standby[u][i] = to
					load[from]--
					load[to]++
				}
			}
		}
	}
}

// instead returns a member with room for a unit's standby that is no nearer to the other copies than who has it, -1 if there is
// none.
func (r *roster) instead(p *placement, u, i int, load []int, most int) int {
	all := p.standby[u]
	defer func() { p.standby[u] = all }()
	from := all[i]
	p.standby[u] = slices.Delete(slices.Clone(all), i, i+1)
	for to := range r.members {
		if to != from && load[to] < most && r.free(p, to, u) && r.near(p, to, u) <= r.near(p, from, u) {
			return to
		}
	}
	return -1
}

// free reports whether a member has nothing to do with a unit so far.
func (r *roster) free(p *placement, m, u int) bool {
	return p.active[u] != m && !slices.Contains(p.warmUp[u], m) && !slices.Contains(p.standby[u], m)
}

// near is how many of a unit's copies, the one at work among them, are on a member's rack.
func (r *roster) near(p *placement, m, u int) (n int) {
	if r.members[m].rack == "" {
		return 0
	}
	for _, o := range append([]int{p.active[u]}, p.standby[u]...) {
		if r.members[o].rack == r.members[m].rack {
			n++
		}
	}
	return n
}

// apart reports whether no free member is further away from a unit's other copies, by rack.
func (r *roster) apart(p *placement, m, u int) bool {
	for o := range r.members {
		if r.free(p, o, u) && r.near(p, o, u) < r.near(p, m, u) {
			return false
		}
	}
	return true
}

// prefers compares members by how well a standby of a unit is placed there: the lesser is better.
func (r *roster) prefers(p *placement, load []int, most, u, a, b int) int {
	full := func(m int) int {
		if load[m] >= most {
			return 1
		}
		return 0
	}
	return cmp.Or(
		cmp.Compare(r.near(p, a, u), r.near(p, b, u)),
		cmp.Compare(full(a), full(b)),
		cmp.Compare(r.distance(a, u), r.distance(b, u)),
		cmp.Compare(load[a], load[b]),
	)
}

// keepUntilGiven has members keep a copy of what they get only once its owner has given it up, in the rebalance that follows.
func (r *roster) keepUntilGiven(p *placement) {
	for u, m := range p.active {
		if r.units[u].Stateful && r.owner[u] >= 0 && r.owner[u] != m && r.holds(m, u) {
			p.warmUp[u] = append(p.warmUp[u], m)
		}
	}
}
