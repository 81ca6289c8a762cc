//go:build slow

package sim

import (
	"encoding/json"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

var flagBugs = flag.Int("bugs", 3, "how many of the seeded bugs are tried, chosen at random; -1: all")

// bug is a mistake that costs records or counts them twice, put into one file for one run of the tests that should see it.
type bug struct {
	name     string
	file     string
	old, new string // one place in the file, and what is there instead
	tests    string // the package and its tests
	run      string
}

const (
	engineLog = "./internal/engine/log"
	engine    = "./internal/engine"
)

var bugs = []bug{
	{"a commit is not synced", "internal/engine/log/wal.go",
		"if force || w.policy == FlushCommit {", "if force {", engineLog, "CrashModel|CrashKeeps"},
	{"acknowledged before it is written", "internal/engine/log/wal.go",
		"\tw.mu.Unlock()\n\tw.kick()\n\treturn lsn", "\tw.done.Store(lsn)\n\tw.mu.Unlock()\n\tw.kick()\n\treturn lsn", engineLog, "CrashModel|CrashKeeps"},
	{"a manifest names what is not synced", "internal/engine/log/flush.go",
		"err = f.Sync()", "_, err = f, nil", engineLog, "CrashModel"},
	{"recovery takes the WAL from the middle", "internal/engine/log/wal.go",
		"\tif len(w.files) > 0 {\n\t\tnext.oldest = w.files[0].num\n\t}\n", "", engineLog, "CrashModel"},
	{"the epoch of a producer is not checked", "internal/engine/log/producers.go",
		"if h.ProducerEpoch < p.epoch {", "if false {", engineLog, "SequenceRules"},
	{"a retry is appended again", "internal/engine/log/producers.go",
		"if b := &p.batches[i]; b.first == h.BaseSequence && b.last == last {", "if b := &p.batches[i]; b.first == last && b.last < b.first {", engineLog, "Sequence|Retries"},
	{"open transactions do not hold readers back", "internal/engine/log/partition.go",
		"o.LSO = min(o.LSO, p.ps.low)", "o.LSO = min(o.LSO, o.HW)", engine, "OpenTransactionHoldsBack"},
	{"an aborted transaction is forgotten", "internal/engine/log/append.go",
		"\tif m.Commit {\n", "\tif m.Commit || h.BaseOffset >= 0 {\n", engineLog, "CrashModel"},
	{"compaction goes beyond the last stable offset", "internal/engine/log/cleaner.go",
		"to := min(p.offsetsLocked().LSO, p.active().base)", "to := p.active().base", engineLog, "CrashModel|Compaction"},
	{"a search in an index ends an entry too far", "internal/engine/log/cut.go",
		"high, c.behind, c.end = at, e, false", "high, c.behind, c.end, c.before = at, e, false, e", engineLog, "IndexesAreSearched"},
	{"an entry of an index is not checked", "internal/engine/log/index.go",
		"if binary.BigEndian.Uint32(b[16:]) != crc32.Checksum(b[:16], castagnoli) {", "if len(b) < entrySize {", engineLog, "IndexesAreRestored"},
	{"what a reader misses since it was removed is taken for damage", "internal/engine/log/read.go",
		"\tif errors.Is(err, errGone) {\n\t\treturn err\n\t}\n", "", engineLog, "ReadersMeet"},
	{"tombstones go at once", "internal/engine/log/survivors.go",
		"case rec.Value == nil && past:", "case rec.Value == nil && (past || !past):", engineLog, "Tombstones"},
	{"a transaction's offsets count at once", "internal/engine/coord/offsets.go",
		"g.holds(producerID, stored)", "maps.Copy(g.offsets, stored)", engine, "OffsetsMoveWith"},
	{"a transaction's offsets never count", "internal/engine/coord/txn_end.go",
		"if tp.Topic == s.cfg.OffsetsTopic {", "if tp.Topic == \"\" {", engine, "OffsetsMoveWith"},
	{"the generation of a group is not checked", "internal/engine/coord/offsets.go",
		"if from.Generation != g.generation {", "if from.Generation == -2 {", engine, "AnotherGeneration"},
	{"what was prepared is not finished after a restart", "internal/engine/coord/txn_persist.go",
		"outstanding: maps.Clone(t.partitions),\n", "outstanding: nil,\n", engine, "PreparedTransaction"},
	{"a table keeps no committed value", "internal/store/undo.go",
		"if g.dirty&b != 0 {\n\t\treturn\n\t}\n", "if g.dirty&b == 0 {\n\t\treturn\n\t}\n", "./internal/store", "KVAgainstMap"},
	{"a checkpoint takes rows as they are later", "internal/store/undo.go",
		"if g.gen[1-t.cur]&b != 0 {\n\t\tt.copyOut(seg, i)\n\t}\n", "", "./internal/store", "KVAgainstMap"},
	{"a checkpoint passes over rows of a segment that is joined", "internal/store/shrink.go",
		"if frozen := listGen0 + 1 - t.cur; two.listed[frozen] {", "if frozen := listGen0 + 1 - t.cur; two.listed[frozen] && t.rows < 0 {", "./internal/store", "JoinBeside|KVAgainstMap"},
	{"a ring moves on over a window that is still there", "internal/store/ring.go",
		"\t\to.clear(j)\n\t}\n\ts.at = n\n", "\t}\n\ts.at = n\n", "./internal/store", "WindowAgainstMap"},
	{"an abort leaves a ring as it is", "internal/store/ringcommit.go",
		"copy(now, r.shadowOf(s.mark))", "_ = s", "./internal/store", "WindowAgainstMap"},
	{"a store goes on with a log that was put back", "internal/runtime/restore.go",
		"case from > end[p]:", "case from < 0:", "./stream", "StateAheadOfItsLog"},
	{"a position is committed too early", "internal/task/commit.go",
		"os = append(os, Offset{in.topic.Name, in.partition, at, t", "os = append(os, Offset{in.topic.Name, in.partition, at + 1, t", "./stream", "UnderCrashes|SurviveCrashes"},
	{"what nodes keep outlives an abort", "internal/task/commit.go",
		"t.kept.end(committed)", "t.kept.end(true)", "./internal/model", "."},
}

// TestSeededBugsAreSeen puts known bugs into the code, one at a time, and runs the tests that ought to see them: tests that
// pass all the same prove nothing.
func TestSeededBugsAreSeen(t *testing.T) {
	r := seeded(t)
	chosen := r.Perm(len(bugs))
	if *flagBugs >= 0 {
		chosen = chosen[:min(*flagBugs, len(chosen))]
	}
	for _, i := range chosen {
		b := bugs[i]
		t.Run(b.name, func(t *testing.T) {
			cmd := exec.CommandContext(t.Context(), "go", "test", "-count=1", "-timeout=120s", "-overlay", b.overlay(t), "-run", b.run, b.tests)
			cmd.Dir = root
			out, err := cmd.CombinedOutput()
			switch {
			case err == nil:
				t.Errorf("%s: %s pass all the same", b.file, b.run)
			case !strings.Contains(string(out), "--- FAIL") && !strings.Contains(string(out), "panic: "):
				t.Errorf("%s: no verdict: %v\n%s", b.file, err, tail(string(out)))
			}
		})
	}
}

// root is the module's directory, where the tests' own is two below.
const root = "../.."

// overlay returns a file for the flag of that name that puts the bug in.
func (b *bug) overlay(t *testing.T) string {
	t.Helper()
	path, err := filepath.Abs(filepath.Join(root, filepath.FromSlash(b.file)))
	if err != nil {
		t.Fatal(err)
	}
	code, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(string(code), b.old); n != 1 {
		t.Fatalf("%s has %d places for the bug, want 1: %q", b.file, n, b.old)
	}
	changed := filepath.Join(t.TempDir(), filepath.Base(path))
	if err := os.WriteFile(changed, []byte(strings.Replace(string(code), b.old, b.new, 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	list, err := json.Marshal(map[string]map[string]string{"Replace": {path: changed}})
	if err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(t.TempDir(), "overlay.json")
	if err := os.WriteFile(name, list, 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}
