package log

import (
	"fmt"
	"slices"

	"github.com/thalweg/thalweg/internal/batch"
)

// Problem is something in a directory that is not as it has to be.
type Problem struct {
	Log  string `json:"log"` // the partition, "" of the directory itself
	File string `json:"file"`
	What string `json:"what"`
}

// String returns the problem on one line.
func (p Problem) String() string {
	switch {
	case p.Log == "":
		return fmt.Sprintf("%s: %s", p.File, p.What)
	case p.File == "":
		return fmt.Sprintf("%s: %s", p.Log, p.What)
	}
	return fmt.Sprintf("%s: %s: %s", p.Log, p.File, p.What)
}

// Verified is how much was looked at.
type Verified struct {
	Clean                               bool // the directory was closed
	Logs, Segments, Batches, WALEntries int
	Bytes                               int64
}

// Verify reads all there is in the directory and reports what does not fit together: checksums, offsets, indexes,
// aborted transactions, what manifests say of files and of producers, and, in a directory that was not closed, the
// write-ahead log. What a crash may leave is no problem. The error is of the reading itself.
func (i *Inspector) Verify(report func(Problem)) (Verified, error) {
	all := Verified{}
	st, _, err := readState(i.d.fs, i.d.dir)
	if err != nil {
		report(Problem{File: stateFile, What: err.Error()})
	}
	all.Clean = err == nil && st.clean
	found, err := i.List()
	if err != nil {
		return all, err
	}
	ends := map[ID]int64{}
	for _, f := range found {
		v := &verifier{i: i, p: i.d.newPartition(f.ID), clean: all.Clean, done: &all, report: func(file, format string, args ...any) {
			report(Problem{Log: f.String(), File: file, What: fmt.Sprintf(format, args...)})
		}}
		if err := v.partition(); err != nil {
			return all, fmt.Errorf("log: %s: %w", f, err)
		}
		ends[f.ID] = v.end
		all.Logs++
	}
	if !all.Clean {
		i.verifyWAL(ends, &all, report)
	}
	return all, nil
}

// verifyWAL checks that the entries of the write-ahead log are whole, and continue the logs that end at ends.
func (i *Inspector) verifyWAL(ends map[ID]int64, all *Verified, report func(Problem)) {
	dir := i.d.fs.PathJoin(i.d.dir, walDir)
	bad := func(err error) { report(Problem{File: walDir, What: err.Error()}) }
	if _, err := i.d.fs.Stat(dir); err != nil {
		bad(err)
		return
	}
	w := newWAL(i.d.fs, dir, &i.d.cfg)
	if err := w.open(); err != nil {
		bad(err)
		return
	}
	err := w.replay(func(f *frame) error {
		all.WALEntries++
		end, ok := ends[f.id]
		if !ok || f.kind != frameAppend {
			return nil // deleted since, or a new log start
		}
		h, err := batch.Parse(f.payload)
		if err == nil {
			err = batch.CheckCRC(f.payload)
		}
		switch {
		case err != nil:
			bad(fmt.Errorf("entry %d, of %s: %w", f.lsn, f.id, err))
		case h.BaseOffset > end:
			bad(fmt.Errorf("entry %d, of %s: offsets %d to %d are missing", f.lsn, f.id, end, h.BaseOffset-1))
		}
		ends[f.id] = max(end, h.LastOffset()+1)
		return nil
	})
	if err != nil {
		bad(err)
	}
}

// verifier goes over one partition.
type verifier struct {
	i      *Inspector
	p      *Partition // has no more than its id and directory
	m      *manifest
	clean  bool
	done   *Verified
	report func(file, format string, args ...any)

	end     int64                  // of what was walked over
	plain   []*segment             // that the cleaner has not rewritten: all they ever held is there
	open    map[int64]int64        // producer → first offset of the transaction that is open in them
	last    map[int64]batch.Header // of each producer's last batch of data in them
	scratch []byte
	unread  bool // a batch cannot be read: what it did to producers is not known
}

