package wire

import (
	"bytes"
	"context"
	"encoding/binary"
	"flag"
	"fmt"
	"hash/crc32"
	"maps"
	"math/rand/v2"
	"net"
	"runtime/metrics"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/thalweg/thalweg/internal/batch"
	"github.com/thalweg/thalweg/internal/bench/cputest"
	"github.com/thalweg/thalweg/internal/engine/code"
	"github.com/thalweg/thalweg/internal/engine/meta"
)

// Of frames of one megabyte the worst takes nearly as much CPU time as a frame may, where nothing else runs: half of that is
// what is tested for every day.
var hostileSize = flag.Int("hostile", 1<<19, "bytes of the frames of TestHostileBatchesCostLittle")

// mostCPU is the CPU time that no frame of a megabyte may cost. What is measured has the collector and other goroutines in it.
const mostCPU = 100 * time.Millisecond

// mostMemory is what a frame of n bytes may allocate.
func mostMemory(n int) int { return 16*n + 1<<20 }

// allocated returns how many bytes the process has allocated so far.
func allocated() int {
	s := []metrics.Sample{{Name: "/gc/heap/allocs:bytes"}}
	metrics.Read(s)
	return int(s[0].Value.Uint64())
}

// opened decodes one frame as a connection would; nil if that closes it.
func opened(s *Server, frame []byte) *request {
	_, server := memPipe("c", "fuzz:1")
	r, err := newConn(s, net.Conn(server), NewMemListener("fuzz:1"), Security{}).open(frame)
	if err != nil {
		return nil
	}
	return r
}

// exchange serves one frame as a connection would. It returns the answer, nil if there is none. change may be nil.
func exchange(ctx context.Context, s *Server, frame []byte, change func(*request)) (r *request, answer []byte) {
	if r = opened(s, frame); r == nil {
		return nil, nil
	}
	if change != nil {
		change(r)
	}
	r.resp = r.api.handle(r)
	if r.finish != nil && r.finish(ctx) != nil || r.resp == nil || r.failed != nil {
		return r, nil
	}
	return r, bytes.Join(r.encode(nil), nil)
}

// cost is what a frame took.
type cost struct {
	cpu    time.Duration
	memory int
}

// dearest is beyond all costs.
var dearest = cost{1<<63 - 1, 1<<63 - 1}

func (c cost) min(d cost) cost { return cost{min(c.cpu, d.cpu), min(c.memory, d.memory)} }

// within reports whether that is what a frame of n bytes may cost. While fuzzing all is compiled to count what it does, which
// makes decompression six times as slow: what was found is to be run once more without. Short tests say nothing of costs, as
// they are those of the race detector.
func (c cost) within(n int) bool {
	most := mostCPU
	if f := flag.Lookup("test.fuzz"); f != nil && f.Value.String() != "" {
		most *= 6
	}
	return testing.Short() || c.cpu <= most && c.memory <= mostMemory(n)
}

// spent returns what f takes.
func spent(t testing.TB, f func()) cost {
	cpu, memory := cputest.Process(t), allocated()
	f()
	return cost{cputest.Process(t) - cpu, allocated() - memory}
}

// frameOf returns a request as it is sent.
func frameOf(req kmsg.Request, correlation uint32) []byte {
	frame := binary.BigEndian.AppendUint16(nil, uint16(req.Key()))
	frame = binary.BigEndian.AppendUint16(frame, uint16(req.GetVersion()))
	frame = binary.BigEndian.AppendUint32(frame, correlation)
	frame = append(frame, 0, 1, 'f')
	if req.IsFlexible() {
		frame = append(frame, 0)
	}
	return req.AppendTo(frame)
}

// mend puts right the length and the checksum of a batch, and the checksums of a message set.
func mend(b []byte) {
	if len(b) <= magicAt {
		return
	}
	if b[magicAt] == batch.Magic {
		if len(b) >= batch.HeaderSize {
			binary.BigEndian.PutUint32(b[8:], uint32(len(b)-12))
			binary.BigEndian.PutUint32(b[17:], crc32.Checksum(b[21:], crc32.MakeTable(crc32.Castagnoli)))
		}
		return
	}
	for len(b) > magicAt {
		n := int64(12) + int64(int32(binary.BigEndian.Uint32(b[8:])))
		if n <= magicAt || n > int64(len(b)) {
			return
		}
		binary.BigEndian.PutUint32(b[12:], crc32.ChecksumIEEE(b[magicAt:n]))
		b = b[n:]
	}
}

