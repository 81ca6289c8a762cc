package legacy

import (
	"bytes"
	"encoding/binary"
	"errors"
	"flag"
	"fmt"
	"hash/crc32"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/thalweg/thalweg/internal/batch"
)

var seed = flag.Uint64("seed", rand.Uint64(), "of random tests")

var codecs = []batch.Codec{batch.None, batch.Gzip, batch.Snappy, batch.LZ4}

// enough lets everything through that these tests send.
var enough = Limits{Message: 1 << 20, Unpacked: 8 << 20, Batch: 8 << 20}

// up converts a set with memory of its own.
func up(set []byte, most Limits) ([]byte, error) {
	b, work, err := Up{In: &batch.Stream{}, Out: &batch.Packer{}}.Convert(set, most)
	if bound := 6*most.Unpacked + batch.PackedWork*len(set); work > bound {
		return nil, fmt.Errorf("took %d of work, the most is %d", work, bound)
	}
	return b, err
}

func down(format int8) Down {
	return Down{In: &batch.Scanner{}, Format: format, Limit: func(*batch.Header) int { return 64 << 20 }, MaxWork: 1 << 30}
}

// record is one record of a test.
type record struct {
	offset, time int64
	key, value   []byte
}

// random returns n records at offsets from base on, every gap-th of which is left out.
func random(rng *rand.Rand, n int, base int64, gap int) (all []record) {
	field := func() []byte {
		switch rng.IntN(5) {
		case 0:
			return nil
		case 1:
			return []byte{}
		}
		return bytes.Repeat([]byte{byte(rng.Int())}, rng.IntN(300))
	}
	for i := range n {
		if gap == 0 || i%gap > 0 {
			all = append(all, record{offset: base + int64(i), time: rng.Int64N(1 << 41), key: field(), value: field()})
		}
	}
	return all
}

// message returns one message as a client writes it.
func message(format, attributes int8, r record) []byte {
	return appendMessage(nil, &kmsg.MessageV1{Offset: r.offset, Magic: format, Attributes: attributes, Timestamp: r.time, Key: r.key, Value: r.value})
}

// set returns records as a client of a format writes them, in one wrapper if they are compressed.
func set(t testing.TB, format int8, c batch.Codec, records []record) []byte {
	t.Helper()
	var plain []byte
	for i, r := range records {
		if r.offset = int64(i); format == 0 && c != batch.None {
			r.offset += 1000 // clients write absolute offsets there, whatever they mean by it
		}
		plain = append(plain, message(format, 0, r)...)
	}
	if c == batch.None {
		return plain
	}
	return wrapper(format, c, compressed(t, c, plain))
}

func wrapper(format int8, c batch.Codec, packed []byte) []byte {
	return message(format, int8(c), record{offset: -1, time: 7, value: packed})
}

func compressed(t testing.TB, c batch.Codec, plain []byte) []byte {
	t.Helper()
	packed, err := batch.Compress(nil, plain, c)
	if err != nil {
		t.Fatal(err)
	}
	return packed
}

// records reads the records of one batch.
func records(t *testing.T, b []byte) (all []record) {
	t.Helper()
	if err := batch.CheckCRC(b); err != nil {
		t.Fatal(err)
	}
	var r batch.Reader
	if err := r.Reset(b); err != nil {
		t.Fatal(err)
	}
	for rec := (batch.Record{}); r.Next(&rec); {
		if rec.Headers != nil {
			t.Errorf("headers %q", rec.Headers)
		}
		all = append(all, record{rec.Offset, rec.Timestamp, bytes.Clone(rec.Key), bytes.Clone(rec.Value)})
	}
	if err := r.Err(); err != nil {
		t.Fatal(err)
	}
	return all
}

