package engine

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/thalweg/thalweg/internal/engine/log"
)

// hookFS calls hook, once, before the first file is made whose path has part in it.
type hookFS struct {
	vfs.FS
	part string
	hook func()
	done *atomic.Bool
}

func hooked(fs vfs.FS, part string, hook func()) hookFS {
	return hookFS{fs, part, hook, new(atomic.Bool)}
}

func (h hookFS) Create(name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	if strings.Contains(name, h.part) && h.done.CompareAndSwap(false, true) {
		h.hook()
	}
	return h.FS.Create(name, c)
}

// wantNoBackup checks that neither a backup nor a part of one is there, and that the engine works.
func wantNoBackup(t *testing.T, fs vfs.FS, e *Engine) {
	t.Helper()
	for _, name := range []string{"copy", "copy.partial"} {
		if _, err := fs.Stat(name); err == nil {
			t.Errorf("%s is there", name)
		}
	}
	if err := e.Health(); err != nil {
		t.Error(err)
	}
	produce(t, client(t, e), "words", 1)
}

// TestBackupOfWhatGoesMeanwhile deletes a topic, and compacts and trims others, when the first segment is about to be copied: the
// copy has all as it was. Afterwards the source has let go of it.
func TestBackupOfWhatGoesMeanwhile(t *testing.T) {
	fs := vfs.NewMem()
	e := openAt(t, fs, "data", testConfig())
	soon, compact, small := "0", "compact", "20000"
	createTopic(t, e, "words", 1, map[string]*string{"segment.bytes": &small})
	createTopic(t, e, "gone", 2, map[string]*string{"file.delete.delay.ms": &soon})
	createTopic(t, e, "table", 1, map[string]*string{"cleanup.policy": &compact})
	words, gone := produce(t, client(t, e), "words", 300), produce(t, client(t, e), "gone", 300)
	var table []string
	for range 3 {
		table = produce(t, client(t, e), "table", 50)
	}
	change := func() {
		if _, err := kadm.NewClient(client(t, e)).DeleteTopic(testContext(t), "gone"); err != nil {
			t.Error(err)
		}
		if err := e.meta.Partition(e.meta.Topic("table"), 0).Clean(true); err != nil {
			t.Error(err)
		}
		if _, err := e.meta.Partition(e.meta.Topic("words"), 0).DeleteRecords(-1); err != nil {
			t.Error(err)
		}
	}
	if _, err := e.Backup(testContext(t), hooked(fs, ".log", change), "copy"); err != nil {
		t.Fatal(err)
	}
	if got := verified(t, fs, "copy"); got != "" {
		t.Error(got)
	}
	b := openAt(t, fs, "copy", testConfig())
	for topic, want := range map[string][]string{"words": words, "gone": gone} {
		c := client(t, b, kgo.ConsumeTopics(topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
		checkOnce(t, want, consume(t, c, len(want)))
	}
	c := client(t, b, kgo.ConsumeTopics("table"), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	if got := consume(t, c, 150); got[table[0]] != 3 {
		t.Errorf("%s is there %d times", table[0], got[table[0]])
	}
	closeEngine(t, e)
	if got := verified(t, fs, "data"); got != "" {
		t.Errorf("the source: %s", got)
	}
}

// TestBackupThatFails has a disk that takes no more of some file of the copy.
func TestBackupThatFails(t *testing.T) {
	fs := vfs.NewMem()
	e := openAt(t, fs, "data", testConfig())
	createTopic(t, e, "words", 1, nil)
	produce(t, client(t, e), "words", 100)
	for _, part := range []string{"copy.partial/FORMAT", "copy.partial/wal", ".partial/" + e.meta.Topic("words").Log(0).String(), "copy.partial/STATE"} {
		refused := new(atomic.Pointer[string])
		refused.Store(&part)
		_, err := e.Backup(testContext(t), slowFS{FS: fs, refused: refused}, "copy")
		if !errors.Is(err, errBroken) {
			t.Errorf("%s is refused: %v", part, err)
		}
		wantNoBackup(t, fs, e)
	}
	if err := fs.MkdirAll("copy", 0o755); err != nil {
		t.Fatal(err)
	}
	if _, err := e.Backup(testContext(t), fs, "copy"); err == nil || !strings.Contains(err.Error(), "copy exists: remove it, or choose another directory") {
		t.Errorf("over a directory: %v", err)
	}
}

// TestBackupThatIsCutOff ends backups by their context, by a second one, and by Close.
func TestBackupThatIsCutOff(t *testing.T) {
	fs := vfs.NewMem()
	e := openAt(t, fs, "data", testConfig())
	createTopic(t, e, "words", 1, nil)
	produce(t, client(t, e), "words", 100)
	ctx, cancel := context.WithCancel(testContext(t))
	if _, err := e.Backup(ctx, hooked(fs, ".log", cancel), "copy"); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	wantNoBackup(t, fs, e)
	second := func() {
		if _, err := e.Backup(testContext(t), fs, "other"); !errors.Is(err, log.ErrCopying) {
			t.Errorf("a second one: %v", err)
		}
	}
	if _, err := e.Backup(testContext(t), hooked(fs, ".log", second), "first"); err != nil {
		t.Error(err)
	}
	closed := make(chan struct{})
	end := func() {
		go func() {
			defer close(closed)
			closeEngine(t, e)
		}()
		<-e.ending.Done()
	}
	if _, err := e.Backup(testContext(t), hooked(fs, ".log", end), "copy"); !errors.Is(err, ErrClosed) {
		t.Errorf("closed: %v", err)
	}
	<-closed
	if _, err := e.Backup(testContext(t), fs, "copy"); !errors.Is(err, ErrClosed) {
		t.Errorf("after Close: %v", err)
	}
	if got := verified(t, fs, "data"); got != "" {
		t.Error(got)
	}
}

// TestBackupOfAStoppedEngine copies a directory that was closed, and one that was not, with a transaction open.
func TestBackupOfAStoppedEngine(t *testing.T) {
	fs := vfs.NewCrashableMem()
	e := openAt(t, fs, "data", testConfig())
	createTopic(t, e, "words", 2, nil)
	want := produce(t, client(t, e), "words", 100)
	c := client(t, e, kgo.TransactionalID("open"))
	if err := c.BeginTransaction(); err != nil {
		t.Fatal(err)
	}
	if err := c.ProduceSync(testContext(t), &kgo.Record{Topic: "words", Value: []byte("open")}).FirstErr(); err != nil {
		t.Fatal(err)
	}
	crashed := fs.CrashClone(vfs.CrashCloneCfg{})
	closeEngine(t, e)
	for name, fs := range map[string]*vfs.MemFS{"crashed": crashed, "closed": fs} {
		done, err := Backup(testContext(t), fs, "data", name)
		if err != nil {
			t.Fatal(err)
		}
		if done.Logs != 5 { // words, thalweg.metadata, offsets and transactions
			t.Errorf("%s: copied %+v", name, done)
		}
		if got := verified(t, fs, name); got != "" {
			t.Errorf("%s: %s", name, got)
		}
		b := openAt(t, fs, name, testConfig())
		checkOnce(t, want, consume(t, committedReader(t, b, "words"), len(want)))
		if n := b.txns.Count(); n != 1 {
			t.Errorf("%s: %d transactions known", name, n)
		}
	}
}

// TestBackupBySocket asks a running engine as another process does; nobody but the user of the engine comes to the socket.
func TestBackupBySocket(t *testing.T) {
	root := t.TempDir()
	dir, to := filepath.Join(root, "data"), filepath.Join(root, "copy")
	if _, err := RequestBackup(testContext(t), dir, to); !errors.Is(err, ErrNotServed) {
		t.Errorf("nobody is there: %v", err)
	}
	e := openAt(t, vfs.Default, dir, testConfig())
	createTopic(t, e, "words", 1, nil)
	want := produce(t, client(t, e), "words", 10)
	if _, err := Backup(testContext(t), vfs.Default, dir, to); !errors.Is(err, log.ErrLocked) {
		t.Errorf("not as of a stopped one: %v", err)
	}
	if info, err := os.Stat(filepath.Join(dir, controlDir)); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("the socket's folder: %v, %v", info.Mode(), err)
	}
	done, err := RequestBackup(testContext(t), dir, to)
	if err != nil || done.Logs != 4 {
		t.Fatalf("%+v, %v", done, err)
	}
	if _, err := RequestBackup(testContext(t), dir, to); err == nil || !strings.Contains(err.Error(), "exists: remove it") {
		t.Errorf("over the first: %v", err)
	}
	if _, err := RequestBackup(testContext(t), dir, "copy"); err == nil || !strings.Contains(err.Error(), "no absolute path") {
		t.Errorf("relative: %v", err)
	}
	b := openAt(t, vfs.Default, to, testConfig())
	checkOnce(t, want, consume(t, client(t, b, kgo.ConsumeTopics("words"), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart())), 10))
	ctx, cancel := context.WithTimeout(testContext(t), time.Nanosecond)
	defer cancel()
	if _, err := RequestBackup(ctx, dir, fmt.Sprint(to, 2)); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("late: %v", err)
	}
}

// TestBackupOfWhoHangsUp cuts the connection over which a backup was asked for.
func TestBackupOfWhoHangsUp(t *testing.T) {
	fs := vfs.NewMem()
	e := openAt(t, fs, "data", testConfig())
	createTopic(t, e, "words", 1, nil)
	produce(t, client(t, e), "words", 10)
	ours, theirs := net.Pipe()
	ctx, cancel := context.WithCancel(testContext(t))
	c := &control{e: e, fs: hooked(fs, ".log", func() {
		if err := theirs.Close(); err != nil {
			t.Error(err)
		}
		<-ctx.Done()
	})}
	if _, err := c.backup(ctx, cancel, ours, "copy"); !errors.Is(err, context.Canceled) {
		t.Errorf("hung up: %v", err)
	}
	wantNoBackup(t, fs, e)
}
