package log

import (
	"fmt"
	"slices"
)

// flush makes the segments the truth about all that was appended before the call: it syncs what is not synced and
// writes a manifest. After it the WAL is not needed for those appends. A failure takes the partition offline.
func (p *Partition) flush() error {
	p.flushMu.Lock()
	defer p.flushMu.Unlock()
	return p.flushHeld()
}

// unsynced is a segment that a flush brings to disk, as it was when the flush began.
type unsynced struct {
	*segment
	size   int64
	aborts []abortedTxn
}

// flushHeld is flush under flushMu.
func (p *Partition) flushHeld() error {
	p.mu.Lock()
	if p.err != nil || p.deleted || p.dirty == 0 && !p.changed {
		defer p.mu.Unlock()
		return p.err
	}
	var todo []unsynced
	for _, s := range p.segments {
		if s.flushed < s.size || s.index.unsaved() || s.abortsSaved < len(s.aborted) {
			todo = append(todo, unsynced{s, s.size, slices.Clip(s.aborted)})
		}
	}
	manifest := p.encodeManifest()
	end, lsn := p.end, p.lastLSN
	p.flushing, p.dirty, p.changed = p.dirty, 0, false
	p.mu.Unlock()

	err := p.d.wal.waitSynced(lsn)
	if err == nil {
		err = p.writeFlush(todo, manifest)
	}
	if err != nil {
		err = fmt.Errorf("flush: %w", err)
		p.fail(err)
		return err // flushing stays: the WAL keeps what no manifest covers
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, u := range todo {
		u.flushed, u.abortsSaved = u.size, len(u.aborts)
	}
	p.recovery = end
	p.flushing = 0
	return nil
}

// writeFlush does the disk's part of a flush. The manifest comes last, when all that it names is durable.
func (p *Partition) writeFlush(todo []unsynced, manifest []byte) error {
	fs := p.d.fs
	for _, u := range todo {
		f, err := u.file.acquire()
		if err != nil {
			return err
		}
		err = f.Sync()
		u.file.release()
		if err != nil {
			return err
		}
		if err = u.saveIndex(u.size); err != nil {
			return err
		}
		if u.abortsSaved < len(u.aborts) {
			if err = renameIn(fs, p.dir, u.name(txnExt), encodeAborted(u.aborts)); err != nil {
				return err
			}
		}
	}
	if len(todo) > 0 {
		if err := syncDir(fs, p.dir); err != nil {
			return err
		}
	}
	return replaceFile(fs, p.dir, manifestFile, manifest)
}

// unflushed returns the lsn of the first frame that the WAL must keep for the partition, 0 if there is none.
func (p *Partition) unflushed() uint64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.flushing != 0 {
		return p.flushing
	}
	return p.dirty
}
