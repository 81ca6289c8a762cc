package log

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// open finds the WAL files of the directory and checks that those needed are whole; replay then reads them.
func (w *wal) open() error {
	if err := w.fs.MkdirAll(w.dir, 0o755); err != nil {
		return err
	}
	if err := syncDir(w.fs, w.fs.PathDir(w.dir)); err != nil {
		return err
	}
	names, err := w.fs.List(w.dir)
	if err != nil {
		return err
	}
	var all []*walFile
	for _, name := range names {
		slot, err := strconv.Atoi(strings.TrimSuffix(name, walExt))
		if err != nil || name != walName(slot) {
			continue
		}
		w.slots = max(w.slots, slot)
		f := &walFile{slot: slot}
		if err := w.readHeader(f); err != nil {
			return err
		}
		all = append(all, f)
	}
	slices.SortFunc(all, func(a, b *walFile) int { return cmp.Compare(a.num, b.num) })
	if len(all) == 0 {
		return nil
	}
	newest := all[len(all)-1]
	w.num = newest.num
	for _, f := range all {
		if f.num == 0 || f.num < newest.oldest {
			w.free = append(w.free, f)
		} else {
			w.files = append(w.files, f)
		}
	}
	return nil
}

// readHeader fills f from its file; a file without a valid header keeps number 0.
func (w *wal) readHeader(f *walFile) error {
	file, err := w.fs.Open(w.fs.PathJoin(w.dir, walName(f.slot)))
	if err != nil {
		return err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return err
	}
	f.alloc = info.Size()
	if f.alloc < walHeaderSize {
		return nil
	}
	b := make([]byte, walHeaderUsed)
	if err = readFull(file, b, 0); err != nil {
		return fmt.Errorf("log: read %s: %w", walName(f.slot), err)
	}
	if !f.decodeHeader(b) {
		f.num = 0
	}
	return nil
}

// replay calls fn for each frame of the files needed, in order.
func (w *wal) replay(fn func(*frame) error) error {
	for i, f := range w.files {
		b, err := readFile(w.fs, w.fs.PathJoin(w.dir, walName(f.slot)), f.alloc)
		if err != nil {
			return fmt.Errorf("log: read %s: %w", walName(f.slot), err)
		}
		if err = f.readFrames(b, fn); err != nil {
			return err
		}
		if i+1 < len(w.files) && f.last+1 != w.files[i+1].first {
			return fmt.Errorf("%w: %s ends with entry %d at byte %d, %s begins with %d", ErrCorrupt,
				walName(f.slot), f.last, f.pos, walName(w.files[i+1].slot), w.files[i+1].first)
		}
		w.next = f.last + 1
	}
	return nil
}

// forget gives up all files: what they hold is in the segments.
func (w *wal) forget() {
	w.free = append(w.free, w.files...)
	w.files = nil
}

// start begins a new file and the committer. All replayed frames count as durable.
func (w *wal) start() error {
	w.synced.Store(w.next - 1)
	w.done.Store(w.next - 1)
	// What a crash left takes no room from what comes, or the first append would wait for the disk; but crash after crash does
	// not add up.
	w.soft = min(walFilesSoft+len(w.files), 2*walFilesSoft)
	if err := w.rotate(); err != nil {
		return err
	}
	go w.run()
	return nil
}
