package wire

import (
	"encoding/binary"
	"net"

	"github.com/twmb/franz-go/pkg/kbin"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// spliced is a frame whose batches stay in the buffers they were read into. kmsg's own encoding would copy them once
// more, and with the memory for that take a third of what a consumer costs the engine.
type spliced struct {
	head []byte // everything else
	cuts []cut
}

// cut is where bytes of a buffer come into the head.
type cut struct {
	at   int
	data []byte
}

// pieces returns the frame in the order it is sent, after it has set the frame's length.
func (s *spliced) pieces() net.Buffers {
	size, at := len(s.head)-4, 0
	all := make(net.Buffers, 0, 2*len(s.cuts)+1)
	for _, c := range s.cuts {
		all = append(all, s.head[at:c.at], c.data)
		at, size = c.at, size+len(c.data)
	}
	binary.BigEndian.PutUint32(s.head, uint32(size))
	return append(all, s.head[at:])
}

// appendFetch encodes a fetch response, field for field as kmsg does.
func (s *spliced) appendFetch(resp *kmsg.FetchResponse) {
	v, flexible := resp.Version, resp.IsFlexible()
	b := s.head
	if v >= 1 {
		b = kbin.AppendInt32(b, resp.ThrottleMillis)
	}
	if v >= 7 {
		b = kbin.AppendInt32(kbin.AppendInt16(b, resp.ErrorCode), resp.SessionID)
	}
	b = appendCount(b, flexible, len(resp.Topics))
	for i := range resp.Topics {
		t := &resp.Topics[i]
		switch {
		case v >= 13:
			b = kbin.AppendUuid(b, t.TopicID)
		case flexible:
			b = kbin.AppendCompactString(b, t.Topic)
		default:
			b = kbin.AppendString(b, t.Topic)
		}
		b = appendCount(b, flexible, len(t.Partitions))
		for j := range t.Partitions {
			b = s.appendPartition(b, &t.Partitions[j], v, flexible)
		}
		b = appendNoTags(b, flexible)
	}
	s.head = appendNoTags(b, flexible)
}

func (s *spliced) appendPartition(b []byte, p *kmsg.FetchResponseTopicPartition, v int16, flexible bool) []byte {
	b = kbin.AppendInt16(kbin.AppendInt32(b, p.Partition), p.ErrorCode)
	b = kbin.AppendInt64(b, p.HighWatermark)
	if v >= 4 {
		b = kbin.AppendInt64(b, p.LastStableOffset)
	}
	if v >= 5 {
		b = kbin.AppendInt64(b, p.LogStartOffset)
	}
	if v >= 4 {
		b = appendAborted(b, p.AbortedTransactions, flexible)
	}
	if v >= 11 {
		b = kbin.AppendInt32(b, p.PreferredReadReplica)
	}
	if n := len(p.RecordBatches); flexible {
		b = kbin.AppendUvarint(b, uint32(n)+1)
	} else {
		b = kbin.AppendInt32(b, int32(n))
	}
	if len(p.RecordBatches) > 0 {
		s.cuts = append(s.cuts, cut{len(b), p.RecordBatches})
	}
	if !flexible {
		return b
	}
	if d := &p.DivergingEpoch; d.EndOffset >= 0 {
		const tag, size = 0, 4 + 8 + 1
		b = append(b, 1, tag, size)
		return append(kbin.AppendInt64(kbin.AppendInt32(b, d.Epoch), d.EndOffset), 0)
	}
	return append(b, 0)
}

func appendAborted(b []byte, txns []kmsg.FetchResponseTopicPartitionAbortedTransaction, flexible bool) []byte {
	if flexible {
		b = kbin.AppendCompactNullableArrayLen(b, len(txns), txns == nil)
	} else {
		b = kbin.AppendNullableArrayLen(b, len(txns), txns == nil)
	}
	for i := range txns {
		b = appendNoTags(kbin.AppendInt64(kbin.AppendInt64(b, txns[i].ProducerID), txns[i].FirstOffset), flexible)
	}
	return b
}

func appendCount(b []byte, flexible bool, n int) []byte {
	if flexible {
		return kbin.AppendCompactArrayLen(b, n)
	}
	return kbin.AppendArrayLen(b, n)
}

func appendNoTags(b []byte, flexible bool) []byte {
	if flexible {
		return append(b, 0)
	}
	return b
}
