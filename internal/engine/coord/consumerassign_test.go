package coord

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"testing"
)

// TestAssignors gives random members, that come, go and change their subscriptions, partitions of random topics: each partition
// of a topic that somebody subscribes to has just one owner, who subscribes to it; where all subscribe to the same nobody
// has two more than another by uniform; and nothing moves where nothing has changed.
func TestAssignors(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	for n := range 300 {
		c := newConsumers()
		alike := n%2 == 0
		for i := range 1 + r.IntN(6) {
			c.topics[fmt.Sprint("t", i)] = TopicInfo{ID: [16]byte{byte(i + 1)}, Partitions: int32(1 + r.IntN(12))}
		}
		assignor := []string{assignorUniform, assignorRange}[r.IntN(2)]
		for step := range 6 {
			for i := range r.IntN(3) {
				m := &consumer{id: fmt.Sprint("m", step, i), assignor: assignor}
				for name := range c.topics {
					if alike || r.IntN(2) == 0 {
						m.names = append(m.names, name)
					}
				}
				c.put(m)
			}
			for _, m := range c.members {
				if r.IntN(6) == 0 {
					c.drop(m)
				}
			}
			c.epoch++
			c.assign()
			check(t, c, alike && assignor == assignorUniform)
			c.epoch++
			if again := c.assign(); len(again) > 0 {
				t.Fatalf("%d members have another target though nothing has changed", len(again))
			}
		}
	}
}

func check(t *testing.T, c *consumers, even bool) {
	t.Helper()
	owner, least, most := map[IDPartition]string{}, 1<<30, 0
	for _, m := range c.members {
		least, most = min(least, len(m.target)), max(most, len(m.target))
		for p := range m.target {
			if owner[p] != "" {
				t.Fatalf("%v is of %s and of %s", p, owner[p], m.id)
			}
			owner[p] = m.id
		}
	}
	if even && len(c.members) > 0 && most > least+1 {
		t.Fatalf("members have from %d to %d partitions", least, most)
	}
	subscribed := c.subscribed()
	want := 0
	for name, info := range c.topics {
		if !subscribed[name] {
			continue
		}
		want += int(info.Partitions)
		for p := range info.Partitions {
			m := c.members[owner[IDPartition{info.ID, p}]]
			if m == nil || !m.subscriptions()[name] {
				t.Fatalf("%s-%d has no owner who subscribes to it", name, p)
			}
		}
	}
	if len(owner) != want {
		t.Fatalf("%d partitions are assigned, want %d: %v", len(owner), want, maps.Collect(maps.All(owner)))
	}
}
