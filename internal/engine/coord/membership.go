package coord

import "github.com/thalweg/thalweg/internal/engine/code"

// Heartbeat keeps a member's session alive and tells it of a rebalance.
func (s *Groups) Heartbeat(groupID string, generation int32, memberID string, instance *string) code.Code {
	g, c := s.lock(groupID, false)
	if c == code.GroupIDNotFound {
		return code.UnknownMemberID
	}
	if c != code.None {
		return c
	}
	defer g.mu.Unlock()
	if g.consumers != nil {
		return g.heartbeatConsumers(generation, memberID, instance)
	}
	m, c := g.find(memberID, instance)
	if c != code.None {
		return c
	}
	if generation != g.generation {
		return code.IllegalGeneration
	}
	switch g.state {
	case PreparingRebalance:
		g.heard(m)
		return code.RebalanceInProgress
	case CompletingRebalance, Stable:
		g.heard(m)
		return code.None
	}
	return code.UnknownMemberID
}

// Leaver names who leaves: by member id, or by instance id, or both.
type Leaver struct {
	MemberID string
	Instance *string
}

// Leave removes members; each has its own result.
func (s *Groups) Leave(groupID string, leavers []Leaver) ([]code.Code, code.Code) {
	g, c := s.lock(groupID, false)
	if c == code.GroupIDNotFound {
		c = code.UnknownMemberID
	}
	if c != code.None {
		return nil, c
	}
	defer g.mu.Unlock()
	results := make([]code.Code, len(leavers))
	for i, l := range leavers {
		if g.consumers != nil {
			results[i] = g.removeLeaver(l)
			continue
		}
		results[i] = g.leave(l)
	}
	return results, code.None
}

func (g *group) leave(l Leaver) code.Code {
	if t, ok := g.pending[l.MemberID]; ok && l.Instance == nil {
		t.cancel()
		delete(g.pending, l.MemberID)
		if g.state == PreparingRebalance {
			g.completeIfAllJoined()
		}
		return code.None
	}
	id := l.MemberID
	if l.Instance != nil && id == "" {
		current, ok := g.static[*l.Instance]
		if !ok {
			return code.UnknownMemberID
		}
		id = current
	}
	m, c := g.find(id, l.Instance)
	if c != code.None {
		return c
	}
	g.remove(m)
	return code.None
}
