package log

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"math"
	"slices"

	"github.com/thalweg/thalweg/internal/batch"
)

const (
	window       = 5       // batches remembered for each producer, as many as a client may have in flight
	maxProducers = 1 << 20 // of one partition; beyond, those idle longest are forgotten
)

// sent is one batch of a producer as its retry would name it.
type sent struct {
	first, last int32 // sequences
	base, end   int64 // offsets of the first and last record
	time        int64 // of the append if the topic says so, else -1
}

// producer is what a partition knows about a producer id.
type producer struct {
	id          int64
	epoch       int16
	coordinator int32 // epoch of the coordinator that wrote the last marker; -1: none
	n           int8  // batches remembered
	batches     [window]sent
	used        int64 // clock time of the last batch or marker, ms
	txn         int64 // offset at which the open transaction began; -1: none
	data        int64 // offset of the last record that is not a marker; -1: none
}

// lastSequence returns the sequence of the last record, -1 if none is known.
func (p *producer) lastSequence() int32 {
	if p.n == 0 {
		return -1
	}
	return p.batches[p.n-1].last
}

// sequenceAdd returns seq+n where sequences wrap from the greatest int32 to 0.
func sequenceAdd(seq, n int32) int32 {
	if seq > math.MaxInt32-n {
		return n - (math.MaxInt32 - seq) - 1
	}
	return seq + n
}

// producers is the producer state of one partition, guarded by the partition's lock.
type producers struct {
	byID map[int64]*producer
	open map[int64]int64 // producer id → first offset, of all open transactions
	low  int64           // least of open's values; -1: none is open
}

func newProducers() producers {
	return producers{byID: map[int64]*producer{}, open: map[int64]int64{}, low: -1}
}

// check says what to do with a batch of a producer, without changing anything: append it (nil, nil), answer with an
// earlier one of which it is a retry, or refuse it.
func (ps *producers) check(h *batch.Header, internal bool) (*sent, error) {
	p := ps.byID[h.ProducerID]
	if p == nil {
		return nil, nil // nothing known, hence any sequence is the next
	}
	sequenced := !internal || h.BaseSequence >= 0
	if sequenced && h.ProducerEpoch == p.epoch {
		last := sequenceAdd(h.BaseSequence, h.LastOffsetDelta)
		for i := range p.batches[:p.n] {
			if b := &p.batches[i]; b.first == h.BaseSequence && b.last == last {
				return b, nil
			}
		}
	}
	if h.ProducerEpoch < p.epoch {
		return nil, fmt.Errorf("%w: producer %d sent epoch %d, current is %d", ErrProducerEpoch, h.ProducerID, h.ProducerEpoch, p.epoch)
	}
	if sequenced {
		want := int32(0)
		if h.ProducerEpoch == p.epoch {
			want = sequenceAdd(p.lastSequence(), 1)
		}
		if h.BaseSequence != want {
			return nil, fmt.Errorf("%w: producer %d, epoch %d sent %d, expected %d", ErrOutOfOrder, h.ProducerID, h.ProducerEpoch, h.BaseSequence, want)
		}
	}
	if !h.Transactional() && p.txn >= 0 {
		return nil, fmt.Errorf("%w: producer %d, since offset %d", ErrTxnState, h.ProducerID, p.txn)
	}
	return nil, nil
}

// get returns the state of a producer at an epoch; a new epoch forgets the batches of the one before.
func (ps *producers) get(id int64, epoch int16) *producer {
	p := ps.byID[id]
	if p == nil {
		p = &producer{id: id, epoch: epoch, coordinator: -1, txn: -1, data: -1}
		ps.byID[id] = p
	}
	if p.epoch != epoch {
		p.epoch, p.n = epoch, 0
	}
	return p
}

