package log

import (
	"encoding/binary"
	"errors"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// problems inspects a directory.
func problems(t *testing.T, fs vfs.FS) (all []string, v Verified) {
	t.Helper()
	i, err := Inspect(fs, "data")
	if err != nil {
		t.Fatal(err)
	}
	defer i.Close()
	v, err = i.Verify(func(p Problem) { all = append(all, p.String()) })
	if err != nil {
		t.Fatal(err)
	}
	return all, v
}

// storedLog is a closed directory with segments that are full, an aborted transaction and an open one.
func storedLog(t *testing.T) *vfs.MemFS {
	t.Helper()
	fs := vfs.NewMem()
	d := mustOpen(t, fs, testConfig(t))
	p := mustCreate(t, d, 0, Settings{SegmentBytes: 1200, IndexIntervalBytes: 200})
	for i := range 40 {
		mustAppend(t, p, rows(int64(i), "key", "value"))
	}
	x := mustCreate(t, d, 1, Settings{})
	mustAppend(t, x, fromProducer(7, 0, 0, 2, true))
	if _, err := x.EndTxn(7, 0, false, 0); err != nil {
		t.Fatal(err)
	}
	mustAppend(t, x, fromProducer(7, 0, 2, 3, true))
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	return fs
}

// edit changes the content of a file, seal and all.
func edit(t *testing.T, fs vfs.FS, path string, change func([]byte) []byte) {
	t.Helper()
	b, err := readFile(fs, path, 1<<30)
	if err != nil {
		t.Fatal(err)
	}
	f, err := fs.Create(path, category)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.Write(change(b)); err != nil {
		t.Fatal(err)
	}
}

// resealed changes what is behind the checksum of a file.
func resealed(t *testing.T, change func([]byte)) func([]byte) []byte {
	return func(b []byte) []byte {
		t.Helper()
		body, err := unseal(b)
		if err != nil {
			t.Fatal(err)
		}
		change(body)
		return seal(body)
	}
}

// TestVerifyNamesWhatIsDamaged damages one thing at a time.
func TestVerifyNamesWhatIsDamaged(t *testing.T) {
	const first, second, third = "00000000000000000000.0", "00000000000000000015.0", "00000000000000000002.0"
	one, two := ID{topicOne, 0}.String()+"/", ID{topicOne, 1}.String()+"/"
	if all, v := problems(t, storedLog(t)); len(all) != 0 || !v.Clean || v.Logs != 2 || v.Batches != 43 || v.Segments != 5 {
		t.Fatalf("without damage: %v, %+v", all, v)
	}
	be := binary.BigEndian
	remove := func(path string) func(*testing.T, vfs.FS) {
		return func(t *testing.T, fs vfs.FS) {
			if err := fs.Remove("data/" + path); err != nil {
				t.Fatal(err)
			}
		}
	}
	flips := func(path string, at int64) func(*testing.T, vfs.FS) {
		return func(t *testing.T, fs vfs.FS) { flip(t, fs, "data/"+path, at) }
	}
	edits := func(path string, change func([]byte) []byte) func(*testing.T, vfs.FS) {
		return func(t *testing.T, fs vfs.FS) { edit(t, fs, "data/"+path, change) }
	}
	for name, test := range map[string]struct {
		damage func(*testing.T, vfs.FS)
		want   string
	}{
		"a record":             {flips(one+first+logExt, 70), "one: " + first + ".log: offset 0, byte 0: log: corrupt"},
		"an offset":            {flips(one+first+logExt, 7), "offset 64, byte 0: offsets 0 to 63 are missing"},
		"an offset that falls": {edits(one+second+logExt, func(b []byte) []byte { be.PutUint64(b[76:], 15); return b }), "it does not come after offset 15"},
		"a length":             {flips(one+first+logExt, 10), "after offset -1: log: corrupt: at byte 0"},
		"the end of a file":    {edits(one+first+logExt, func(b []byte) []byte { return b[:len(b)-10] }), first + ".log: has"},
		"a segment":            {remove(one + second + logExt), second + ".log: is missing"},
		"an index":             {remove(one + first + indexExt), first + ".index: file does not exist"},
		"an entry of an index": {flips(one+first+indexExt, entrySize+3), first + ".index: 1 of its"},
		"an entry's position": {edits(one+first+indexExt, func(b []byte) []byte {
			x := decodeIndex(b, 0, 1<<20)
			x[1].pos++
			return x.encode(nil, 0)
		}), "points to byte"},
		"an entry's time": {edits(one+first+indexExt, func(b []byte) []byte {
			x := decodeIndex(b, 0, 1<<20)
			x[1].before--
			return x.encode(nil, 0)
		}), "its entry of byte"},
		"a manifest":            {flips(one+manifestFile, 3), "one: manifest: data/"},
		"no manifest":           {remove(one + manifestFile), "manifest: is missing"},
		"the end in a manifest": {edits(one+manifestFile, resealed(t, func(b []byte) { be.PutUint64(b[8:], 41) })), "says that offset 41 is the next, the segments end with 39"},
		"the start":             {edits(one+manifestFile, resealed(t, func(b []byte) { be.PutUint64(b, 50) })), "the log starts at 50, outside of 0 to 40"},
		"a name":                {flips(one+metaFile, 5), metaFile},
		"aborted transactions":  {remove(two + third + txnExt), third + ".txn: "},
		"an aborted one":        {edits(two+third+txnExt, resealed(t, func(b []byte) { be.PutUint64(b[4:], 9) })), "does not have the aborted transaction of producer 7, offsets 0 to 2"},
		"one too many":          {edits(two+third+txnExt, resealed(t, func(b []byte) { be.PutUint64(b[4:], 9) })), "has an aborted transaction of producer 9, offsets 0 to 2, that is not in the segment"},
		"a producer":            {producer7(two, func(p *producer) { p.batches[p.n-1].last++ }), "the last sequence of producer 7 is 5, that of its batch at offset 3 is 4"},
		"its last record":       {producer7(two, func(p *producer) { p.data-- }), "the last record of producer 7 is at offset 4, where there is none"},
		"its transaction":       {producer7(two, func(p *producer) { p.txn = 4 }), "producer 7 has a transaction open since offset 4"},
		"its open transaction":  {producer7(two, func(p *producer) { p.txn = -1 }), "the transaction of producer 7 that begins at offset 3 is open, and not known to be"},
		"the state":             {flips(stateFile, 2), "STATE: "},
	} {
		t.Run(name, func(t *testing.T) {
			fs := storedLog(t)
			test.damage(t, fs)
			all, _ := problems(t, fs)
			if !strings.Contains(strings.Join(all, "\n"), test.want) {
				t.Errorf("no problem says %q: %q", test.want, all)
			}
		})
	}
}

// producer7 changes what a manifest says of producer 7.
func producer7(dir string, change func(*producer)) func(*testing.T, vfs.FS) {
	return func(t *testing.T, fs vfs.FS) {
		m, err := readManifest(fs, "data/"+dir, 0)
		if err != nil {
			t.Fatal(err)
		}
		edit(t, fs, "data/"+dir+manifestFile, func(b []byte) []byte {
			body, err := unseal(b)
			if err != nil {
				t.Fatal(err)
			}
			old := m.ps.encode(nil)
			change(m.ps.byID[7])
			return seal(m.ps.encode(body[:len(body)-len(old)]))
		})
	}
}

// TestVerifyStrangers finds files of nobody in a directory that was closed.
func TestVerifyStrangers(t *testing.T) {
	fs := storedLog(t)
	dir := "data/" + ID{topicOne, 0}.String()
	if err := replaceFile(fs, dir, "00000000000000000099.0.log", []byte("x")); err != nil {
		t.Fatal(err)
	}
	if all, _ := problems(t, fs); len(all) != 1 || !strings.Contains(all[0], "00000000000000000099.0.log: belongs to no segment") {
		t.Errorf("%q", all)
	}
}

// TestVerifyReadsTheWAL damages an entry of the write-ahead log that was durable, and one of its batches is lost.
func TestVerifyReadsTheWAL(t *testing.T) {
	fs := vfs.NewCrashableMem()
	d := mustOpen(t, fs, testConfig(t))
	p := mustCreate(t, d, 0, Settings{})
	for i := range 20 {
		mustDurable(t, d, mustAppend(t, p, rows(int64(i), "key", "value")).Ticket)
	}
	cut := fs.CrashClone(vfs.CrashCloneCfg{})
	if all, v := problems(t, cut); len(all) != 0 || v.Clean || v.WALEntries != 20 {
		t.Errorf("after a crash: %q, %+v", all, v)
	}
	flip(t, cut, "data/wal/000001.wal", walHeaderSize+3*int64(frameSize(75))+100)
	if all, _ := problems(t, cut); len(all) != 1 || !strings.Contains(all[0], "wal: log: corrupt: 000001.wal is damaged") {
		t.Errorf("with a damaged entry: %q", all)
	}
}

// TestInspectRefuses a directory that is held, and one without a log.
func TestInspectRefuses(t *testing.T) {
	fs := vfs.NewMem()
	if err := fs.MkdirAll("data", 0o755); err != nil {
		t.Fatal(err)
	}
	if _, err := Inspect(fs, "data"); err == nil || !strings.Contains(err.Error(), "no log in data") {
		t.Errorf("nothing: %v", err)
	}
	d := mustOpen(t, fs, testConfig(t))
	if _, err := Inspect(fs, "data"); !errors.Is(err, ErrLocked) {
		t.Errorf("held: %v", err)
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	i, err := Inspect(fs, "data")
	if err != nil {
		t.Fatal(err)
	}
	if err := i.Close(); err != nil {
		t.Fatal(err)
	}
	mustOpen(t, fs, testConfig(t))
}

// TestInspectedBatches reads the batches of a log from an offset on, over segments.
func TestInspectedBatches(t *testing.T) {
	fs := storedLog(t)
	i, err := Inspect(fs, "data")
	if err != nil {
		t.Fatal(err)
	}
	defer i.Close()
	var offsets []int64
	markers := 0
	for _, partition := range []int32{0, 1} {
		err := i.Batches(ID{topicOne, partition}, int64(20*(1-partition)), func(b *Batch) error {
			if b.Err != nil {
				t.Error(b.Err)
			}
			offsets = append(offsets, b.Header.BaseOffset)
			if b.Marker != nil {
				markers++
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if len(offsets) != 20+3 || offsets[0] != 20 || offsets[19] != 39 || markers != 1 {
		t.Errorf("%v, %d markers", offsets, markers)
	}
}
