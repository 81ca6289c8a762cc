package coord

import (
	"cmp"
	"maps"
	"slices"
)

// Assignors of the coordinator; the first is the default.
const (
	assignorUniform = "uniform"
	assignorRange   = "range"
)

// pool is what partitions are assigned from, and to whom.
type pool struct {
	members []*consumer       // in order
	wants   []map[string]bool // by member: topics
	topics  map[string]TopicInfo
}

// assign makes the target assignment of the current epoch and returns who has another target than before.
func (c *consumers) assign() (changed []*consumer) {
	p := pool{topics: c.topics, members: slices.SortedFunc(maps.Values(c.members), func(a, b *consumer) int {
		return cmp.Or(cmp.Compare(a.instance, b.instance), cmp.Compare(a.id, b.id)) // a static member keeps its place
	})}
	for _, m := range p.members {
		p.wants = append(p.wants, m.subscriptions())
	}
	c.assignor = c.elect()
	targets := p.uniform
	if c.assignor == assignorRange {
		targets = p.ranges
	}
	for i, target := range targets() {
		if m := p.members[i]; !maps.Equal(m.target, target) {
			m.target = target
			changed = append(changed, m)
		}
	}
	c.assigned = c.epoch
	return changed
}

// elect returns the assignor that most members name, the default if none does.
func (c *consumers) elect() string {
	votes := map[string]int{}
	for _, m := range c.members {
		if m.assignor != "" {
			votes[m.assignor]++
		}
	}
	if votes[assignorRange] > votes[assignorUniform] {
		return assignorRange
	}
	return assignorUniform
}

// ranges gives each subscriber of a topic a run of its partitions, so that those of the same number in several topics meet.
func (p *pool) ranges() []partitions {
	targets := p.none()
	for name, t := range p.topics {
		var subscribers []int
		for i := range p.members {
			if p.wants[i][name] {
				subscribers = append(subscribers, i)
			}
		}
		n := int32(len(subscribers))
		for at := range n {
			from, to := at*(t.Partitions/n)+min(at, t.Partitions%n), (at+1)*(t.Partitions/n)+min(at+1, t.Partitions%n)
			for x := from; x < to; x++ {
				targets[subscribers[at]][IDPartition{t.ID, x}] = struct{}{}
			}
		}
	}
	return targets
}

// uniform gives members equally many partitions, as far as their subscriptions let it, and moves none without need.
func (p *pool) uniform() []partitions {
	targets := p.none()
	name := map[[16]byte]string{}
	for n, t := range p.topics {
		name[t.ID] = n
	}
	taken := partitions{}
	for i, m := range p.members {
		for x := range m.target {
			n, exists := name[x.Topic]
			if exists && x.Partition < p.topics[n].Partitions && p.wants[i][n] && !taken.has(x) {
				targets[i][x] = struct{}{}
				taken[x] = struct{}{}
			}
		}
	}
	for _, n := range slices.Sorted(maps.Keys(p.topics)) {
		t := p.topics[n]
		for x := range t.Partitions {
			if at := (IDPartition{t.ID, x}); !taken.has(at) {
				if i := p.least(targets, n); i >= 0 {
					targets[i][at] = struct{}{}
				}
			}
		}
	}
	for p.level(targets, name) {
	}
	return targets
}

func (p *pool) none() []partitions {
	targets := make([]partitions, len(p.members))
	for i := range targets {
		targets[i] = partitions{}
	}
	return targets
}

// least returns the subscriber of a topic that has least, -1 if there is none.
func (p *pool) least(targets []partitions, topic string) int {
	best := -1
	for i := range p.members {
		if p.wants[i][topic] && (best < 0 || len(targets[i]) < len(targets[best])) {
			best = i
		}
	}
	return best
}

// level moves partitions from one who has at least two more than another who may have them, and reports whether it did. Each
// move makes the sum of the squares of what members have smaller, so there is an end.
func (p *pool) level(targets []partitions, name map[[16]byte]string) (moved bool) {
	order := make([]int, len(targets))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(len(targets[a]), len(targets[b])) })
	for _, from := range slices.Backward(order) {
		for _, to := range order {
			if len(targets[from]) < len(targets[to])+2 {
				continue
			}
			for _, x := range targets[from].sorted() {
				if len(targets[from]) < len(targets[to])+2 {
					break
				}
				if p.wants[to][name[x.Topic]] {
					delete(targets[from], x)
					targets[to][x] = struct{}{}
					moved = true
				}
			}
		}
	}
	return moved
}