// add counts an appended batch of data in and reports whether it opened a transaction.
func (ps *producers) add(h *batch.Header, now int64) (opened bool) {
	p := ps.get(h.ProducerID, h.ProducerEpoch)
	p.used = now
	p.data = h.LastOffset()
	if h.BaseSequence >= 0 {
		if p.n == window {
			copy(p.batches[:], p.batches[1:])
			p.n--
		}
		at := int64(-1)
		if h.LogAppendTime() {
			at = h.MaxTimestamp
		}
		p.batches[p.n] = sent{h.BaseSequence, sequenceAdd(h.BaseSequence, h.LastOffsetDelta), h.BaseOffset, h.LastOffset(), at}
		p.n++
	}
	if !h.Transactional() || p.txn >= 0 {
		return false
	}
	p.txn = h.BaseOffset
	ps.begin(p.id, p.txn)
	return true
}

func (ps *producers) begin(id, first int64) {
	ps.open[id] = first
	if ps.low < 0 || first < ps.low {
		ps.low = first
	}
}

// end counts a marker in and returns where the transaction it ended began, -1 if none was open.
func (ps *producers) end(h *batch.Header, coordinator int32, now int64) (first int64) {
	p := ps.get(h.ProducerID, h.ProducerEpoch)
	p.used, p.coordinator = now, coordinator
	first, p.txn = p.txn, -1
	if first < 0 {
		return -1
	}
	delete(ps.open, p.id)
	if first == ps.low {
		ps.low = -1
		for _, f := range ps.open {
			if ps.low < 0 || f < ps.low {
				ps.low = f
			}
		}
	}
	return first
}

// expire forgets producers without an open transaction that were last used before oldest.
func (ps *producers) expire(oldest int64) {
	for id, p := range ps.byID {
		if p.used < oldest && p.txn < 0 {
			delete(ps.byID, id)
		}
	}
	if len(ps.byID) <= maxProducers {
		return
	}
	all := make([]*producer, 0, len(ps.byID))
	for _, p := range ps.byID {
		if p.txn < 0 {
			all = append(all, p)
		}
	}
	slices.SortFunc(all, func(a, b *producer) int { return cmp.Compare(a.used, b.used) })
	for _, p := range all[:min(len(all), len(ps.byID)-maxProducers)] {
		delete(ps.byID, p.id)
	}
}

const producerSize = 8 + 2 + 4 + 8 + 8 + 8 + 1 // without batches

// encode appends all producers in the form decode reads.
func (ps *producers) encode(dst []byte) []byte {
	be := binary.BigEndian
	dst = be.AppendUint32(dst, uint32(len(ps.byID)))
	for _, p := range ps.byID {
		dst = be.AppendUint64(dst, uint64(p.id))
		dst = be.AppendUint16(dst, uint16(p.epoch))
		dst = be.AppendUint32(dst, uint32(p.coordinator))
		dst = be.AppendUint64(dst, uint64(p.used))
		dst = be.AppendUint64(dst, uint64(p.txn))
		dst = be.AppendUint64(dst, uint64(p.data))
		dst = append(dst, byte(p.n))
		for i := range p.batches[:p.n] {
			b := &p.batches[i]
			dst = be.AppendUint32(dst, uint32(b.first))
			dst = be.AppendUint32(dst, uint32(b.last))
			dst = be.AppendUint64(dst, uint64(b.base))
			dst = be.AppendUint64(dst, uint64(b.end))
			dst = be.AppendUint64(dst, uint64(b.time))
		}
	}
	return dst
}

// decodeProducers reads what encode wrote.
func decodeProducers(d *decoder) producers {
	ps := newProducers()
	for range d.count(producerSize) {
		p := &producer{id: d.i64(), epoch: d.i16(), coordinator: d.i32(), used: d.i64(), txn: d.i64(), data: d.i64(), n: int8(d.u8())}
		if p.n < 0 || p.n > window {
			d.bad = true
			break
		}
		for i := range p.batches[:p.n] {
			p.batches[i] = sent{d.i32(), d.i32(), d.i64(), d.i64(), d.i64()}
		}
		ps.byID[p.id] = p
		if p.txn >= 0 {
			ps.begin(p.id, p.txn)
		}
	}
	return ps
}
