package engine

import (
	"github.com/thalweg/thalweg/internal/engine/coord"
	"github.com/thalweg/thalweg/internal/engine/log"
	"github.com/thalweg/thalweg/internal/engine/wire"
)

// Metrics are the Stats of an engine and what it has done since it was opened.
type Metrics struct {
	Stats
	Server      wire.Stats
	Log         log.Stats
	Txns        coord.TxnStats
	GroupStates map[string]int // by state
}

// Metrics returns the numbers now. It looks at every partition, group and transactional id.
func (e *Engine) Metrics() Metrics {
	m := Metrics{Stats: e.Stats(), Server: e.server.Stats(), Log: e.dir.Stats(), Txns: e.txns.Stats(), GroupStates: map[string]int{}}
	for _, g := range e.groups.List() {
		m.GroupStates[g.State]++
	}
	return m
}
