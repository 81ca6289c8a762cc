package stream

import "time"

// Lag is how far one partition is behind: of an input, or of a changelog that is being restored.
type Lag struct {
	Topic     string
	Partition int32
	Records   int64 // still to be read; -1: not known yet
	// Behind is how old the newest record processed is, by its event time, while there are others to come. It is 0 where
	// there are none, and before the first.
	Behind     time.Duration
	Restoring  bool  // a changelog, from which a store is being restored
	Checkpoint int64 // where a restart would begin to read: an input's committed position, a changelog's checkpoint
}

// Lag returns how far each partition is behind. Offsets that hold no record (markers, compacted ones) are counted too, so
// Records is an upper bound.
func (a *App) Lag() (ls []Lag) {
	s, ok := a.snapshot()
	if !ok {
		return nil
	}
	now := time.Now()
	for _, t := range s.Tasks {
		for _, i := range t.Inputs {
			l := Lag{Topic: i.Topic, Partition: i.Partition, Records: -1, Checkpoint: i.Committed}
			if i.End >= 0 {
				l.Records = max(0, i.End-i.Position)
			}
			if l.Records > 0 && i.Time >= 0 {
				l.Behind = max(0, now.Sub(time.UnixMilli(i.Time)))
			}
			ls = append(ls, l)
		}
	}
	for _, r := range s.Restores {
		ls = append(ls, Lag{Topic: r.Topic, Partition: r.Partition, Records: max(0, r.To-r.At), Restoring: true, Checkpoint: r.From})
	}
	return ls
}