// tiny returns n of the smallest records there are, with an empty key or none.
func tiny(n int, key bool) []byte {
	null := byte(1)
	if key {
		null = 0
	}
	var b []byte
	for i := range n {
		offset := binary.AppendVarint(nil, int64(i))
		b = append(b, byte(2*(5+len(offset))), 0, 0)
		b = append(b, offset...)
		b = append(b, null, 1, 0)
	}
	return b
}

// longHeads returns n records without a key or a value, whose other numbers take three bytes.
func longHeads(n int) []byte {
	var b []byte
	for i := range n {
		head := binary.AppendVarint(nil, -int64(100_000+i%3000)) // timestamp
		head = binary.AppendVarint(head, int64(i))
		b = append(b, byte(2*(4+len(head))), 0)
		b = append(b, head...)
		b = append(b, 1, 1, 0)
	}
	return b
}

// packed returns a batch of count records.
func packed(t testing.TB, c batch.Codec, records []byte, count int) []byte {
	t.Helper()
	var p batch.Packer
	p.Reset(c, len(records)+batch.HeaderSize+1<<16)
	if _, err := p.Write(records); err != nil {
		t.Fatal(err)
	}
	now := time.Now().UnixMilli()
	b, err := p.Finish(batch.Header{
		LastOffsetDelta: int32(count - 1), Count: int32(count), ProducerID: -1, ProducerEpoch: -1, BaseSequence: -1,
		BaseTimestamp: now, MaxTimestamp: now + 1, // no record is that late
	})
	if err != nil {
		t.Fatal(err)
	}
	return bytes.Clone(b)
}

// produceOf returns a request that writes batches, one to partition 0 of each topic.
func produceOf(version int16, topics []string, batches ...[]byte) *kmsg.ProduceRequest {
	req := kmsg.NewPtrProduceRequest()
	req.SetVersion(version)
	req.Acks = -1
	for i, topic := range topics {
		rt := kmsg.NewProduceRequestTopic()
		rt.Topic = topic
		rp := kmsg.NewProduceRequestTopicPartition()
		rp.Records = batches[i%len(batches)]
		rt.Partitions = append(rt.Partitions, rp)
		req.Topics = append(req.Topics, rt)
	}
	return req
}

// timesOf returns a request that asks partition 0 of each topic for records at times.
func timesOf(topics []string, times ...int64) *kmsg.ListOffsetsRequest {
	req := kmsg.NewPtrListOffsetsRequest()
	req.SetVersion(7)
	for _, topic := range topics {
		rt := kmsg.NewListOffsetsRequestTopic()
		rt.Topic = topic
		for _, at := range times {
			rp := kmsg.NewListOffsetsRequestTopicPartition()
			rp.Timestamp = at
			rt.Partitions = append(rt.Partitions, rp)
		}
		req.Topics = append(req.Topics, rt)
	}
	return req
}

// spread returns the names of topics one by one, and all together.
func spread[V any](topics map[string]V) (lists [][]string) {
	names := slices.Sorted(maps.Keys(topics))
	for _, name := range names {
		lists = append(lists, []string{name})
	}
	return append(lists, names)
}

// warmUp has the server take the memory that it keeps.
func warmUp(t testing.TB, s *Server) {
	zeros, sets := long(make([]byte, 9<<20)), hostileSets(t, 1<<16)
	for _, c := range []batch.Codec{batch.None, batch.Gzip, batch.Snappy, batch.LZ4, batch.Zstd} {
		b := packed(t, c, zeros, 1)
		if len(b) > 1<<20 {
			b = b[:1<<20]
		}
		for topic := range testTopics {
			exchange(t.Context(), s, frameOf(produceOf(9, []string{topic}, b), mended), mendRequest)
			exchange(t.Context(), s, frameOf(timesOf([]string{topic}, time.Now().UnixMilli(), timeMax), 0), nil)
		}
	}
	block, err := batch.Compress(nil, zeros[:8<<20-100], batch.Snappy)
	if err != nil {
		t.Fatal(err)
	}
	exchange(t.Context(), s, frameOf(produceOf(9, []string{"compact"}, as(batch.Snappy, packed(t, batch.None, block, 1))), 0), nil)
	for _, set := range sets {
		exchange(t.Context(), s, frameOf(produceOf(2, []string{"t"}, set), 0), nil)
		exchange(t.Context(), s, frameOf(fetchOf(2, 0, []string{"t"}), 0), nil)
	}
}

