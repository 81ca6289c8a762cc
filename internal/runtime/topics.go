package runtime

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/thalweg/thalweg/internal/edge"
	"github.com/thalweg/thalweg/internal/kafka"
	"github.com/thalweg/thalweg/state"
)

// plan is what the instance knows of its topics when it starts.
type plan struct {
	partitions map[string]int32    // of every topic, changelogs included
	ids        map[string][16]byte // of changelogs and sources
	settings   map[string]map[string]string
	sources    []string
}

// repartitionSettings are those of repartition topics: kept until purged.
var repartitionSettings = map[string]string{
	"cleanup.policy": "delete", "retention.ms": "-1", "segment.bytes": "52428800", "message.timestamp.type": "CreateTime",
}

// prepare checks the topics there are, makes those that are missing and the app's to make, and plans the rest.
func (in *Instance) prepare(ctx context.Context) (p plan, err error) {
	g := in.cfg.Graph
	have, err := in.have(ctx)
	if err != nil {
		return p, err
	}
	if err := in.makeUserTopics(ctx, have); err != nil {
		return p, err
	}
	if g.Topic(in.cfg.DeadLetter) == nil {
		delete(have, in.cfg.DeadLetter) // no pattern reads it
	}
	if p.partitions, err = g.Partitions(have); err != nil {
		return p, fmt.Errorf("runtime: %w", err)
	}
	for name, n := range have {
		if t, _ := g.Match(name); t != nil {
			in.bound[name] = reading{t.Called(name), n}
		}
	}
	if err := in.makeInternalTopics(ctx, p, have); err != nil {
		return p, err
	}
	var names []string
	for name := range p.partitions {
		if t := g.Topic(name); t == nil || t.Pattern == nil {
			names = append(names, name)
		}
	}
	ts, err := in.cfg.Client.Topics(ctx, true, names...)
	if err != nil {
		return p, err
	}
	p.ids = map[string][16]byte{}
	for name, t := range ts {
		p.ids[name] = t.ID
	}
	for _, t := range g.Topics {
		if t.Source != nil && !t.Global && t.Pattern == nil {
			p.sources = append(p.sources, t.Name)
		}
	}
	for name := range in.bound {
		p.sources = append(p.sources, name)
	}
	slices.Sort(p.sources)
	return p, in.checkPolicies(ctx, &p)
}

// have returns the partition counts of the topics that exist.
func (in *Instance) have(ctx context.Context) (map[string]int32, error) {
	var names []string
	for _, t := range in.cfg.Graph.Topics {
		if t.Pattern == nil {
			names = append(names, t.Name)
		}
	}
	matching, err := in.matching(ctx)
	if err != nil {
		return nil, err
	}
	names = append(names, matching...)
	for _, s := range in.cfg.Graph.Stores {
		if s.Changelog != "" {
			names = append(names, s.Changelog)
		}
	}
	if in.cfg.UsesDeadLetter {
		names = append(names, in.cfg.DeadLetter)
	}
	ts, err := in.cfg.Client.Topics(ctx, true, names...)
	if err != nil {
		return nil, err
	}
	have := map[string]int32{}
	for name, t := range ts {
		have[name] = int32(len(t.Leaders))
	}
	return have, nil
}

// makeUserTopics makes sources and sinks where the app may.
func (in *Instance) makeUserTopics(ctx context.Context, have map[string]int32) error {
	var missing []kafka.NewTopic
	for _, t := range in.cfg.Graph.Topics {
		if t.Internal || have[t.Name] > 0 || t.Pattern != nil {
			continue
		}
		n := int32(-1)
		if t.Partitions > 0 {
			n = int32(t.Partitions)
		}
		settings := maps.Clone(t.Settings)
		if t.Table && settings["cleanup.policy"] == "" {
			// The rows restore from the topic itself, so it has to keep the last of every key.
			settings = merge(settings, map[string]string{"cleanup.policy": "compact"})
		}
		missing = append(missing, kafka.NewTopic{Name: t.Name, Partitions: n, Replication: in.cfg.Replication, Settings: settings})
	}
	if in.cfg.UsesDeadLetter && have[in.cfg.DeadLetter] == 0 {
		missing = append(missing, kafka.NewTopic{Name: in.cfg.DeadLetter, Partitions: -1, Replication: in.cfg.Replication})
	}
	if len(missing) == 0 {
		return nil
	}
	if in.cfg.NoCreate || !in.cfg.CreateUser {
		var names []string
		for _, t := range missing {
			names = append(names, t.Name)
		}
		return fmt.Errorf("runtime: missing topics: %s: create them, or set Config.CreateTopics", strings.Join(names, ", "))
	}
	if err := in.cfg.Client.CreateTopics(ctx, missing...); err != nil {
		return err
	}
	var names []string
	for _, t := range missing {
		names = append(names, t.Name)
	}
	ts, err := in.cfg.Client.Topics(ctx, true, names...)
	for name, t := range ts {
		have[name] = int32(len(t.Leaders))
	}
	return err
}

