package wire

import (
	"maps"
	"slices"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/thalweg/thalweg/internal/engine/auth"
	"github.com/thalweg/thalweg/internal/engine/code"
	"github.com/thalweg/thalweg/internal/engine/meta"
)

// DescribeTopicPartitions: v0
//
// Behavior:
//   - Topics by name, all if none is named, from the cursor on and up to the limit of partitions.
const describeTopicPartitionsShape = "(s) i <s i>"

// describeLimit is the most partitions of one response.
const describeLimit = 2000

func describeTopicPartitions(r *request) kmsg.Response {
	req := r.body.(*kmsg.DescribeTopicPartitionsRequest)
	resp := req.ResponseKind().(*kmsg.DescribeTopicPartitionsResponse)
	names := map[string]bool{}
	for i := range req.Topics {
		names[req.Topics[i].Topic] = true
	}
	if len(req.Topics) == 0 {
		for _, t := range r.meta.Topics() {
			if r.may(auth.Topic, t.Name) {
				names[t.Name] = true
			}
		}
	}
	from, first := "", int32(0)
	if req.Cursor != nil {
		from, first = req.Cursor.Topic, max(req.Cursor.Partition, 0)
	}
	left := int32(describeLimit)
	if req.ResponsePartitionLimit > 0 {
		left = min(left, req.ResponsePartitionLimit)
	}
	for _, name := range slices.Sorted(maps.Keys(names)) {
		if name < from {
			continue
		}
		start := int32(0)
		if name == from {
			start = first
		}
		if left == 0 {
			resp.NextCursor = &kmsg.DescribeTopicPartitionsResponseNextCursor{Topic: name, Partition: start}
			break
		}
		st, next := r.describeTopicPartition(name, start, left)
		left -= int32(len(st.Partitions))
		resp.Topics = append(resp.Topics, st)
		if next >= 0 {
			resp.NextCursor = &kmsg.DescribeTopicPartitionsResponseNextCursor{Topic: name, Partition: next}
			break
		}
	}
	return resp
}

// describeTopicPartition describes up to limit partitions of a topic; next is the first left out, -1 if none is.
func (r *request) describeTopicPartition(name string, start, limit int32) (st kmsg.DescribeTopicPartitionsResponseTopic, next int32) {
	st = kmsg.NewDescribeTopicPartitionsResponseTopic()
	st.Topic, st.AuthorizedOperations = &name, noOperations
	if c := r.refusal(auth.Topic, name); c != code.None {
		st.ErrorCode = int16(c)
		return st, -1
	}
	t := r.meta.Topic(name)
	if t == nil {
		err := meta.CheckName(name)
		if st.ErrorCode = int16(errorCode(err)); err == nil {
			st.ErrorCode = int16(code.UnknownTopicOrPartition)
		}
		return st, -1
	}
	st.TopicID, st.IsInternal = t.ID, t.Internal()
	st.AuthorizedOperations = r.authorized(true, auth.Topic, name)
	self := []int32{nodeID}
	for i := start; i < t.Partitions; i++ {
		if i-start == limit {
			return st, i
		}
		p := kmsg.NewDescribeTopicPartitionsResponseTopicPartition()
		p.Partition, p.LeaderID, p.LeaderEpoch = i, nodeID, r.dir.LeaderEpoch()
		p.Replicas, p.ISR, p.OfflineReplicas = self, self, []int32{}
		p.EligibleLeaderReplicas, p.LastKnownELR = []int32{}, []int32{}
		st.Partitions = append(st.Partitions, p)
	}
	return st, -1
}
