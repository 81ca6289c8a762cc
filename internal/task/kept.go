package task

import (
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"hash/fnv"
)

// kept are the values that nodes keep over restarts beside their stores: see [edge.Task.Keep]. They travel in the metadata
// of the committed positions, and so belong to the same transaction.
type kept struct {
	values []*keptValue
	seq    uint64 // of the last commit that had any
}

type keptValue struct {
	id        uint64
	now, then int64 // at the last commit
}

// Keep implements edge.Task.
func (t *Task) Keep(name string) *int64 {
	h := fnv.New64a()
	h.Write([]byte(name))
	v := &keptValue{id: h.Sum64(), now: -1, then: -1}
	for _, other := range t.kept.values {
		if other.id == v.id {
			panic(fmt.Sprintf("task: %q is kept twice", name))
		}
	}
	t.kept.values = append(t.kept.values, v)
	return &v.now
}

// check reports that there are more values than a commit can take.
func (k *kept) check() error {
	if n := len(k.values); n > MaxKept {
		return fmt.Errorf("its operators keep %d times and numbers with the position, where %d have room: a Repartition in between makes two tasks of it", n, MaxKept)
	}
	return nil
}

// dirty reports whether a value is another than at the last commit.
func (k *kept) dirty() bool {
	for _, v := range k.values {
		if v.now != v.then {
			return true
		}
	}
	return false
}

func (k *kept) end(committed bool) {
	if committed && len(k.values) > 0 {
		k.seq++
	}
	for _, v := range k.values {
		if committed {
			v.then = v.now
		} else {
			v.now = v.then
		}
	}
}

// restore takes the values of a committed position, if they are the newest so far: a commit writes only the positions
// that have moved, but each with all values.
func (k *kept) restore(seq uint64, values map[uint64]int64) {
	if values == nil || seq < k.seq {
		return
	}
	k.seq = seq
	for _, v := range k.values {
		v.now = -1
		if at, ok := values[v.id]; ok {
			v.now = at
		}
		v.then = v.now
	}
}

// The metadata of a committed position is Kafka Streams': base64 of a version byte, the partition's time and, if there are
// any, the number of named values and for each the length of its name, the name and the value. Names are of eight bytes, a
// hash, since brokers take 4096 bytes in all; the empty name has the number of the commit.
const (
	metadataVersion = 2
	metadataLimit   = 4096
	keptBytes       = 4 + 8 + 8
	// MaxKept is how many values the nodes of one task can keep.
	MaxKept = (metadataLimit/4*3 - 1 - 8 - 4 - 4 - 8) / keptBytes
)

// metadata returns what is committed with a position of a partition of time at.
func (k *kept) metadata(at int64) string {
	b := make([]byte, 0, 64)
	b = binary.BigEndian.AppendUint64(append(b, metadataVersion), uint64(at))
	if n := len(k.values); n > 0 {
		b = binary.BigEndian.AppendUint32(b, uint32(n+1))
		b = binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint32(b, 0), k.seq+1)
		for _, v := range k.values {
			b = binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint32(b, 8), v.id)
			b = binary.BigEndian.AppendUint64(b, uint64(v.now))
		}
	}
	return base64.StdEncoding.EncodeToString(b)
}

// parseMetadata reads what metadata wrote: the partition's time, -1 if there is none, and the kept values, nil if there are
// none. What anything else has written is as nothing.
func parseMetadata(metadata string) (at int64, seq uint64, values map[uint64]int64) {
	b, err := base64.StdEncoding.DecodeString(metadata)
	if err != nil || len(b) < 9 || b[0] < 1 || b[0] > metadataVersion {
		return -1, 0, nil
	}
	at = int64(binary.BigEndian.Uint64(b[1:]))
	if b = b[9:]; len(b) < 4 {
		return at, 0, nil
	}
	values = map[uint64]int64{}
	for b = b[4:]; len(b) >= 4; {
		n := uint64(binary.BigEndian.Uint32(b))
		if b = b[4:]; uint64(len(b)) < n+8 {
			break
		}
		name, v := b[:n], binary.BigEndian.Uint64(b[n:])
		switch n {
		case 0:
			seq = v
		case 8:
			values[binary.BigEndian.Uint64(name)] = int64(v)
		}
		b = b[n+8:]
	}
	return at, seq, values
}
