package log

import (
	"errors"
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/thalweg/thalweg/internal/batch"
)

// fromProducer makes a batch of n records.
func fromProducer(id int64, epoch int16, seq int32, n int, txn bool) []byte {
	kv := make([]string, 0, 2*n)
	for i := range n {
		kv = append(kv, fmt.Sprint("key", i), "v")
	}
	return sealed(batch.Seal{ProducerID: id, ProducerEpoch: epoch, BaseSequence: seq, Transactional: txn}, 1000, kv...)
}

func TestSequenceRules(t *testing.T) {
	type send struct {
		epoch int16
		seq   int32
		n     int
		txn   bool
		end   string // marker instead of a batch: "commit", "abort"

		want error
		dup  int64 // offset of the original plus one
	}
	for name, sends := range map[string][]send{
		"unknown producer starts anywhere":     {{seq: 77, n: 2}, {seq: 79, n: 1}},
		"gap":                                  {{n: 2}, {seq: 3, n: 1, want: ErrOutOfOrder}, {seq: 2, n: 1}},
		"behind, and not a retry":              {{n: 2}, {seq: 1, n: 1, want: ErrOutOfOrder}},
		"same first, other length":             {{n: 2}, {seq: 0, n: 3, want: ErrOutOfOrder}},
		"retry":                                {{n: 2}, {seq: 2, n: 2}, {n: 2, dup: 1}, {seq: 2, n: 2, dup: 3}, {seq: 4, n: 1}},
		"five batches are remembered":          {{n: 1}, {seq: 1, n: 1}, {seq: 2, n: 1}, {seq: 3, n: 1}, {seq: 4, n: 1}, {n: 1, dup: 1}, {seq: 5, n: 1}, {n: 1, want: ErrOutOfOrder}, {seq: 1, n: 1, dup: 2}},
		"old epoch":                            {{epoch: 3, n: 1}, {epoch: 2, seq: 1, n: 1, want: ErrProducerEpoch}},
		"new epoch begins at 0":                {{epoch: 3, n: 1}, {epoch: 4, seq: 1, n: 1, want: ErrOutOfOrder}, {epoch: 4, n: 1}, {epoch: 4, seq: 1, n: 1}},
		"new epoch forgets the old batches":    {{epoch: 3, n: 1}, {epoch: 4, n: 1}, {epoch: 4, n: 1, dup: 2}},
		"wrap":                                 {{seq: math.MaxInt32 - 1, n: 2}, {n: 1}, {seq: 1, n: 1}},
		"wrap inside a batch":                  {{seq: math.MaxInt32, n: 3}, {seq: 2, n: 1}, {seq: math.MaxInt32, n: 3, dup: 1}},
		"transaction, then outside of it":      {{n: 1, txn: true}, {seq: 1, n: 1, want: ErrTxnState}, {seq: 1, n: 1, txn: true}, {end: "commit"}, {seq: 2, n: 1}},
		"sequences go on after a marker":       {{n: 1, txn: true}, {end: "abort"}, {n: 1, txn: true, dup: 1}, {seq: 1, n: 1, txn: true}},
		"a marker's epoch fences":              {{n: 1, txn: true}, {epoch: 1, end: "abort"}, {seq: 1, n: 1, txn: true, want: ErrProducerEpoch}, {epoch: 1, seq: 5, n: 1, txn: true, want: ErrOutOfOrder}, {epoch: 1, n: 1, txn: true}},
		"a marker alone fences":                {{epoch: 5, end: "commit"}, {epoch: 4, n: 1, want: ErrProducerEpoch}, {epoch: 4, end: "commit", want: ErrProducerEpoch}},
		"a refused batch changes nothing":      {{n: 1}, {epoch: 9, seq: 9, n: 1, want: ErrOutOfOrder}, {seq: 1, n: 1}},
		"a retry is known before its epoch is": {{epoch: 2, n: 1, txn: true}, {epoch: 2, end: "commit"}, {epoch: 2, n: 1, txn: true, dup: 1}},
	} {
		t.Run(name, func(t *testing.T) {
			d := mustOpen(t, vfs.NewMem(), testConfig(t))
			p := mustCreate(t, d, 0, Settings{})
			for i, s := range sends {
				before := p.Offsets().End
				var a Appended
				var err error
				if s.end != "" {
					a, err = p.EndTxn(7, s.epoch, s.end == "commit", 0)
				} else {
					a, err = p.Append(Append{Batch: fromProducer(7, s.epoch, s.seq, s.n, s.txn)})
				}
				if !errors.Is(err, s.want) {
					t.Fatalf("send %d: %v, want %v", i, err, s.want)
				}
				switch after := p.Offsets().End; {
				case s.dup > 0 && (!a.Duplicate || a.BaseOffset != s.dup-1 || after != before):
					t.Fatalf("send %d: %+v, end %d → %d; want a duplicate of %d", i, a, before, after, s.dup-1)
				case s.dup == 0 && a.Duplicate, err != nil && after != before, err == nil && s.dup == 0 && (a.BaseOffset != before || after == before):
					t.Fatalf("send %d: %+v, end %d → %d", i, a, before, after)
				}
			}
		})
	}
}