// makeInternalTopics makes repartition topics and changelogs, and refuses those whose partition count does not fit.
func (in *Instance) makeInternalTopics(ctx context.Context, p plan, have map[string]int32) error {
	var missing []kafka.NewTopic
	var errs []error
	for _, t := range in.cfg.Graph.Topics {
		if t.Internal && have[t.Name] == 0 {
			missing = append(missing, kafka.NewTopic{Name: t.Name, Partitions: p.partitions[t.Name], Replication: in.cfg.Replication,
				Settings: merge(repartitionSettings, in.cfg.Topics)})
		}
	}
	for _, s := range in.cfg.Graph.Stores {
		if s.Changelog == "" {
			continue
		}
		n := tasksOf(s.Sub, p.partitions)
		p.partitions[s.Changelog] = n
		switch have[s.Changelog] {
		case 0:
			settings := merge(state.PlanOf(s.Spec.(state.AnySpec)).Settings, in.cfg.Topics)
			missing = append(missing, kafka.NewTopic{Name: s.Changelog, Partitions: n, Replication: in.cfg.Replication, Settings: settings})
		case n:
		default:
			errs = append(errs, fmt.Errorf("runtime: changelog %q has %d partitions, the store %q needs %d (%s): the input's partitions were changed; "+
				"reset the app to begin anew", s.Changelog, have[s.Changelog], s.Name, n, s.Pos))
		}
	}
	if len(errs) > 0 {
		return errors.Join(errs...)
	}
	if in.cfg.NoCreate && len(missing) > 0 {
		var names []string
		for _, t := range missing {
			names = append(names, fmt.Sprintf("%s (%d partitions)", t.Name, t.Partitions))
		}
		return fmt.Errorf("runtime: missing topics, and Config.NoCreate is set: %s", strings.Join(names, ", "))
	}
	return in.cfg.Client.CreateTopics(ctx, missing...)
}

// checkPolicies refuses a table over a topic that forgets rows, and notes the settings of changelogs.
func (in *Instance) checkPolicies(ctx context.Context, p *plan) (err error) {
	var names []string
	for _, s := range in.cfg.Graph.Stores {
		if s.FromTopic != nil {
			names = append(names, s.FromTopic.Name)
		} else if s.Changelog != "" {
			names = append(names, s.Changelog)
		}
	}
	if p.settings, err = in.cfg.Client.Settings(ctx, names...); err != nil {
		return err
	}
	var errs []error
	for _, s := range in.cfg.Graph.Stores {
		if s.FromTopic == nil {
			continue
		}
		if policy := p.settings[s.FromTopic.Name]["cleanup.policy"]; !strings.Contains(policy, "compact") {
			errs = append(errs, fmt.Errorf("runtime: the table over %q (%s) restores from the topic itself, whose cleanup.policy is %q and loses rows: "+
				"make the topic compacted, or give the table a store of its own with Materialize", s.FromTopic.Name, s.Pos, policy))
		}
	}
	return errors.Join(errs...)
}

// tasksOf is how many tasks a sub-topology has.
func tasksOf(s *edge.Sub, partitions map[string]int32) (n int32) {
	for _, src := range s.Sources {
		n = max(n, partitions[src.Topic.Name])
	}
	return n
}

// merge returns base with over's entries in place of its own.
func merge(base, over map[string]string) map[string]string {
	m := maps.Clone(base)
	if m == nil {
		m = map[string]string{}
	}
	maps.Copy(m, over)
	return m
}
