package wire

import (
	"context"
	"errors"
	"fmt"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/thalweg/thalweg/internal/batch"
	"github.com/thalweg/thalweg/internal/engine/auth"
	"github.com/thalweg/thalweg/internal/engine/code"
	"github.com/thalweg/thalweg/internal/engine/coord"
	"github.com/thalweg/thalweg/internal/engine/log"
	"github.com/thalweg/thalweg/internal/engine/meta"
)

// Produce: v3-13 (0-2, message sets, are advertised, and closed on without Config.Legacy)
//
// Behavior:
//   - Partitions succeed and fail one by one; a partition named twice is answered twice.
//   - acks=-1 is answered when the batch is durable, acks=1 when it is in the log, acks=0 not at all, except that an
//     error closes the connection.
//   - Requests are appended in their order and wait for the disk together.
//   - A batch is stored as sent; it is opened only if the topic is compacted, bounds timestamps from below, or has a
//     compression of its own. What a request may decompress to is bounded (admission.go).
//
// Version notes:
//   - v0-2: message sets of either format, or a batch, whatever the version (messagesets.go)
//   - v7: zstd
//   - v8: record errors
//   - v11: an unverified transactional batch is TRANSACTION_ABORTABLE
//   - v12: a transactional batch adds its partition to the transaction
//   - v13: topics by id
const produceShape = "s@3 h i (s@0-12 u@13 (i y))"

// adminClient is the client id that may write to the coordinators' topics.
const adminClient = "__admin_client"

// production is a produce request being served.
type production struct {
	*request
	req     *kmsg.ProduceRequest
	resp    *kmsg.ProduceResponse
	ticket  log.Ticket
	written bool

	work     int  // what it has cost so far
	opened   bool // something was looked into
	first    bool // the batch is the first that may be
	repacked int  // bytes of batches that are stored with another compression
}

func produce(r *request) kmsg.Response {
	req := r.body.(*kmsg.ProduceRequest)
	p := &production{request: r, req: req, resp: req.ResponseKind().(*kmsg.ProduceResponse)}
	for i := range req.Topics {
		p.topic(&req.Topics[i])
	}
	r.pipelined = true
	if req.Acks == 0 {
		r.failed = p.firstError()
		return nil
	}
	if req.Acks == -1 && p.written {
		r.finish = p.durable
	}
	return p.resp
}

func (p *production) topic(rt *kmsg.ProduceRequestTopic) {
	st := kmsg.NewProduceResponseTopic()
	st.Topic, st.TopicID = rt.Topic, rt.TopicID
	t, c := p.reach(rt.Topic, rt.TopicID, p.version >= 13)
	for i := range rt.Partitions {
		rp := &rt.Partitions[i]
		sp := kmsg.NewProduceResponseTopicPartition()
		sp.Partition = rp.Partition
		sp.BaseOffset, sp.LogAppendTime, sp.LogStartOffset = -1, -1, -1
		if c != code.None {
			sp.ErrorCode = int16(c)
		} else {
			p.partition(t, rp, &sp)
		}
		st.Partitions = append(st.Partitions, sp)
	}
	p.resp.Topics = append(p.resp.Topics, st)
}

func (p *production) partition(t *meta.Topic, rp *kmsg.ProduceRequestTopicPartition, sp *kmsg.ProduceResponseTopicPartition) {
	l := p.meta.Partition(t, rp.Partition)
	var err error
	switch {
	case p.req.Acks < -1 || p.req.Acks > 1:
		err = code.InvalidRequiredAcks
	case l == nil:
		err = code.UnknownTopicOrPartition
	case t.Internal() && p.client != adminClient:
		err = refuse(code.InvalidTopic, "topic %q is internal", t.Name)
	case p.left() == 0:
		err = errRequestShare
	default:
		p.first = !p.opened && p.work <= mostWork/4
		p.work += batchWork
		err = p.append(t, l, rp, sp)
	}
	if err == nil {
		return
	}
	sp.ErrorCode = int16(p.told(errorCode(err)))
	var rejected *rejection
	if errors.As(err, &rejected) {
		sp.ErrorMessage = &rejected.text
		sp.ErrorRecords = rejected.records
	}
}

func (p *production) append(t *meta.Topic, l *log.Partition, rp *kmsg.ProduceRequestTopicPartition, sp *kmsg.ProduceResponseTopicPartition) error {
	b, h, err := p.admit(t, rp.Records)
	if err != nil {
		return err
	}
	if h.Transactional() && !p.may(auth.TransactionalID, deref(p.req.TransactionID)) {
		return code.TransactionalIDAuthorizationFailed
	}
	var done log.Appended
	write := func() (err error) {
		done, err = l.Append(log.Append{Batch: b})
		return err
	}
	if h.Transactional() {
		err = p.txns.Append(coord.TxnAppend{
			TransactionalID: deref(p.req.TransactionID), ProducerID: h.ProducerID, Epoch: h.ProducerEpoch,
			Partition: coord.TopicPartition{Topic: t.Name, Partition: rp.Partition}, Version: p.version, Write: write,
		})
	} else {
		err = write()
	}
	if err != nil {
		return err
	}
	sp.BaseOffset, sp.LogAppendTime, sp.LogStartOffset = done.BaseOffset, done.AppendTime, done.LogStart
	p.ticket, p.written = max(p.ticket, done.Ticket), true
	return nil
}

