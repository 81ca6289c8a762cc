package edge

import (
	"errors"
	"fmt"
	"sort"
)

// Partitions decides how many partitions each topic of the graph has. have gives the counts of topics that exist,
// internal ones included. An internal topic asked for without a number takes that of its join's other topics, else the
// greatest of the sources of the sub-topologies that write it. A missing or mismatched topic is named in the error.
func (g *Graph) Partitions(have map[string]int32) (map[string]int32, error) {
	n := make(map[string]int32, len(g.Topics))
	var errs []error
	for _, t := range g.Topics {
		switch {
		case t.Pattern != nil:
			// The source has as many tasks as the topic with most partitions needs, or as its user says: there may be none yet.
			n[t.Name] = max(have[t.Name], int32(t.Partitions))
			for name, count := range have {
				if m, err := g.Match(name); err != nil {
					errs = append(errs, err)
				} else if m == t {
					n[t.Name] = max(n[t.Name], count)
				}
			}
			if n[t.Name] == 0 {
				errs = append(errs, fmt.Errorf("no topic matches the pattern %q (%s): create one, or say with Partitions how many such topics will have", t.Pattern, t.Pos))
			}
		case !t.Internal && have[t.Name] > 0:
			n[t.Name] = have[t.Name]
		case !t.Internal:
			errs = append(errs, fmt.Errorf("topic %q does not exist (%s): create it, or set Config.CreateTopics", t.Name, t.Pos))
		case t.Partitions > 0:
			n[t.Name] = int32(t.Partitions)
		}
	}
	for name, count := range have {
		if t, _ := g.Match(name); t != nil {
			errs = append(errs, t.Fits(name, count, n[t.Name]))
		}
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	// Each round can only fill in or raise counts, bounded by the greatest count there is: it ends.
	for range len(g.Topics) + 1 {
		if !g.spread(n) {
			break
		}
	}
	for _, t := range g.Topics {
		if n[t.Name] == 0 {
			errs = append(errs, fmt.Errorf("topic %q has no source to take its partition count from (%s)", t.Name, t.Pos))
		}
		if t.Internal && have[t.Name] > 0 && have[t.Name] != n[t.Name] {
			errs = append(errs, fmt.Errorf("topic %q has %d partitions, the topology needs %d (%s): the input's partitions were changed; "+
				"reset the app, or give Repartition the old count", t.Name, have[t.Name], n[t.Name], t.Pos))
		}
	}
	for _, gr := range g.Groups {
		if err := gr.check(n); err != nil {
			errs = append(errs, err)
		}
	}
	return n, errors.Join(errs...)
}

// spread does one round over the internal topics without a count of their own.
func (g *Graph) spread(n map[string]int32) (changed bool) {
	for _, t := range g.Topics {
		if !t.Internal || t.Partitions > 0 {
			continue
		}
		want := g.fixedPartner(t, n)
		if want == 0 {
			for _, s := range t.Sinks {
				for _, src := range s.Sub.Sources {
					want = max(want, n[src.Topic.Name])
				}
			}
		}
		if want > n[t.Name] {
			n[t.Name], changed = want, true
		}
	}
	return changed
}

// fixedPartner is the count of a topic that t is joined with and that cannot change, 0 if there is none.
func (g *Graph) fixedPartner(t *Topic, n map[string]int32) (count int32) {
	for _, gr := range g.Groups {
		in := false
		for _, o := range gr.Topics {
			in = in || o == t
		}
		if !in {
			continue
		}
		for _, o := range gr.Topics {
			if o != t && (!o.Internal || o.Partitions > 0) {
				return n[o.Name]
			}
			count = max(count, n[o.Name])
		}
	}
	return count
}

func (gr Group) check(n map[string]int32) error {
	for _, t := range gr.Topics[1:] {
		if n[t.Name] != n[gr.Topics[0].Name] {
			text := ""
			ts := append([]*Topic{}, gr.Topics...)
			sort.Slice(ts, func(i, j int) bool { return ts[i].Name < ts[j].Name })
			for i, t := range ts {
				if i > 0 {
					text += ", "
				}
				text += fmt.Sprintf("%q has %d", t.Name, n[t.Name])
			}
			return fmt.Errorf("%s joins topics of unequal partition counts: %s (%s): Repartition one of them", gr.Name, text, gr.Pos)
		}
	}
	return nil
}