func TestAdmitHasTheLastWord(t *testing.T) {
	d := mustOpen(t, vfs.NewMem(), testConfig(t))
	p := mustCreate(t, d, 0, Settings{})
	refused := errors.New("refused")
	b := fromProducer(1, 0, 0, 1, true)
	if _, err := p.Append(Append{Batch: b, Admit: func() error { return refused }}); err != refused {
		t.Fatal(err)
	}
	if o := p.Offsets(); o.End != 0 || len(p.Producers()) != 0 {
		t.Fatalf("a refused batch left %+v, %v", o, p.Producers())
	}
	a, err := p.Append(Append{Batch: b, Admit: func() error { return nil }})
	if err != nil || !a.FirstOfTxn {
		t.Fatalf("%+v %v", a, err)
	}
	if a, err = p.Append(Append{Batch: b, Admit: func() error { return refused }}); err != nil || !a.Duplicate {
		t.Fatalf("a retry needs no admission: %+v %v", a, err)
	}
}

func TestIdleProducersAreForgotten(t *testing.T) {
	cfg := testConfig(t)
	clock := cfg.Clock.(*handClock)
	d := mustOpen(t, vfs.NewMem(), cfg)
	p := mustCreate(t, d, 0, Settings{})
	mustAppend(t, p, fromProducer(1, 0, 0, 1, false))
	mustAppend(t, p, fromProducer(2, 0, 0, 1, true))
	clock.add(25 * time.Hour)
	mustAppend(t, p, fromProducer(3, 0, 0, 1, false))
	p.sweep()
	known := map[int64]bool{}
	for _, s := range p.Producers() {
		known[s.ID] = true
	}
	if known[1] || !known[2] || !known[3] {
		t.Fatalf("known: %v", known)
	}
	mustAppend(t, p, fromProducer(1, 0, 50, 1, false)) // as good as new
}

// All five batches of each producer are known again after a power cut, so that none of their retries is taken for new.
func TestRetriesAreKnownAfterACrash(t *testing.T) {
	fs := vfs.NewCrashableMem()
	cfg := testConfig(t)
	d := mustOpen(t, fs, cfg)
	p := mustCreate(t, d, 0, Settings{LogAppendTime: true})
	var last Appended
	for i := range 7 {
		last = mustAppend(t, p, fromProducer(5, 0, int32(i), 1, false))
		if i == 4 {
			if err := p.flush(); err != nil {
				t.Fatal(err)
			}
		}
	}
	mustDurable(t, d, last.Ticket)
	d = mustOpen(t, fs.CrashClone(vfs.CrashCloneCfg{}), cfg)
	p = d.Get(p.ID())
	for i := 2; i < 7; i++ {
		a, err := p.Append(Append{Batch: fromProducer(5, 0, int32(i), 1, false)})
		if err != nil || !a.Duplicate || a.BaseOffset != int64(i) || a.AppendTime != cfg.Clock.(*handClock).ms() {
			t.Fatalf("retry of %d: %+v %v", i, a, err)
		}
	}
}