// durable waits until all that was written is on disk.
func (p *production) durable(ctx context.Context) error {
	err := p.dir.WaitDurable(ctx, p.ticket)
	if err == nil || ctx.Err() != nil {
		return err
	}
	for i := range p.resp.Topics {
		parts := p.resp.Topics[i].Partitions
		for j := range parts {
			if parts[j].ErrorCode == 0 {
				parts[j].ErrorCode = int16(p.told(code.KafkaStorageError))
				parts[j].BaseOffset, parts[j].LogAppendTime, parts[j].LogStartOffset = -1, -1, -1
			}
		}
	}
	return nil
}

// firstError is what closes a connection whose client asked for no answers.
func (p *production) firstError() error {
	for i := range p.resp.Topics {
		t := &p.resp.Topics[i]
		for j := range t.Partitions {
			if c := t.Partitions[j].ErrorCode; c != 0 {
				return fmt.Errorf("wire: produce with acks=0 from client %q to %q partition %d: %w", p.client, t.Topic, t.Partitions[j].Partition, code.Code(c))
			}
		}
	}
	return nil
}

// rejection is why a batch is refused.
type rejection struct {
	code    code.Code
	text    string
	records []kmsg.ProduceResponseTopicPartitionErrorRecord
}

func (r *rejection) Error() string { return "wire: " + r.text }

// Unwrap returns the code.
func (r *rejection) Unwrap() error { return r.code }

func refuse(c code.Code, format string, args ...any) error {
	return &rejection{code: c, text: fmt.Sprintf(format, args...)}
}

// admit checks a batch as sent and returns it as it is to be stored.
func (p *production) admit(t *meta.Topic, b []byte) ([]byte, *batch.Header, error) {
	rules := t.Rules()
	b, err := p.upgraded(rules, b)
	if err != nil {
		return nil, nil, err
	}
	h, err := batch.Parse(b)
	if err != nil {
		if len(b) > 16 && b[16] != 2 {
			return nil, nil, refuse(code.InvalidRecord, "batch has format %d, only format 2 is taken", b[16])
		}
		return nil, nil, refuse(code.CorruptMessage, "%s", err)
	}
	if h.Size() > int(rules.MaxMessageBytes) {
		return nil, nil, refuse(code.MessageTooLarge, "batch of %d bytes, the most is %d", h.Size(), rules.MaxMessageBytes)
	}
	if err := p.admitHeader(&h, len(b)); err != nil {
		return nil, nil, err
	}
	if err := batch.CheckCRC(b); err != nil {
		return nil, nil, refuse(code.CorruptMessage, "%s", err)
	}
	now := p.cfg.Clock.Now().UnixMilli()
	if !rules.LogAppendTime && h.MaxTimestamp-now > rules.TimestampAfterMs {
		return nil, nil, refuse(code.InvalidTimestamp, "timestamp %d is more than %d ms ahead of the clock", h.MaxTimestamp, rules.TimestampAfterMs)
	}
	if rules.Opened(h.Codec()) {
		if b, err = p.admitRecords(rules, b, &h, now); err != nil {
			return nil, nil, err
		}
	}
	return b, &h, nil
}

// admitHeader checks what a client may say in the header of a batch.
func (p *production) admitHeader(h *batch.Header, size int) error {
	switch {
	case h.Size() != size:
		return refuse(code.InvalidRecord, "%d bytes after the batch: a partition takes one batch a request", size-h.Size())
	case h.BaseOffset != 0:
		return refuse(code.InvalidRecord, "base offset is %d, not 0", h.BaseOffset)
	case h.Count <= 0 || h.LastOffsetDelta != h.Count-1:
		return refuse(code.InvalidRecord, "batch of %d records ends with offset %d", h.Count, h.LastOffsetDelta)
	case h.Control():
		return refuse(code.InvalidRecord, "clients cannot write control records")
	case h.ProducerID >= 0 && (h.BaseSequence < 0 || h.ProducerEpoch < 0):
		return refuse(code.InvalidRecord, "producer %d with epoch %d and sequence %d", h.ProducerID, h.ProducerEpoch, h.BaseSequence)
	case h.Transactional() && h.ProducerID < 0:
		return refuse(code.InvalidRecord, "transactional batch without a producer id")
	case !h.Codec().Valid() || h.Codec() == batch.Zstd && p.version < 7:
		return refuse(code.UnsupportedCompression, "codec %d is not supported in version %d", h.Codec(), p.version)
	}
	return nil
}

// errorCode maps an error of the log, the coordinators or the metadata to what is answered.
func errorCode(err error) code.Code {
	var c code.Code
	switch {
	case err == nil:
		return code.None
	case errors.As(err, &c):
		return c
	case errors.Is(err, log.ErrOutOfRange):
		return code.OffsetOutOfRange
	case errors.Is(err, log.ErrOutOfOrder):
		return code.OutOfOrderSequence
	case errors.Is(err, log.ErrProducerEpoch):
		return code.InvalidProducerEpoch
	case errors.Is(err, log.ErrTxnState):
		return code.InvalidTxnState
	case errors.Is(err, log.ErrOffline), errors.Is(err, log.ErrDiskFull):
		return code.KafkaStorageError
	case errors.Is(err, log.ErrClosed):
		return code.NotLeaderForPartition
	}
	return code.Unknown
}

func deref(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}
