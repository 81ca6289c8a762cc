package engine

import (
	"fmt"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/thalweg/thalweg/internal/batch"
	"github.com/thalweg/thalweg/internal/engine/log"
)

// verified returns what is wrong with a closed directory of an engine.
func verified(t *testing.T, fs vfs.FS, dir string) string {
	t.Helper()
	var all []string
	v, err := Verify(fs, dir, func(p log.Problem) { all = append(all, p.String()) })
	if err != nil {
		t.Fatal(err)
	}
	if !v.Clean {
		t.Error("the directory is not a closed one")
	}
	return strings.Join(all, "\n")
}

// TestVerifyTopicsAndTransactions finds nothing wrong with an engine that was closed in the middle of a transaction; then logs
// are taken away, added, and written to behind the coordinator's back.
func TestVerifyTopicsAndTransactions(t *testing.T) {
	fs := vfs.NewMem()
	e := openAt(t, fs, "data", testConfig())
	createTopic(t, e, "words", 2, nil)
	transact(t, client(t, e, kgo.TransactionalID("ended")), "words", "a", 10, kgo.TryCommit)
	c := client(t, e, kgo.TransactionalID("open"), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	if err := c.BeginTransaction(); err != nil {
		t.Fatal(err)
	}
	if err := c.ProduceSync(testContext(t), &kgo.Record{Topic: "words", Value: []byte("b")}).FirstErr(); err != nil {
		t.Fatal(err)
	}
	words := e.meta.Topic("words")
	closeEngine(t, e)
	if got := verified(t, fs, "data"); got != "" {
		t.Fatalf("nothing is wrong: %s", got)
	}

	d, err := log.Open(fs, "data", log.Config{})
	if err != nil {
		t.Fatal(err)
	}
	var b batch.Builder
	b.Append(1, nil, []byte("v"), nil)
	raw, err := b.Finish(batch.Seal{ProducerID: 4711, Transactional: true})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.Get(words.Log(1)).Append(log.Append{Batch: raw}); err != nil {
		t.Fatal(err)
	}
	if _, err := d.Create(log.ID{Topic: [16]byte{9}}, "nobodys-0", log.Settings{}); err != nil {
		t.Fatal(err)
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	got := verified(t, fs, "data")
	for _, want := range []string{"words-1: the transaction of producer 4711 that begins at offset", "nobodys-0: the directory 09000000000000000000000000000000-0 belongs to no topic"} {
		if !strings.Contains(got, want) {
			t.Errorf("no problem says %q: %s", want, got)
		}
	}
	if n := strings.Count(got, "\n"); n != 1 {
		t.Errorf("%d problems: %s", n+1, got)
	}
	if err := fs.RemoveAll(fmt.Sprint("data/", words.Log(0))); err != nil {
		t.Fatal(err)
	}
	if got, want := verified(t, fs, "data"), fmt.Sprint("words-0: there is no directory ", words.Log(0)); !strings.Contains(got, want) {
		t.Errorf("no problem says %q: %s", want, got)
	}
}
