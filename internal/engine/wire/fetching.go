package wire

import (
	"context"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/thalweg/thalweg/internal/engine/code"
	"github.com/thalweg/thalweg/internal/engine/log"
	"github.com/thalweg/thalweg/internal/engine/meta"
)

// fetching is a fetch request being served.
type fetching struct {
	*request
	req         *kmsg.FetchRequest
	resp        *kmsg.FetchResponse
	byID        bool
	maxBytes    int32
	session     *session // nil: none
	incremental bool     // unchanged partitions are left out of the response
	parts       []*fetched
	sets        messageSets // versions 0 to 3
}

// fetched is one partition of a fetch.
type fetched struct {
	want *wanted // of the session: its changing fields are touched under the session's lock only
	wanted
	topic *meta.Topic
	log   *log.Partition
	from  int64 // where reading begins: offset, or behind what the client would not see
	seen  bool  // there is something at from that it sees
	answ  kmsg.FetchResponseTopicPartition
}

// resolve settles what is to be fetched: from the request alone, or from the session it belongs to.
func (f *fetching) resolve() code.Code {
	id, epoch := f.req.SessionID, f.req.SessionEpoch
	if f.version < 7 {
		id, epoch = noSession, finalEpoch
	}
	switch epoch {
	case finalEpoch, initialEpoch:
		if id != noSession {
			f.sessions.remove(id)
		}
		list := f.listed()
		if epoch == initialEpoch {
			f.session = f.sessions.create(f.byID, list)
		}
		if f.session != nil {
			f.resp.SessionID = f.session.id
		}
		f.take(list)
		return code.None
	}
	s, c := f.sessions.enter(id, epoch, f.byID)
	if c != code.None {
		return c
	}
	defer s.mu.Unlock()
	f.session, f.incremental, f.resp.SessionID = s, true, s.id
	for _, w := range f.listed() {
		if !s.put(w) {
			f.sessions.remove(id)
			return code.FetchSessionIDNotFound
		}
	}
	s.forget(f.forgotten())
	f.take(s.order)
	return code.None
}

// listed returns the partitions the request names.
func (f *fetching) listed() []*wanted {
	n := 0
	for i := range f.req.Topics {
		n += len(f.req.Topics[i].Partitions)
	}
	all, block := make([]*wanted, 0, n), make([]wanted, n)
	for i := range f.req.Topics {
		t := &f.req.Topics[i]
		for j := range t.Partitions {
			p := &t.Partitions[j]
			w := &block[len(all)]
			*w = wanted{
				key:    sessionKey{topic: t.Topic, id: t.TopicID, partition: p.Partition},
				offset: p.FetchOffset, max: p.PartitionMaxBytes,
				currentEpoch: -1, lastEpoch: -1, highWatermark: -1, logStart: -1,
			}
			if f.version >= 9 {
				w.currentEpoch = p.CurrentLeaderEpoch
			}
			if f.version >= 12 {
				w.lastEpoch = p.LastFetchedEpoch
			}
			all = append(all, w)
		}
	}
	return all
}

func (f *fetching) forgotten() []sessionKey {
	var keys []sessionKey
	for i := range f.req.ForgottenTopics {
		t := &f.req.ForgottenTopics[i]
		for _, p := range t.Partitions {
			keys = append(keys, sessionKey{topic: t.Topic, id: t.TopicID, partition: p})
		}
	}
	return keys
}

func (f *fetching) take(list []*wanted) {
	f.parts = make([]*fetched, len(list))
	block := make([]fetched, len(list))
	for i, w := range list {
		p := &block[i]
		p.want, p.wanted, p.from = w, *w, w.offset
		f.parts[i] = p
	}
}

// run waits for enough to read and reads it.
func (f *fetching) run(ctx context.Context) error {
	if err := f.wait(ctx); err != nil {
		return err
	}
	if f.version < firstBatches {
		f.readSets()
	} else {
		f.readAll()
	}
	f.respond()
	return nil
}

// mostLooks is how often a request looks at a partition before it is answered, due or not: each write to one has it look at
// all of them.
const mostLooks = 64 << 10