// long returns a record with an empty key and a value.
func long(value []byte) []byte {
	inner := binary.AppendVarint([]byte{0, 0, 0, 0}, int64(len(value)))
	inner = append(append(inner, value...), 0)
	return append(binary.AppendVarint(nil, int64(len(inner))), inner...)
}

// as returns b with records that say that they are compressed.
func as(c batch.Codec, b []byte) []byte {
	b[22] = byte(c)
	mend(b)
	return b
}

// hostile are batches that cost more than they are long, by what they are. They are of size bytes or somewhat less.
func hostile(t testing.TB, size int) map[string][]byte {
	rng := rand.New(rand.NewPCG(1, 2))
	bits, copies := make([]byte, 8*size), make([]byte, 16*size)
	for i := range bits {
		bits[i] = "ab"[rng.IntN(2)]
	}
	for i := range copies { // every third is new, and followed by two of what came before it
		if copies[i] = "ab"[rng.IntN(2)]; i >= 300 && i%3 > 0 {
			copies[i] = copies[i-300+i%3]
		}
	}
	all := hostileStreams(t, size)
	// fit makes of n of something as many as compress to size.
	fit := func(name string, c batch.Codec, n int, make func(n int) (records []byte, count int)) {
		for {
			records, count := make(n)
			b := packed(t, c, records, count)
			if len(b) <= size {
				all[name] = b
				return
			}
			n = int(float64(n) * 0.98 * float64(size) / float64(len(b)))
		}
	}
	fit("gzip of bits", batch.Gzip, len(bits), func(n int) ([]byte, int) { return long(bits[:n]), 1 })
	fit("gzip of copies", batch.Gzip, len(copies), func(n int) ([]byte, int) { return long(copies[:n]), 1 })
	for _, c := range []batch.Codec{batch.None, batch.Gzip, batch.Snappy, batch.LZ4, batch.Zstd} {
		fit(c.String()+" of records with long heads", c, size, func(n int) ([]byte, int) { return longHeads(n), n })
	}
	for _, c := range []batch.Codec{batch.Gzip, batch.Snappy, batch.LZ4, batch.Zstd} {
		name := c.String()
		fit(name+" of zeros", c, 8<<20-100, func(n int) ([]byte, int) { return long(make([]byte, n)), 1 })
		fit(name+" of many zeros", c, 25*size, func(n int) ([]byte, int) { return long(make([]byte, n)), 1 })
		fit(name+" of records", c, 2*size, func(n int) ([]byte, int) { return tiny(n, true), n })
		fit(name+" of records without keys", c, 2*size, func(n int) ([]byte, int) { return tiny(n, false), n })
	}
	for name, n := range map[string]int{"a block of snappy": 8<<20 - 100, "a large block of snappy": 15 * size, "too large a block of snappy": 20 * size} {
		block, err := batch.Compress(nil, long(make([]byte, n)), batch.Snappy)
		if err != nil {
			t.Fatal(err)
		}
		if len(block) < size {
			all[name] = as(batch.Snappy, packed(t, batch.None, block, 1))
		}
	}
	return all
}

// message returns a message of format 1.
func message(c batch.Codec, value []byte) []byte {
	m := kmsg.MessageV1{Magic: 1, Attributes: int8(c), Value: value, MessageSize: int32(22 + len(value))}
	b := m.AppendTo(nil)
	mend(b)
	return b
}

