package wire

import (
	"bytes"
	"context"
	"encoding/binary"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/thalweg/thalweg/internal/batch"
)

// A frame's correlation id says how it is served.
const (
	toLegacy = 1 << iota // by a server that converts message sets
	mended               // with right checksums, which would keep a fuzzer out of what they guard
)

// mendRequest puts right the checksums of what a request writes.
func mendRequest(r *request) {
	req, ok := r.body.(*kmsg.ProduceRequest)
	if !ok || r.correlation&mended == 0 {
		return
	}
	for i := range req.Topics {
		for j := range req.Topics[i].Partitions {
			mend(req.Topics[i].Partitions[j].Records)
		}
	}
}

// refill bounds what a server under a fuzzer has on its disk.
type refill struct {
	*Server
	taken int // bytes since it was emptied
}

// emptied drops what the server has once that is much.
func (s *refill) emptied(t testing.TB, n int) {
	if s.taken += n; s.taken < 64<<20 {
		return
	}
	s.taken = 0
	for _, topic := range s.meta.Topics() {
		p := s.meta.Partition(topic, 0)
		if _, known := testTopics[topic.Name]; !known && !topic.Internal() {
			if err := s.meta.Delete(topic.Name); err != nil {
				t.Fatal(err)
			}
			continue
		}
		if _, err := p.DeleteRecords(p.Offsets().HW); err != nil {
			t.Fatal(err)
		}
		if err := p.Clean(false); err != nil {
			t.Fatal(err)
		}
	}
}

// FuzzFrame gives the server a frame: it may refuse it, but it must not panic, nor take much memory for what it was sent, nor
// much CPU time, and what it answers must be readable. Nothing that is written may take a partition away.
func FuzzFrame(f *testing.F) {
	servers := [2]*refill{{Server: newTestServer(f)}, {Server: newTestServer(f, withLegacy)}}
	for _, s := range servers {
		if !testing.Short() {
			warmUp(f, s.Server)
		}
	}
	add := func(req kmsg.Request) {
		for how := range uint32(4) {
			f.Add(frameOf(req, how))
		}
	}
	for key, a := range apis {
		for version := a.min; version <= a.max; version++ {
			req := kmsg.RequestForKey(key)
			req.SetVersion(version)
			add(req)
		}
	}
	for _, topics := range spread(testTopics) {
		size := 1 << 13
		if testing.Short() {
			size = 1 << 9
		}
		for _, b := range hostile(f, size) {
			add(produceOf(9, topics, b))
		}
		for c := batch.None; c <= batch.Zstd; c++ {
			add(produceOf(9, topics, packed(f, c, tiny(3, true), 3)))
		}
		add(timesOf(topics, 1, timeMax))
		for name, b := range hostileSets(f, 2*size) {
			add(produceOf(int16(len(name)%3), topics, b))
		}
		for version := range int16(firstBatches + 1) {
			add(fetchOf(version, 0, topics))
		}
	}
	small := produceOf(9, []string{"t"}, packed(f, batch.None, tiny(1, true), 1))
	f.Fuzz(func(t *testing.T, frame []byte) {
		if len(frame) < 8 || len(frame) > 1<<17 {
			return
		}
		s := servers[binary.BigEndian.Uint32(frame[4:])&toLegacy]
		s.emptied(t, len(frame))
		var r *request
		var answer []byte
		least := dearest
		for range 3 { // what pools had lost is no cost of the frame's
			sent := bytes.Clone(frame)
			c := spent(t, func() {
				ctx, cancel := context.WithTimeout(t.Context(), 2*time.Millisecond)
				defer cancel()
				r, answer = exchange(ctx, s.Server, sent, mendRequest)
			})
			c.memory -= carried(r, answer)
			if least = least.min(c); least.within(len(frame)) {
				break
			}
			// Where the disk is slow, appends queue in memory that is the server's, and grows: the next try is to find it there.
			exchange(t.Context(), s.Server, frameOf(small, 0), nil)
		}
		if !least.within(len(frame)) {
			t.Errorf("a frame of %d bytes cost %v of CPU time and %d bytes of memory: %.80q", len(frame), least.cpu, least.memory, frame)
		}
		for name := range testTopics {
			if err := s.meta.Partition(s.meta.Topic(name), 0).Err(); err != nil {
				t.Fatalf("topic %q is gone: %v", name, err)
			}
		}
		if answer == nil {
			return
		}
		skip := 8
		if r.resp.IsFlexible() && r.resp.Key() != int16(kmsg.ApiVersions) {
			skip++
		}
		if err := r.body.ResponseKind().ReadFrom(answer[skip:]); err != nil {
			t.Fatalf("%s v%d: the answer cannot be read: %v", r.api.name, r.version, err)
		}
	})
}

// carried is the memory for what an answer carries of the log: what is fetched is no cost of the frame that asks for it. The
// buffers it is read into are of sizes that are powers of two.
func carried(r *request, answer []byte) int {
	if r == nil || r.api.key != int16(kmsg.Fetch) {
		return 0
	}
	if r.version < firstBatches {
		return 8 * len(answer) // each record is held as a whole before it is a message
	}
	return 4 * len(answer)
}