func (v *verifier) partition() error {
	fs, p := v.i.d.fs, v.p
	meta, err := readMeta(fs, p.dir)
	if err != nil {
		v.report(metaFile, "%v", err)
		return nil
	}
	p.cfg = meta.Settings.effective()
	v.m, err = readManifest(fs, p.dir, p.cfg.IndexIntervalBytes)
	if err != nil {
		v.report(manifestFile, "%v", err)
		return nil
	}
	if v.m == nil {
		v.report(manifestFile, "is missing: the next start scans all segments")
		return nil
	}
	if err := v.strangers(); err != nil {
		return err
	}
	v.end, v.open, v.last = v.m.segments[0].base, map[int64]int64{}, map[int64]batch.Header{}
	for n := range v.m.segments {
		if err := v.segment(n); err != nil {
			return err
		}
	}
	v.manifest()
	if !v.unread {
		v.producers()
	}
	return nil
}

// strangers reports files that no manifest names, where a crash cannot have left them.
func (v *verifier) strangers() error {
	if !v.clean {
		return nil
	}
	known := map[string]bool{metaFile: true, manifestFile: true}
	for _, s := range v.m.segments {
		for _, ext := range []string{logExt, indexExt, txnExt} {
			known[s.name(ext)] = true
		}
	}
	names, err := v.i.d.fs.List(v.p.dir)
	if err != nil {
		return err
	}
	slices.Sort(names)
	for _, name := range names {
		if !known[name] {
			v.report(name, "belongs to no segment of the manifest: the next start removes it")
		}
	}
	return nil
}

// manifest checks what the manifest says of the whole.
func (v *verifier) manifest() {
	m := v.m
	if v.end != m.recovery {
		v.report(manifestFile, "says that offset %d is the next, the segments end with %d", m.recovery, v.end-1)
	}
	if m.start < m.segments[0].base || m.start > m.recovery {
		v.report(manifestFile, "the log starts at %d, outside of %d to %d", m.start, m.segments[0].base, m.recovery)
	}
	if m.cleaned > m.recovery {
		v.report(manifestFile, "it was cleaned up to %d, beyond its end %d", m.cleaned, m.recovery)
	}
	for n := 1; n < len(m.epochs); n++ {
		if a, b := m.epochs[n-1], m.epochs[n]; a.epoch >= b.epoch || a.start > b.start {
			v.report(manifestFile, "epoch %d from offset %d on comes after epoch %d from %d on", b.epoch, b.start, a.epoch, a.start)
		}
	}
}

// isPlain reports whether an offset lies in a segment that the cleaner has not rewritten.
func (v *verifier) isPlain(offset int64) bool {
	return slices.ContainsFunc(v.plain, func(s *segment) bool { return s.base <= offset && offset < s.end })
}

// producers compares what the manifest knows of producers and their transactions with the batches there are.
func (v *verifier) producers() {
	for id, p := range v.m.ps.byID {
		if first, open := v.open[id]; v.isPlain(p.txn) && (!open || first != p.txn) {
			v.report(manifestFile, "producer %d has a transaction open since offset %d, of which there is nothing in the segments", id, p.txn)
		}
		h, ok := v.last[id]
		switch {
		case v.isPlain(p.data) && (!ok || h.LastOffset() != p.data):
			v.report(manifestFile, "the last record of producer %d is at offset %d, where there is none", id, p.data)
		case ok && p.data >= 0 && h.LastOffset() > p.data:
			v.report(manifestFile, "the last record of producer %d is at offset %d, and not at %d", id, h.LastOffset(), p.data)
		case ok && p.n > 0 && h.ProducerEpoch == p.epoch && h.BaseSequence >= 0 && sequenceAdd(h.BaseSequence, h.LastOffsetDelta) != p.lastSequence():
			v.report(manifestFile, "the last sequence of producer %d is %d, that of its batch at offset %d is %d", id, p.lastSequence(), h.BaseOffset,
				sequenceAdd(h.BaseSequence, h.LastOffsetDelta))
		}
	}
	for id, first := range v.open {
		p := v.m.ps.byID[id]
		if p == nil || p.txn != first && (p.txn < 0 || v.isPlain(p.txn)) { // where it began may be gone
			v.report(manifestFile, "the transaction of producer %d that begins at offset %d is open, and not known to be", id, first)
		}
	}
}
