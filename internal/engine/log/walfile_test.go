package log

import (
	"encoding/binary"
	"testing"
)

// forged returns n bytes of a batch that someone made of what looks like the frames that follow lsn.
func forged(n int, lsn uint64) []byte {
	var b []byte
	for len(b) < n {
		at := len(b)
		b = appendFrame(b, &frame{lsn: lsn + 2 + uint64(at)/frameHeader, synced: lsn + 1, kind: frameAppend})
		binary.BigEndian.PutUint32(b[at:], uint32(n)) // each would be checked to the end
	}
	return b
}

// torn returns a WAL file of one whole frame and one cut off by damage in it, and the file's header.
func torn(payload []byte) (*walFile, []byte) {
	w := &walFile{num: 7, salt: 0x5ca1ab1e, oldest: 7, first: 100}
	frames := appendFrame(nil, &frame{lsn: 100, kind: frameAppend, payload: []byte("whole")})
	end := len(frames)
	frames = appendFrame(frames, &frame{lsn: 101, kind: frameAppend, payload: payload})
	sealFrames(frames, w.salt)
	frames[end+frameHeader-1] ^= 1
	return w, append(w.encodeHeader(), frames...)
}

// A client may write into its records what frames look like, but it does not know the file's salt.
func TestFramesInsideRecordsAreNoFrames(t *testing.T) {
	inner := appendFrame(nil, &frame{lsn: 103, synced: 102, kind: frameAppend, payload: []byte("inner")})
	for name, payload := range map[string][]byte{
		"with the number as salt": func() []byte { sealFrames(inner, 7); return inner }(),
		"many":                    forged(1<<20, 101),
	} {
		w, b := torn(payload)
		var got []uint64
		if err := w.readFrames(b, func(f *frame) error { got = append(got, f.lsn); return nil }); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if len(got) != 1 || got[0] != 100 || w.last != 100 {
			t.Errorf("%s: frames %v, last %d", name, got, w.last)
		}
	}
}

// BenchmarkSearchAfterTheEnd is the search for durable frames behind a torn one, through bytes chosen to make it long.
func BenchmarkSearchAfterTheEnd(b *testing.B) {
	w, file := torn(forged(64<<20, 101))
	b.SetBytes(int64(len(file)))
	for b.Loop() {
		if err := w.readFrames(file, func(*frame) error { return nil }); err != nil {
			b.Fatal(err)
		}
	}
}