// hostileSets are message sets that cost more than they are long, by what they are. They are of size bytes or less.
func hostileSets(t testing.TB, size int) map[string][]byte {
	all := map[string][]byte{"a set of empty blocks": message(batch.Gzip, emptyBlocks(size-100))}
	small, inner := message(batch.None, nil), unpackedSet(size)
	for _, c := range []batch.Codec{batch.Gzip, batch.Snappy, batch.LZ4} {
		for name, messages := range map[string][]byte{
			" set of small messages":     bytes.Repeat(small, inner/len(small)),
			" set of too many messages":  bytes.Repeat(small, 2*inner/len(small)),
			" set of a message":          message(batch.None, make([]byte, inner-100)),
			" set of too long a message": message(batch.None, make([]byte, inner+100)),
			" set of a claim":            append(binary.BigEndian.AppendUint32(make([]byte, 8), 1<<31-1), make([]byte, inner)...),
		} {
			value, err := batch.Compress(nil, messages, c)
			if err != nil {
				t.Fatal(err)
			}
			if b := message(c, value); len(b) <= size {
				all[c.String()+name] = b
			}
		}
	}
	var many []byte
	value, err := batch.Compress(nil, bytes.Repeat(small, 1<<20/len(small)), batch.Gzip)
	if err != nil {
		t.Fatal(err)
	}
	for wrapper := message(batch.Gzip, value); len(many)+len(wrapper) <= size; {
		many = append(many, wrapper...)
	}
	all["a set of many wrappers"] = many
	return all
}

// fetchOf returns a request that reads partition 0 of each topic from an offset on.
func fetchOf(version int16, offset int64, topics []string) *kmsg.FetchRequest {
	req := kmsg.NewPtrFetchRequest()
	req.SetVersion(version)
	for _, topic := range topics {
		rt := kmsg.NewFetchRequestTopic()
		rt.Topic = topic
		rp := kmsg.NewFetchRequestTopicPartition()
		rp.FetchOffset, rp.PartitionMaxBytes = offset, 1000
		rt.Partitions = append(rt.Partitions, rp)
		req.Topics = append(req.Topics, rt)
	}
	return req
}

// checkCost serves a frame, and some more if it seems to cost too much: what else the process does is measured with it.
func checkCost(t *testing.T, s *Server, name string, frame func() []byte) {
	t.Helper()
	least := dearest
	var n int
	for range 5 {
		f := frame()
		n = len(f)
		var answer []byte
		var r *request
		c := spent(t, func() { r, answer = exchange(t.Context(), s, f, nil) })
		c.memory -= carried(r, answer)
		if least = least.min(c); least.within(n) {
			break
		}
	}
	t.Logf("%-55s %8d bytes: %v, %.1f MiB", name, n, least.cpu, float64(least.memory)/(1<<20))
	if !least.within(n) {
		t.Errorf("%s: a frame of %d bytes cost %v of CPU time and %d bytes of memory", name, n, least.cpu, least.memory)
	}
}

// TestHostileBatchesCostLittle sends the worst batches known to topics that have to open them, and looks for times in those
// that are stored as they come, and reads them as old clients do.
func TestHostileBatchesCostLittle(t *testing.T) {
	if testing.Short() {
		t.Skip("short tests say nothing of costs")
	}
	s := newTestServer(t, withLegacy)
	warmUp(t, s)
	stored := s.meta.Partition(s.meta.Topic("t"), 0)
	for name, b := range hostile(t, *hostileSize-200) {
		for topic := range testTopics {
			checkCost(t, s, name+" to "+topic, func() []byte { return frameOf(produceOf(9, []string{topic}, b), 0) })
		}
		last := stored.Offsets().End - 1
		if _, err := stored.DeleteRecords(last); err != nil {
			t.Fatal(err)
		}
		at := int64(binary.BigEndian.Uint64(b[35:])) // the greatest time
		for _, n := range []int{3, 2000} {
			times, topics := slices.Repeat([]int64{at}, n), slices.Repeat([]string{"t"}, n)
			checkCost(t, s, fmt.Sprintf("%d times a time in %s", n, name), func() []byte { return frameOf(timesOf([]string{"t"}, times...), 0) })
			checkCost(t, s, fmt.Sprintf("%d times the last of %s", n, name), func() []byte { return frameOf(fetchOf(2, last, topics), 0) })
		}
	}
	for name, b := range hostile(t, *hostileSize/16) { // many in one request
		topics := slices.Repeat([]string{"compact", "recent", "plain", "gzip", "snappy", "lz4", "zstd"}, 2)
		checkCost(t, s, name+" to all", func() []byte { return frameOf(produceOf(9, topics, b), 0) })
	}
	for name, b := range hostileSets(t, *hostileSize-200) {
		for topic := range testTopics {
			checkCost(t, s, name+" to "+topic, func() []byte { return frameOf(produceOf(2, []string{topic}, b), 0) })
		}
	}
}

