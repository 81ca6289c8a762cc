package log

import "errors"

// schedule arms the timer of the next round.
func (d *Dir) schedule() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.closed {
		d.round = d.cfg.Clock.AfterFunc(d.cfg.CleanInterval, func() { kick(d.roundDue) })
	}
}

// cleaner goes its rounds: retention, compaction, and letting go of what was kept for readers who did not come.
func (d *Dir) cleaner() {
	for {
		select {
		case <-d.roundDue:
		case <-d.quit:
			return
		}
		d.disk.check()
		for _, p := range d.List() {
			if d.closing() {
				return
			}
			p.sweep()
			if err := p.Clean(false); err != nil && !errors.Is(err, ErrClosed) && !errors.Is(err, ErrOffline) {
				d.counters.cleanFailures.Add(1)
				d.cfg.Logf("log: cleaning %s (%s): %v", p.Name(), p.id, err)
			}
		}
		d.schedule()
	}
}

// closing reports whether Close has begun.
func (d *Dir) closing() bool {
	select {
	case <-d.quit:
		return true
	default:
		return false
	}
}

// sweep lets go of memory and files that were not used since the last round, and of producers that were not for long.
func (p *Partition) sweep() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.ps.expire(nowMs(p.d.cfg.Clock) - p.d.cfg.ProducerTTL.Milliseconds())
	p.tail.sweep()
	for _, s := range p.segments {
		if s.flushed == s.size {
			s.sweep(s != p.active())
		}
	}
}

// Clean runs retention and, if due (or force), compaction now: tests, and internal topics. With force the active
// segment is closed first, so that all that is decided is compacted.
func (p *Partition) Clean(force bool) error {
	p.cleanMu.Lock()
	defer p.cleanMu.Unlock()
	now := nowMs(p.d.cfg.Clock)
	if err := p.retain(now); err != nil {
		return err
	}
	return p.compact(now, force)
}
