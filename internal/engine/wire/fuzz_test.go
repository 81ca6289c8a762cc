package wire

import (
	"bytes"
	"context"
	"encoding/binary"
	"log/slog"
	"net"
	"runtime/metrics"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/thalweg/thalweg/internal/bench/cputest"
	"github.com/thalweg/thalweg/internal/engine/coord"
	"github.com/thalweg/thalweg/internal/engine/log"
	"github.com/thalweg/thalweg/internal/engine/meta"
)

// realClock is the computer's.
type realClock struct{}

func (realClock) Now() time.Time { return time.Now() }

func (realClock) AfterFunc(d time.Duration, f func()) func() bool { return time.AfterFunc(d, f).Stop }

// newTestServer returns a server over a memory file system with the topic "t" of one partition.
func newTestServer(tb testing.TB) *Server {
	tb.Helper()
	dir, err := log.Open(vfs.NewMem(), "data", log.Config{WALBytes: 1 << 20})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { dir.Close() })
	next := byte(0)
	store, err := meta.Open(dir, realClock{}, "cluster", func() [16]byte { next++; return [16]byte{15: next} })
	if err != nil {
		tb.Fatal(err)
	}
	topic := func(name string) []*log.Partition {
		t, err := store.Create(meta.Spec{Name: name, Partitions: 1, Replicas: 1})
		if err != nil {
			tb.Fatal(err)
		}
		return []*log.Partition{store.Partition(t, 0)}
	}
	topic("t")
	quiet := func(string, ...any) {}
	groups, err := coord.OpenGroups(coord.GroupConfig{
		Clock: realClock{}, MinSession: time.Millisecond, MaxSession: time.Hour, OffsetRetention: time.Hour, Logf: quiet,
	}, dir, topic(meta.OffsetsTopic))
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(groups.Close)
	txns, err := coord.OpenTxns(coord.TxnConfig{
		Clock: realClock{}, MaxTimeout: time.Hour, IDExpiration: time.Hour, Logf: quiet, OffsetsTopic: meta.OffsetsTopic,
		NextProducerID: store.NextProducerID,
		Partition: func(tp coord.TopicPartition) *log.Partition {
			return store.Partition(store.Topic(tp.Topic), tp.Partition)
		},
	}, dir, groups, topic(meta.TransactionsTopic))
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(txns.Close)
	return NewServer(Config{
		Clock: realClock{}, Logger: slog.New(slog.DiscardHandler), DefaultPartitions: 1, TransactionVersion: 2, MaxFrame: 1 << 20, AutoCreate: true,
	}, dir, store, groups, txns)
}

// allocated returns how many bytes the process has allocated so far.
func allocated() uint64 {
	s := []metrics.Sample{{Name: "/gc/heap/allocs:bytes"}}
	metrics.Read(s)
	return s[0].Value.Uint64()
}

// mostCPU is the CPU time that no frame may cost. What is measured has the collector and other goroutines in it.
const mostCPU = 100 * time.Millisecond

// FuzzFrame gives the server a frame: it may refuse it, but it must not panic, nor take much memory for what it was sent, nor
// much CPU time, and what it answers must be readable.
func FuzzFrame(f *testing.F) {
	s := newTestServer(f)
	for key, a := range apis {
		for version := a.min; version <= a.max; version++ {
			req := kmsg.RequestForKey(key)
			req.SetVersion(version)
			frame := binary.BigEndian.AppendUint16(nil, uint16(key))
			frame = binary.BigEndian.AppendUint16(frame, uint16(version))
			frame = append(frame, 0, 0, 0, 1, 0, 1, 'f')
			if req.IsFlexible() {
				frame = append(frame, 0)
			}
			f.Add(req.AppendTo(frame))
		}
	}
	l := NewMemListener("fuzz:1")
	f.Fuzz(func(t *testing.T, frame []byte) {
		if len(frame) < 8 || len(frame) > 1<<16 {
			return
		}
		_, server := memPipe("c", "fuzz:1")
		c := newConn(s, net.Conn(server), l, Security{})
		before, began := allocated(), cputest.Process(t)
		defer func() {
			if took := cputest.Process(t) - began; took > mostCPU {
				t.Errorf("a frame of %d bytes cost %v of CPU time, want at most %v", len(frame), took, mostCPU)
			}
			if n, most := allocated()-before, uint64(16*len(frame)+1<<20); n > most {
				t.Errorf("a frame of %d bytes cost %d bytes of memory, want at most %d", len(frame), n, most)
			}
		}()
		r, err := c.open(frame)
		if err != nil {
			return
		}
		r.resp = r.api.handle(r)
		if r.finish != nil {
			ctx, cancel := context.WithTimeout(t.Context(), 2*time.Millisecond)
			err := r.finish(ctx)
			cancel()
			if err != nil {
				return
			}
		}
		if r.resp == nil || r.failed != nil {
			return
		}
		b := bytes.Join(r.encode(nil), nil)
		skip := 8
		if r.resp.IsFlexible() && r.resp.Key() != int16(kmsg.ApiVersions) {
			skip++
		}
		if err := r.body.ResponseKind().ReadFrom(b[skip:]); err != nil {
			t.Fatalf("%s v%d: the answer cannot be read: %v", r.api.name, r.version, err)
		}
	})
}
