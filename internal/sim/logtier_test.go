package sim

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"

	"github.com/thalweg/thalweg/state"
)

// logged is a backend of tiers that are a log each: a frame for each Apply, of which a crash may leave a part.
type logged struct {
	dieAt   int64 // the process kills itself in the middle of that Apply, counted over all tiers; 0: of none
	applies atomic.Int64
	gets    atomic.Int64
	cut     atomic.Int64 // frames of which a part was left
}

// Open implements state.Backend. It prints when it has found a part of a frame.
func (l *logged) Open(dir, store string, partition int32) (state.Tier, error) {
	f, err := os.OpenFile(filepath.Join(dir, "log"), os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return nil, err
	}
	t := &logTier{all: l, f: f}
	if err := t.load(); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return t, nil
}

// frameHead is the length and the checksum of what follows.
const frameHead = 8

// What a frame does.
const (
	framePut    byte = 1
	frameDelete byte = 2
	frameOffset byte = 3
	frameRange  byte = 4 // of keys, deleted
	frameTail   byte = 5 // all keys from one on, deleted
)

// logTier is a tier. Its rows are a sorted list that is never changed in place, so that a snapshot costs nothing.
type logTier struct {
	all *logged
	f   *os.File

	mu   sync.Mutex // protects following fields
	rows logRows
	at   int64
}

type logRow struct{ key, value []byte }

type logRows []logRow

func (rs logRows) find(key []byte) (int, bool) {
	return slices.BinarySearchFunc(rs, key, func(r logRow, k []byte) int { return bytes.Compare(r.key, k) })
}

// part is the rows from ≤ key < to.
func (rs logRows) part(from, to []byte) (i, j int) {
	i, _ = rs.find(from)
	if j = len(rs); to != nil {
		j, _ = rs.find(to)
	}
	return i, max(i, j)
}

// load reads the frames that are whole, and cuts off what is behind them.
func (t *logTier) load() error {
	data, err := io.ReadAll(t.f)
	if err != nil {
		return err
	}
	end := 0
	for rest := data; len(rest) >= frameHead; rest = data[end:] {
		n := int(binary.BigEndian.Uint32(rest))
		if n > len(rest)-frameHead || crc32.ChecksumIEEE(rest[frameHead:frameHead+n]) != binary.BigEndian.Uint32(rest[4:]) {
			break
		}
		if err := t.apply(rest[frameHead : frameHead+n]); err != nil {
			return err
		}
		end += frameHead + n
	}
	if end < len(data) {
		t.all.cut.Add(1)
		fmt.Println("cut a frame")
	}
	if err := t.f.Truncate(int64(end)); err != nil {
		return err
	}
	_, err = t.f.Seek(int64(end), io.SeekStart)
	return err
}

// appendEntry appends what is to be done with a row.
func appendEntry(b []byte, do byte, key, value []byte) []byte {
	b = append(b, do)
	b = append(binary.AppendUvarint(b, uint64(len(key))), key...)
	return append(binary.AppendUvarint(b, uint64(len(value))), value...)
}

// apply does what a frame says.
func (t *logTier) apply(frame []byte) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	var next logRows
	old := t.rows
	for len(frame) > 0 {
		do := frame[0]
		frame = frame[1:]
		var parts [2][]byte
		for i := range parts {
			n, w := binary.Uvarint(frame)
			if w <= 0 || n > uint64(len(frame)-w) {
				return errors.New("a frame with a row that ends early")
			}
			parts[i], frame = frame[w:w+int(n)], frame[w+int(n):]
		}
		key, value := parts[0], parts[1]
		switch do {
		case frameOffset:
			t.at = int64(binary.BigEndian.Uint64(value))
		case framePut, frameDelete:
			i, there := old.find(key)
			next = append(next, old[:i]...)
			if old = old[i:]; there {
				old = old[1:]
			}
			if do == framePut {
				next = append(next, logRow{bytes.Clone(key), bytes.Clone(value)})
			}
		case frameRange, frameTail:
			if do == frameTail {
				value = nil
			}
			i, j := old.part(key, value)
			next, old = append(next, old[:i]...), old[j:]
		}
	}
	t.rows = append(next, old...)
	return nil
}

// write appends a frame to the log.
func (t *logTier) write(frame []byte, half bool) error {
	b := binary.BigEndian.AppendUint32(nil, uint32(len(frame)))
	b = append(binary.BigEndian.AppendUint32(b, crc32.ChecksumIEEE(frame)), frame...)
	if half {
		_, err := t.f.Write(b[:len(b)/2])
		return errors.Join(err, syscall.Kill(os.Getpid(), syscall.SIGKILL))
	}
	if _, err := t.f.Write(b); err != nil {
		return err
	}
	return t.apply(frame)
}

// Apply implements state.Tier.
func (t *logTier) Apply(puts iter.Seq2[[]byte, []byte], offset int64) error {
	frame := appendEntry(nil, frameOffset, nil, binary.BigEndian.AppendUint64(nil, uint64(offset)))
	for key, value := range puts {
		do := framePut
		if value == nil {
			do = frameDelete
		}
		frame = appendEntry(frame, do, key, value)
	}
	if err := t.write(frame, t.all.applies.Add(1) == t.all.dieAt); err != nil {
		return err
	}
	return t.f.Sync()
}

// DeleteRange implements state.Tier.
func (t *logTier) DeleteRange(from, to []byte) error {
	do := frameRange
	if to == nil {
		do = frameTail
	}
	return t.write(appendEntry(nil, do, from, to), false)
}

// Get implements state.Tier.
func (t *logTier) Get(key []byte) ([]byte, error) {
	t.all.gets.Add(1)
	t.mu.Lock()
	defer t.mu.Unlock()
	if i, ok := t.rows.find(key); ok {
		return t.rows[i].value, nil
	}
	return nil, nil
}

// Offset implements state.Tier.
func (t *logTier) Offset() (int64, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.at, nil
}

// Snapshot implements state.Tier.
func (t *logTier) Snapshot() (state.Snapshot, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.rows, nil
}

// Close implements state.Tier.
func (t *logTier) Close() error { return t.f.Close() }

// Scan implements state.Snapshot.
func (rs logRows) Scan(from, to []byte, descending bool, each func(key, value []byte) bool) error {
	i, j := rs.part(from, to)
	for n := range j - i {
		r := rs[i+n]
		if descending {
			r = rs[j-1-n]
		}
		if !each(r.key, r.value) {
			return nil
		}
	}
	return nil
}

// Close implements state.Snapshot.
func (logRows) Close() error { return nil }
