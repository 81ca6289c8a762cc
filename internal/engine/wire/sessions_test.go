package wire

import (
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// TestSessionForgetsWhatIsNamedToo names a partition and forgets it in one request: Kafka adds first (KIP-227).
func TestSessionForgetsWhatIsNamedToo(t *testing.T) {
	s := newTestServer(t)
	req := fetchOf(12, 0, []string{"t"})
	req.SessionEpoch = initialEpoch
	r, _ := exchange(t.Context(), s, frameOf(req, 0), nil)
	id := r.resp.(*kmsg.FetchResponse).SessionID
	if id == noSession || len(s.sessions.m[id].order) != 1 {
		t.Fatalf("session %d without its partition", id)
	}
	req.SessionID, req.SessionEpoch = id, 1
	forgotten := kmsg.NewFetchRequestForgottenTopic()
	forgotten.Topic, forgotten.Partitions = "t", []int32{0}
	req.ForgottenTopics = append(req.ForgottenTopics, forgotten)
	exchange(t.Context(), s, frameOf(req, 0), nil)
	if n := len(s.sessions.m[id].order); n != 0 {
		t.Errorf("%d partitions are left, want none", n)
	}
}

// TestSessionSaysThatItIsFull fills a session: what it has can be changed, more cannot be added in silence.
func TestSessionSaysThatItIsFull(t *testing.T) {
	parts := make([]*wanted, maxSessionSize)
	for i := range parts {
		parts[i] = &wanted{key: sessionKey{topic: "t", partition: int32(i)}}
	}
	f := newSessions(realClock{}).create(false, parts)
	if f == nil {
		t.Fatalf("a session of %d partitions was not made", len(parts))
	}
	if f.put(&wanted{key: sessionKey{topic: "t", partition: maxSessionSize}}) {
		t.Error("one more was taken")
	}
	if !f.put(&wanted{key: sessionKey{topic: "t"}, offset: 7}) || f.entries[sessionKey{topic: "t"}].offset != 7 {
		t.Error("one of those that are there was not changed")
	}
}