// TestARequestHasItsShareOfWork writes the same large batch to a partition again and again in one request, and looks for a time
// in it as often: what comes too late is to be sent again, and is done then.
func TestARequestHasItsShareOfWork(t *testing.T) {
	s := newTestServer(t, withLegacy)
	codes := func(topic string, version int16, b []byte, times int) (all []code.Code) {
		r, _ := exchange(t.Context(), s, frameOf(produceOf(version, slices.Repeat([]string{topic}, times), b), 0), nil)
		for _, rt := range r.resp.(*kmsg.ProduceResponse).Topics {
			all = append(all, code.Code(rt.Partitions[0].ErrorCode))
		}
		return all
	}
	large, late := packed(t, batch.Zstd, long(make([]byte, 3<<20)), 1), code.NotEnoughReplicas
	for _, test := range []struct {
		topic   string
		version int16
		b       []byte
		want    []code.Code
	}{
		{"compact", 9, large, []code.Code{0, 0, 0, 0, late, late}},
		{"plain", 9, packed(t, batch.Zstd, long(make([]byte, 500<<10)), 1), []code.Code{0, late, late}},
		{"plain", 9, large, []code.Code{code.MessageTooLarge, late}}, // is told it when it comes first
		{"t", 9, large, []code.Code{0, 0, 0, 0}},
		{"compact", 9, packed(t, batch.Zstd, long(make([]byte, 9<<20)), 1), []code.Code{code.MessageTooLarge}},
		{"t", 2, hostileSets(t, 1<<20)["gzip set of a message"], []code.Code{code.MessageTooLarge}},
	} {
		if got := codes(test.topic, test.version, test.b, len(test.want)); !slices.Equal(got, test.want) {
			t.Errorf("%d batches of %d bytes to %s: %v, want %v", len(test.want), len(test.b), test.topic, got, test.want)
		}
	}
	at := int64(binary.BigEndian.Uint64(large[35:])) // behind the last record: all have to be decompressed
	for version, want := range map[int16]code.Code{1: code.LeaderNotAvailable, 7: code.OffsetNotAvailable} {
		req := timesOf([]string{"t"}, slices.Repeat([]int64{at}, 100)...)
		req.SetVersion(version)
		r, _ := exchange(t.Context(), s, frameOf(req, 0), nil)
		parts := r.resp.(*kmsg.ListOffsetsResponse).Topics[0].Partitions
		if first, last := code.Code(parts[0].ErrorCode), code.Code(parts[99].ErrorCode); first != code.None || last != want {
			t.Errorf("version %d: %v at first and %v at last, want %v", version, first, last, want)
		}
	}
}

// TestLookupOfMoreRecordsThanBytes looks for a time behind a million records in less than a megabyte, which would take too
// long however little else is asked for: they are said to begin where the batch does.
func TestLookupOfMoreRecordsThanBytes(t *testing.T) {
	s := newTestServer(t)
	const n = 1_200_000
	b := packed(t, batch.Zstd, tiny(n, false), n)
	exchange(t.Context(), s, frameOf(produceOf(9, []string{"t"}, b), 0), nil)
	at := int64(binary.BigEndian.Uint64(b[35:])) // the greatest time
	r, _ := exchange(t.Context(), s, frameOf(timesOf([]string{"t"}, at), 0), nil)
	if got := r.resp.(*kmsg.ListOffsetsResponse).Topics[0].Partitions[0]; got.ErrorCode != 0 || got.Offset != 0 || got.Timestamp != at {
		t.Errorf("%d bytes: error %v, offset %d at %d; want 0 at %d", len(b), code.Code(got.ErrorCode), got.Offset, got.Timestamp, at)
	}
}

// TestTheLargestBatchCanBeLookedInto wants enough work for it, whatever a topic takes.
func TestTheLargestBatchCanBeLookedInto(t *testing.T) {
	s := newTestServer(t)
	for _, size := range []int{1000, 1 << 20, 20 << 20} {
		topic, err := s.meta.Create(meta.Spec{
			Name: strconv.Itoa(size), Partitions: 1, Replicas: 1, Configs: map[string]string{"max.message.bytes": strconv.Itoa(size)},
		})
		if err != nil {
			t.Fatal(err)
		}
		s.openers.with(func(o *opener) {
			if f := o.finder(topic); f.Work < batch.PackedWork*size {
				t.Errorf("%d of work for a batch of %d bytes", f.Work, size)
			}
		})
	}
}