// wait returns when the answer is due.
func (f *fetching) wait(ctx context.Context) error {
	if f.due() || f.req.MaxWaitMillis <= 0 {
		return nil
	}
	var ids []log.ID
	for _, p := range f.parts {
		if p.log != nil {
			ids = append(ids, p.log.ID())
		}
	}
	w := f.waiters.add(ids)
	defer f.waiters.remove(w)
	over := make(chan struct{})
	stop := f.cfg.Clock.AfterFunc(time.Duration(f.req.MaxWaitMillis)*time.Millisecond, func() { close(over) })
	defer stop()
	defer f.idles(f.cfg.Clock.Now())
	for looks := 0; looks < mostLooks && !f.due(); looks += len(f.parts) {
		select {
		case <-w.woken:
		case <-over:
			return nil
		case <-f.ctx.Done(): // the server closes: answer with what there is
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// due reports whether there is enough to answer, or something a client must hear of at once.
func (f *fetching) due() bool {
	if len(f.parts) == 0 {
		return true
	}
	bytes := int64(0)
	for _, p := range f.parts {
		f.look(p)
		if p.answ.ErrorCode != 0 || p.answ.DivergingEpoch.EndOffset >= 0 {
			return true
		}
		if f.version < firstBatches {
			f.withDown(func() { f.pass(p) })
		}
		if n := p.log.Available(p.from, f.committed()); n > 0 {
			bytes += min(n, int64(max(p.max, 1)))
		}
	}
	return bytes >= int64(f.req.MinBytes)
}

func (f *fetching) committed() bool { return f.req.IsolationLevel == 1 }

// look finds the partition's log and checks what can be checked without reading.
func (f *fetching) look(p *fetched) {
	p.answ = kmsg.NewFetchResponseTopicPartition()
	a := &p.answ
	a.Partition = p.key.partition
	a.HighWatermark, a.LastStableOffset, a.LogStartOffset = -1, -1, -1
	var c code.Code
	p.topic, c = f.reach(p.key.topic, p.key.id, f.byID)
	if p.log = f.meta.Partition(p.topic, p.key.partition); p.log == nil {
		if p.topic != nil {
			c = code.UnknownTopicOrPartition
		}
		a.ErrorCode = int16(c)
		return
	}
	if c := f.checkEpoch(p.currentEpoch); c != code.None {
		a.ErrorCode = int16(c)
		return
	}
	at := p.log.Offsets()
	a.HighWatermark, a.LastStableOffset, a.LogStartOffset = at.HW, at.LSO, at.Start
	if p.lastEpoch >= 0 {
		if epoch, end := p.log.EndOfEpoch(p.lastEpoch); epoch < p.lastEpoch || end < p.offset {
			a.DivergingEpoch.Epoch, a.DivergingEpoch.EndOffset = epoch, end
			return
		}
	}
	if p.offset < at.Start || p.offset > at.End {
		a.ErrorCode = int16(code.OffsetOutOfRange)
	}
}

// checkEpoch compares a client's idea of the leader epoch with ours; -1 is none.
func (s *Server) checkEpoch(epoch int32) code.Code {
	switch now := s.dir.LeaderEpoch(); {
	case epoch < 0 || epoch == now:
		return code.None
	case epoch < now:
		return code.FencedLeaderEpoch
	}
	return code.UnknownLeaderEpoch
}

// mostReading is what reading may cost, as log.Chunk.Work counts, before no further partition is read: half of a request's share,
// since so many partitions cost as much beside it.
const mostReading = mostWork / 2

// readAll reads the partitions in their order within the limits.
func (f *fetching) readAll() {
	for _, p := range f.parts {
		f.look(p)
	}
	f.sizeHint = 64*len(f.parts) + 256
	var buf []byte // the newest of f.buffers: what is read goes into the rest of it
	left, first, work := f.maxBytes, true, 0
	for i, p := range f.parts {
		if p.answ.ErrorCode != 0 || p.answ.DivergingEpoch.EndOffset >= 0 {
			continue
		}
		limit := min(max(p.max, 0), left)
		if (limit == 0 || work > mostReading) && !first {
			continue // its session comes to it next
		}
		if room := f.expected(p, limit); cap(buf)-len(buf) < room {
			buf = getBuffer(max(room, min(f.ahead(i, left), 1<<largestClass)))
			f.buffers = append(f.buffers, buf)
		}
		chunk, err := p.log.Read(log.Read{
			Offset: p.offset, Max: limit, MinOne: first, Committed: f.committed(), Buf: buf[len(buf):],
		})
		if err != nil {
			p.answ.ErrorCode = int16(errorCode(err))
			continue
		}
		f.took(p, &chunk)
		work += chunk.Work
		if n := len(chunk.Data); n > 0 {
			first = false
			left = max(left-int32(n), 0)
			if n <= cap(buf)-len(buf) && &chunk.Data[0] == &buf[:len(buf)+1][len(buf)] {
				buf = buf[:len(buf)+n]
			}
		}
	}
}

// expected is how many bytes will be read of a partition, roughly.
func (f *fetching) expected(p *fetched, limit int32) int {
	return int(min(p.log.Available(p.offset, f.committed()), int64(limit)))
}

// ahead is how many bytes will be read of the partitions from the given one on, roughly.
func (f *fetching) ahead(from int, left int32) int {
	n := 0
	for _, p := range f.parts[from:] {
		if p.answ.ErrorCode == 0 {
			n += f.expected(p, max(p.max, 0))
		}
	}
	return min(n, int(left))
}

func (f *fetching) took(p *fetched, c *log.Chunk) {
	a := &p.answ
	a.HighWatermark, a.LastStableOffset, a.LogStartOffset = c.Offsets.HW, c.Offsets.LSO, c.Offsets.Start
	a.RecordBatches = c.Data
	for _, t := range c.Aborted {
		x := kmsg.NewFetchResponseTopicPartitionAbortedTransaction()
		x.ProducerID, x.FirstOffset = t.ProducerID, t.First
		a.AbortedTransactions = append(a.AbortedTransactions, x)
	}
}

// respond puts together the response and moves the session on.
func (f *fetching) respond() {
	if f.session != nil {
		f.session.mu.Lock()
		defer f.session.mu.Unlock()
	}
	index := map[sessionKey]int{} // of the topic, by its key
	var all map[sessionKey]int    // partitions of a topic, if all are answered
	if !f.incremental {
		all = map[sessionKey]int{}
		for _, p := range f.parts {
			all[p.key.ofTopic()]++
		}
	}
	for _, p := range f.parts {
		a := &p.answ
		changed := a.ErrorCode != 0 || a.DivergingEpoch.EndOffset >= 0 || len(a.RecordBatches) > 0 ||
			a.HighWatermark != p.want.highWatermark || a.LogStartOffset != p.want.logStart
		if f.incremental && !changed {
			continue
		}
		p.want.highWatermark, p.want.logStart = a.HighWatermark, a.LogStartOffset
		if a.ErrorCode != 0 {
			p.want.highWatermark = -1 // so that the end of the error is told, too
		}
		if a.RecordBatches == nil {
			a.RecordBatches = []byte{}
		}
		key := p.key.ofTopic()
		i, ok := index[key]
		if !ok {
			i = len(f.resp.Topics)
			index[key] = i
			t := kmsg.NewFetchResponseTopic()
			t.Topic, t.TopicID = p.key.topic, p.key.id
			t.Partitions = make([]kmsg.FetchResponseTopicPartition, 0, all[key])
			f.resp.Topics = append(f.resp.Topics, t)
		}
		f.resp.Topics[i].Partitions = append(f.resp.Topics[i].Partitions, *a)
	}
	if f.session != nil {
		f.rotate()
	}
}

// rotate moves what was served behind the rest of the session.
func (f *fetching) rotate() {
	had := map[*wanted]bool{}
	for _, p := range f.parts {
		if len(p.answ.RecordBatches) > 0 {
			had[p.want] = true
		}
	}
	if len(had) > 0 && len(had) < len(f.session.order) {
		f.session.served(func(w *wanted) bool { return had[w] })
	}
}
