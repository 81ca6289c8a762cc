package wire

import (
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/thalweg/thalweg/internal/engine/code"
)

// TestErrorInResponses finds the first code, wherever in a response it stands, without allocating.
func TestErrorInResponses(t *testing.T) {
	const want = code.UnknownTopicOrPartition
	n := int16(want)
	produced := &kmsg.ProduceResponse{Topics: []kmsg.ProduceResponseTopic{{Partitions: []kmsg.ProduceResponseTopicPartition{{}, {ErrorCode: n}}}}}
	fetched := &kmsg.FetchResponse{Topics: []kmsg.FetchResponseTopic{{Partitions: []kmsg.FetchResponseTopicPartition{{}}}, {Partitions: []kmsg.FetchResponseTopicPartition{{ErrorCode: n}}}}}
	group := kmsg.OffsetFetchResponseGroup{Topics: []kmsg.OffsetFetchResponseGroupTopic{{Partitions: []kmsg.OffsetFetchResponseGroupTopicPartition{{ErrorCode: n}}}}}
	for name, resp := range map[string]kmsg.Response{
		"produce": produced, "fetch": fetched, "a fetch's own": &kmsg.FetchResponse{ErrorCode: n}, "heartbeat": &kmsg.HeartbeatResponse{ErrorCode: n},
		"metadata": &kmsg.MetadataResponse{Topics: []kmsg.MetadataResponseTopic{{}, {ErrorCode: n}}}, "offsets": &kmsg.OffsetFetchResponse{Groups: []kmsg.OffsetFetchResponseGroup{{}, group}},
	} {
		got := code.None
		if allocs := testing.AllocsPerRun(100, func() { got = errorIn(resp) }); got != want || allocs != 0 {
			t.Errorf("%s: %v, %v allocations", name, got, allocs)
		}
	}
	for key := range apis {
		if got := errorIn(kmsg.ResponseForKey(key)); got != code.None {
			t.Errorf("an empty response of api %d has %v", key, got)
		}
	}
}

// TestCountingAllocatesNothing counts an answer and its time.
func TestCountingAllocatesNothing(t *testing.T) {
	c, began := newCounters(), time.Now()
	r := &request{api: apis[0], resp: &kmsg.ProduceResponse{}, began: began, idle: time.Second}
	n := testing.AllocsPerRun(100, func() {
		c.answered(r)
		c.took(r, began.Add(3*time.Second))
	})
	got := c.requests[0].times.Counts()
	if runs := got.Sum / (2 * time.Second); n != 0 || runs < 100 || c.requests[0].codes[1].Load() != uint64(runs) {
		t.Errorf("%v allocations, times %+v", n, got)
	}
}
