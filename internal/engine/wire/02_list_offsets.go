package wire

import (
	"errors"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/thalweg/thalweg/internal/batch"
	"github.com/thalweg/thalweg/internal/engine/code"
	"github.com/thalweg/thalweg/internal/engine/log"
)

// ListOffsets: v0-11
//
// Behavior:
//   - -1 is the high watermark, or the last stable offset for read_committed; -2 the log start; -3 the earliest record
//     with the greatest timestamp; other times the first record at or after them, -1 if there is none.
//   - Of a batch that decompresses to too much, the first record is answered in place of one in the middle. A request does
//     so much work and no more: partitions beyond that are to be asked for again.
//   - Without tiers -4 (earliest local) is the log start, -5 (latest tiered) and -6 (earliest pending upload) are none.
//
// Version notes:
//   - v0: an array of offsets, newest first; here one, and the log start if there is room. Behind the last record there
//     is the end, not none
//   - v2: isolation level
//   - v4: leader epochs
//   - v7, v8, v9, v11: -3, -4, -5, -6
const listOffsetsShape = "i b@2 (s (i i@4 l i@0-0)) i@10"

// The special times of ListOffsets.
const (
	timeLatest        = -1
	timeEarliest      = -2
	timeMax           = -3
	timeEarliestLocal = -4
	timeLatestTiered  = -5
	timePendingUpload = -6
)

func listOffsets(r *request) kmsg.Response {
	req := r.body.(*kmsg.ListOffsetsRequest)
	resp := req.ResponseKind().(*kmsg.ListOffsetsResponse)
	if looks(req) {
		r.openers.with(func(o *opener) { r.listOffsets(req, resp, o) })
	} else {
		r.listOffsets(req, resp, nil)
	}
	return resp
}

// looks reports whether a request asks for what stands in batches.
func looks(req *kmsg.ListOffsetsRequest) bool {
	for i := range req.Topics {
		for j := range req.Topics[i].Partitions {
			if t := req.Topics[i].Partitions[j].Timestamp; t >= 0 || t == timeMax {
				return true
			}
		}
	}
	return false
}

// listOffsets answers req. o is nil if nothing is to be looked up in batches.
func (r *request) listOffsets(req *kmsg.ListOffsetsRequest, resp *kmsg.ListOffsetsResponse, o *opener) {
	var find *log.Finder
	resp.Topics = make([]kmsg.ListOffsetsResponseTopic, 0, len(req.Topics))
	for i := range req.Topics {
		rt := &req.Topics[i]
		t, unreached := r.reach(rt.Topic, [16]byte{}, false)
		if find == nil && o != nil && t != nil {
			find = o.finder(t)
		}
		st := kmsg.NewListOffsetsResponseTopic()
		st.Topic = rt.Topic
		st.Partitions = make([]kmsg.ListOffsetsResponseTopicPartition, 0, len(rt.Partitions))
		for j := range rt.Partitions {
			rp := &rt.Partitions[j]
			sp := kmsg.NewListOffsetsResponseTopicPartition()
			sp.Partition, sp.Timestamp, sp.Offset, sp.LeaderEpoch = rp.Partition, -1, -1, -1
			p := r.meta.Partition(t, rp.Partition)
			epoch := int32(-1)
			if r.version >= 4 {
				epoch = rp.CurrentLeaderEpoch
			}
			if unreached != code.None {
				sp.ErrorCode = int16(unreached)
			} else if p == nil {
				sp.ErrorCode = int16(code.UnknownTopicOrPartition)
			} else if c := r.checkEpoch(epoch); c != code.None {
				sp.ErrorCode = int16(c)
			} else if err := r.listOffset(find, p, rp, req.IsolationLevel == 1, &sp); err != nil {
				sp.ErrorCode = int16(r.lookupCode(err))
			}
			st.Partitions = append(st.Partitions, sp)
		}
		resp.Topics = append(resp.Topics, st)
	}
}

// lookupCode is errorCode for a lookup. One that is for another request, since this one has taken its share of work, is
// asked for again by who gets a code that Kafka has for what is not known yet (KIP-207).
func (r *request) lookupCode(err error) code.Code {
	switch {
	case errors.Is(err, log.ErrWork) && r.version >= 5:
		return code.OffsetNotAvailable
	case errors.Is(err, log.ErrWork):
		return code.LeaderNotAvailable
	case errors.Is(err, batch.ErrCorrupt):
		return code.CorruptMessage
	}
	return errorCode(err)
}

func (r *request) listOffset(find *log.Finder, p *log.Partition, rp *kmsg.ListOffsetsRequestTopicPartition, committed bool, sp *kmsg.ListOffsetsResponseTopicPartition) error {
	at := p.Offsets()
	end := at.HW
	if committed {
		end = at.LSO
	}
	newest := map[int64]int16{timeMax: 7, timeEarliestLocal: 8, timeLatestTiered: 9, timePendingUpload: 11}
	if since, special := newest[rp.Timestamp]; special && r.version < since || rp.Timestamp < timePendingUpload {
		return code.UnsupportedVersion
	}
	ok := true
	var err error
	switch rp.Timestamp {
	case timeLatest:
		sp.Offset = end
	case timeEarliest, timeEarliestLocal:
		sp.Offset = at.Start
	case timeLatestTiered, timePendingUpload:
		return nil
	case timeMax:
		sp.Offset, sp.Timestamp, ok, err = find.MaxTime(p)
	default:
		sp.Offset, sp.Timestamp, ok, err = find.AtTime(p, rp.Timestamp, committed)
	}
	if err == nil && !ok && r.version == 0 {
		sp.Offset, ok = end, true
	}
	if err != nil || !ok {
		sp.Offset, sp.Timestamp = -1, -1
		return err
	}
	sp.LeaderEpoch = r.dir.LeaderEpoch()
	if r.version == 0 {
		r.oldStyle(at, rp, sp)
	}
	return nil
}

// oldStyle answers version 0: up to MaxNumOffsets offsets at which reading could begin, newest first.
func (r *request) oldStyle(at log.Offsets, rp *kmsg.ListOffsetsRequestTopicPartition, sp *kmsg.ListOffsetsResponseTopicPartition) {
	if rp.MaxNumOffsets >= 1 {
		sp.OldStyleOffsets = append(sp.OldStyleOffsets, sp.Offset)
	}
	if rp.MaxNumOffsets >= 2 && sp.Offset != at.Start {
		sp.OldStyleOffsets = append(sp.OldStyleOffsets, at.Start)
	}
}