// messages reads a set that has no wrappers.
func messages(t *testing.T, set []byte, format int8) (all []record) {
	t.Helper()
	for len(set) > 0 {
		m, size, err := parse(set)
		if err != nil {
			t.Fatal(err)
		}
		if m.Magic != format || codec(&m) != batch.None {
			t.Fatalf("message of format %d with attributes %x", m.Magic, m.Attributes)
		}
		all = append(all, record{m.Offset, m.Timestamp, m.Key, m.Value})
		set = set[size:]
	}
	return all
}

func same(a, b []byte) bool { return (a == nil) == (b == nil) && bytes.Equal(a, b) }

// check compares records; without times if those of the format are none.
func check(t *testing.T, what string, got, want []record, timed bool) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s: %d records, want %d", what, len(got), len(want))
	}
	for i, w := range want {
		if !timed {
			w.time = noTimestamp
		}
		if g := got[i]; g.offset != w.offset || g.time != w.time || !same(g.key, w.key) || !same(g.value, w.value) {
			t.Fatalf("%s: record %d is %+v, want %+v", what, i, g, w)
		}
	}
}

// build seals records whose offsets may have gaps, at the end below end too, as the cleaner leaves them.
func build(t testing.TB, records []record, end int64, s batch.Seal) []byte {
	t.Helper()
	var b batch.Builder
	kept := map[int64]bool{}
	next := s.BaseOffset
	fill := func(to int64) {
		for ; next < to; next++ {
			b.Append(1, nil, []byte("to be left out"), nil)
		}
	}
	for _, r := range records {
		fill(r.offset)
		b.Append(r.time, r.key, r.value, batch.AppendHeaders(nil, []batch.KV{{Key: "h", Value: []byte("v")}}))
		kept[r.offset] = true
		next = r.offset + 1
	}
	fill(end)
	s.ProducerID, s.ProducerEpoch, s.BaseSequence = -1, -1, -1
	out, err := b.Finish(s)
	if err != nil {
		t.Fatal(err)
	}
	if len(kept) == b.Len() {
		return bytes.Clone(out)
	}
	var r batch.Reader
	out, _, err = batch.Filter(nil, out, &r, 0, func(r *batch.Record) bool { return kept[r.Offset] })
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// TestThereAndBack converts random records to a batch and to messages again, in every format and compression.
func TestThereAndBack(t *testing.T) {
	t.Logf("-seed %d", *seed)
	rng := rand.New(rand.NewPCG(*seed, 1))
	for range 30 {
		for format := int8(0); format <= 1; format++ {
			for _, c := range codecs {
				sent := random(rng, 1+rng.IntN(60), 0, 0)
				b, err := up(set(t, format, c, sent), enough)
				if err != nil {
					t.Fatalf("format %d, %v: %v", format, c, err)
				}
				h, err := batch.Parse(b)
				if err != nil || h.Codec() != c || h.ProducerID != -1 || h.BaseSequence != -1 || h.LogAppendTime() {
					t.Fatalf("format %d, %v: header %+v, %v", format, c, h, err)
				}
				check(t, "up", records(t, b), sent, format == 1)
				d := down(format)
				got, full, err := d.Append(nil, b, 0, Room{All: 1 << 30})
				if err != nil || full {
					t.Fatal(full, err)
				}
				check(t, "down", messages(t, got, format), sent, format == 1)
			}
		}
	}
}

// TestUpTakesWhatClientsWrite are sets unlike those of TestThereAndBack that clients may send.
func TestUpTakesWhatClientsWrite(t *testing.T) {
	some := []record{{0, 5, []byte("k"), []byte("a")}, {1, 6, nil, []byte("b")}, {2, 4, []byte{}, nil}}
	plain := func(format int8) (all []byte) {
		for _, r := range some {
			all = append(all, message(format, 0, r)...)
		}
		return all
	}
	broken := compressed(t, batch.LZ4, plain(0))
	const descriptor = 4 // behind the frame's magic
	broken[descriptor+2] ^= 0x5a
	sized := bytes.Clone(broken[:descriptor+2])
	sized[descriptor] |= 0x08 // has the content's size
	sized = append(binary.LittleEndian.AppendUint64(sized, uint64(len(plain(0)))), broken[descriptor+2:]...)
	framed := []byte{0x82, 'S', 'N', 'A', 'P', 'P', 'Y', 0, 0, 0, 0, 1, 0, 0, 0, 1}
	for data := plain(1); len(data) > 0; {
		n := min(20, len(data))
		block := compressed(t, batch.Snappy, data[:n])
		framed = append(binary.BigEndian.AppendUint32(framed, uint32(len(block))), block...)
		data = data[n:]
	}
	offset := func(at int64) []byte {
		var plain []byte
		for _, r := range some {
			r.offset = at
			plain = append(plain, message(1, 0, r)...)
		}
		return wrapper(1, batch.Gzip, compressed(t, batch.Gzip, plain))
	}
	appendTime := message(1, attrAppendTime, some[0])
	for name, test := range map[string]struct {
		set   []byte
		want  []record
		timed bool
	}{
		"lz4 whose header's checksum is Kafka's of old": {wrapper(0, batch.LZ4, broken), some, false},
		"the same with the content's size":              {wrapper(0, batch.LZ4, sized), some, false},
		"snappy in Java's frames":                       {wrapper(1, batch.Snappy, framed), some, true},
		"offsets -1, as pykafka's are":                  {offset(-1), some, true},
		"offsets far from 0":                            {offset(1 << 40), some, true},
		"a producer's log append time says nothing":     {appendTime, some[:1], true},
	} {
		b, err := up(test.set, enough)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		check(t, name, records(t, b), test.want, test.timed)
	}
	// Several wrappers and messages beside them are one batch.
	mixed := append(set(t, 1, batch.Gzip, some), set(t, 1, batch.None, some)...)
	mixed = append(mixed, set(t, 1, batch.Snappy, some)...)
	b, err := up(mixed, enough)
	if err != nil {
		t.Fatal(err)
	}
	if got := records(t, b); len(got) != 9 || got[8].offset != 8 {
		t.Errorf("%d records: %+v", len(got), got)
	}
}

// rechecked writes the checksum of a message anew.
func rechecked(b []byte) []byte {
	binary.BigEndian.PutUint32(b[posCRC:], crc32.ChecksumIEEE(b[posMagic:]))
	return b
}

// TestUpRefuses has everything refused that is not as it should be, and for the right reason.
func TestUpRefuses(t *testing.T) {
	one := record{0, 5, []byte("key"), []byte("value")}
	good := message(1, 0, one)
	changed := func(at int, to byte) []byte { b := bytes.Clone(good); b[at] = to; return b }
	inner := func(format int8, b []byte) []byte { return wrapper(format, batch.Gzip, compressed(t, batch.Gzip, b)) }
	flipped := bytes.Clone(good)
	flipped[len(flipped)-1] ^= 1
	single := message(1, 0, record{value: []byte("v")})
	bomb := func(c batch.Codec) []byte {
		return wrapper(1, c, compressed(t, c, bytes.Repeat(single, 16<<20/len(single))))
	}
	halfBombs := func() []byte {
		half := wrapper(1, batch.Gzip, compressed(t, batch.Gzip, message(1, 0, record{value: make([]byte, 5<<20)})))
		return append(half, half...)
	}
	longKey := bytes.Clone(good)
	binary.BigEndian.PutUint32(longKey[fixed+stamp-8:], 4)
	tailed := append(bytes.Clone(good), 0)
	binary.BigEndian.PutUint32(tailed[posSize:], uint32(len(tailed)-overhead))
	for name, test := range map[string]struct {
		set  []byte
		want error
	}{
		"nothing":                             {nil, batch.ErrCorrupt},
		"a few bytes":                         {good[:9], batch.ErrCorrupt},
		"a message cut short":                 {good[:len(good)-1], batch.ErrCorrupt},
		"a message and a part of one":         {append(bytes.Clone(good), good[:20]...), batch.ErrCorrupt},
		"a flipped bit":                       {flipped, batch.ErrCorrupt},
		"a size of nothing":                   {changed(posSize+3, 0), batch.ErrCorrupt},
		"a negative size":                     {changed(posSize, 0xff), batch.ErrCorrupt},
		"a key longer than it is":             {rechecked(longKey), batch.ErrCorrupt},
		"a byte behind the value":             {rechecked(tailed), batch.ErrCorrupt},
		"format 2 in a set":                   {rechecked(changed(posMagic, 2)), batch.ErrMagic},
		"zstd":                                {rechecked(changed(posMagic+1, 4)), batch.ErrCodec},
		"codec 7":                             {rechecked(changed(posMagic+1, 7)), batch.ErrCodec},
		"a wrapper without a value":           {message(1, int8(batch.Gzip), record{}), batch.ErrCorrupt},
		"a wrapper of nothing":                {inner(1, nil), batch.ErrCorrupt},
		"a wrapper that is not compressed":    {wrapper(1, batch.Gzip, good), batch.ErrCorrupt},
		"a flipped bit inside":                {inner(1, flipped), batch.ErrCorrupt},
		"a message cut short inside":          {inner(1, good[:30]), batch.ErrCorrupt},
		"format 0 inside format 1":            {inner(1, message(0, 0, one)), ErrInvalid},
		"a wrapper inside a wrapper":          {inner(1, inner(1, good)), ErrInvalid},
		"a gzip bomb":                         {bomb(batch.Gzip), batch.ErrTooLarge},
		"an lz4 bomb":                         {bomb(batch.LZ4), batch.ErrTooLarge},
		"wrappers that are a bomb together":   {halfBombs(), batch.ErrTooLarge},
		"a message larger than one may be":    {message(1, 0, record{value: make([]byte, enough.Message)}), batch.ErrTooLarge},
		"a snappy block that claims too much": {wrapper(1, batch.Snappy, []byte{0xff, 0xff, 0xff, 0xff, 0x0f, 1}), batch.ErrCorrupt},
	} {
		if _, err := up(test.set, enough); !errors.Is(err, test.want) {
			t.Errorf("%s: %v, want %v", name, err, test.want)
		}
	}
}

// TestDown leaves out what old clients cannot have, keeps offsets, and says how far it came.
func TestDown(t *testing.T) {
	t.Logf("-seed %d", *seed)
	rng := rand.New(rand.NewPCG(*seed, 2))
	var log []byte
	var all []record
	next := int64(100)
	add := func(n, gap int, c batch.Codec) {
		some := random(rng, n, next, gap)
		log = append(log, build(t, some, next+int64(n), batch.Seal{Codec: c, BaseOffset: next})...)
		all, next = append(all, some...), next+int64(n)
	}
	marker := func() {
		log = batch.AppendMarker(log, batch.Marker{Commit: true}, next, 1, 1, 1)
		next++
	}
	marker()
	for _, c := range append(codecs, batch.Zstd) {
		add(10, 0, c)
		marker()
		add(13, 3, c) // the last of which is left out
	}
	marker()
	for format := int8(0); format <= 1; format++ {
		d := down(format)
		for from := int64(98); from <= next; from++ {
			want := all
			for len(want) > 0 && want[0].offset < from {
				want = want[1:]
			}
			got, full, err := d.Append(nil, log, from, Room{All: 1 << 30})
			if err != nil || full {
				t.Fatal(full, err)
			}
			check(t, "from the middle", messages(t, got, format), want, format == 1)
			if has := d.Has(log, from); has != (len(want) > 0) {
				t.Errorf("Has from %d: %t, %d records are there", from, has, len(want))
			}
		}
		// Piece by piece: every answer is whole messages within the room, but for one that is larger.
		for _, room := range []Room{{All: 500}, {All: 100, First: 400}, {All: 0, First: math.MaxInt}} {
			got, from := []record{}, int64(0)
			for full := true; full; {
				var piece []byte
				var err error
				if piece, full, err = d.Append(nil, log, from, room); err != nil {
					t.Fatal(err)
				}
				some := messages(t, piece, format)
				if len(some) == 0 && full {
					if room.First == math.MaxInt {
						t.Fatalf("room %+v: nothing from offset %d", room, from)
					}
					piece, _, err = d.Append(nil, log, from, Room{First: math.MaxInt})
					some = messages(t, piece, format)
					if err != nil || len(piece) <= max(room.All, room.First) {
						t.Fatalf("room %+v: a message of %d bytes did not fit, %v", room, len(piece), err)
					}
				} else if len(some) > 1 && len(piece) > room.All || len(some) == 1 && len(piece) > max(room.All, room.First) {
					t.Fatalf("room %+v: %d messages of %d bytes", room, len(some), len(piece))
				}
				if len(some) > 0 {
					from = some[len(some)-1].offset + 1
				}
				got = append(got, some...)
			}
			check(t, "piece by piece", got, all, format == 1)
		}
	}
}

// TestDownOfLogAppendTime has the time and its kind in format 1.
func TestDownOfLogAppendTime(t *testing.T) {
	b := build(t, []record{{0, 5, nil, []byte("a")}, {1, 6, nil, []byte("b")}}, 0, batch.Seal{})
	batch.SetTimestampType(b, true, 77)
	d := down(1)
	got, _, err := d.Append(nil, b, 1, Room{All: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	m, size, err := parse(got)
	if err != nil || size != len(got) || m.Timestamp != 77 || m.Attributes != attrAppendTime || m.Offset != 1 {
		t.Errorf("%+v, %v", m, err)
	}
}

// TestDownRefusesDamage: what has rotted must not get a sound checksum. What comes before it is returned.
func TestDownRefusesDamage(t *testing.T) {
	good := build(t, []record{{0, 5, nil, []byte("a")}}, 0, batch.Seal{})
	rotten := build(t, []record{{1, 5, nil, []byte("b")}}, 0, batch.Seal{BaseOffset: 1})
	rotten[len(rotten)-2] ^= 1
	d := down(1)
	got, _, err := d.Append(nil, append(good, rotten...), 0, Room{All: 1 << 20})
	if !errors.Is(err, batch.ErrCorrupt) || len(messages(t, got, 1)) != 1 {
		t.Errorf("%d bytes, %v", len(got), err)
	}
	if !d.Has(rotten, 1) {
		t.Error("nobody will look at the damage")
	}
}

// sound puts right the checksums of a set, which would keep a fuzzer out. The first bit of the offset says otherwise.
func sound(set []byte) {
	for len(set) >= least && set[0]&0x80 == 0 {
		n := int64(int32(binary.BigEndian.Uint32(set[posSize:])))
		if n < least-overhead || n > int64(len(set)-overhead) {
			return
		}
		rechecked(set[:overhead+n])
		set = set[overhead+n:]
	}
}

// FuzzMessageSet gives rubbish to Up: it must refuse it, or make a batch of it that reads back, within its limits.
func FuzzMessageSet(f *testing.F) {
	rng := rand.New(rand.NewPCG(3, 4))
	for format := int8(0); format <= 1; format++ {
		for _, c := range codecs {
			f.Add(set(f, format, c, random(rng, 4, 0, 0)))
		}
	}
	most := Limits{Message: 1 << 16, Unpacked: 1 << 18, Batch: 1 << 18}
	f.Fuzz(func(t *testing.T, sent []byte) {
		sound(sent)
		b, err := up(sent, most)
		if err != nil {
			return
		}
		got := records(t, b)
		if len(got) == 0 {
			t.Fatal("a batch of nothing")
		}
		d := down(1)
		back, full, err := d.Append(nil, b, 0, Room{All: math.MaxInt})
		if err != nil || full {
			t.Fatal(full, err)
		}
		check(t, "there and back", messages(t, back, 1), got, true)
	})
}
