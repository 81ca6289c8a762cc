package wire

import (
	"cmp"
	"slices"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/thalweg/thalweg/internal/engine/auth"
	"github.com/thalweg/thalweg/internal/engine/code"
	"github.com/thalweg/thalweg/internal/engine/coord"
	"github.com/thalweg/thalweg/internal/engine/log"
)

// OffsetFetch: v0-10
//
// Behavior:
//   - A partition without an offset is answered -1. A null list of topics asks for all that have one.
//   - With RequireStable a partition whose offset an open transaction holds is UNSTABLE_OFFSET_COMMIT.
//   - What is answered is durable.
//
// Version notes:
//   - v2: all topics; an error for the whole
//   - v7: RequireStable
//   - v8: several groups
//   - v9: a member of a group by KIP-848 names itself and its epoch
//   - v10: topics by id
const offsetFetchShape = "s@0-7 (@0-7 s [i]) (@8 s s@9 i@9 (s@8-9 u@10 [i])) b@7"

func offsetFetch(r *request) kmsg.Response {
	req := r.body.(*kmsg.OffsetFetchRequest)
	resp := req.ResponseKind().(*kmsg.OffsetFetchResponse)
	if r.version < 8 {
		r.offsetFetchOne(req, resp)
		return resp
	}
	var last log.Ticket
	resp.Groups = make([]kmsg.OffsetFetchResponseGroup, 0, len(req.Groups))
	seen := once[string]{}
	for i := range req.Groups {
		if !seen.first(req.Groups[i].Group) {
			continue
		}
		sg, t := r.offsetFetchGroup(&req.Groups[i], req.RequireStable)
		last = max(last, t)
		resp.Groups = append(resp.Groups, sg)
	}
	r.settle(last, func(c code.Code) {
		for i := range resp.Groups {
			resp.Groups[i].ErrorCode, resp.Groups[i].Topics = int16(c), nil
		}
	})
	return resp
}

// offsetFetchOne answers the versions that ask for one group.
func (r *request) offsetFetchOne(req *kmsg.OffsetFetchRequest, resp *kmsg.OffsetFetchResponse) {
	var parts []coord.TopicPartition
	if req.Topics != nil || r.version < 2 {
		parts = []coord.TopicPartition{}
	}
	whole := r.refusal(auth.Group, req.Group)
	var hidden []coord.Fetched
	for i := range req.Topics {
		rt := &req.Topics[i]
		for _, p := range rt.Partitions {
			tp := coord.TopicPartition{Topic: rt.Topic, Partition: p}
			if c := cmp.Or(whole, r.refusal(auth.Topic, rt.Topic)); c == code.None {
				parts = append(parts, tp)
			} else if whole == code.None || r.version < 2 { // which has no error for the whole
				hidden = append(hidden, coord.Fetched{TopicPartition: tp, Offset: -1, LeaderEpoch: -1, Code: c})
			}
		}
	}
	if whole != code.None {
		parts = []coord.TopicPartition{}
	}
	found, ticket, c := r.groups.Fetch(req.Group, parts, req.RequireStable)
	resp.ErrorCode = int16(cmp.Or(whole, c))
	found = append(slices.DeleteFunc(found, func(f coord.Fetched) bool { return !r.may(auth.Topic, f.Topic) }), hidden...)
	for i, f := range found {
		if n := len(resp.Topics); n == 0 || resp.Topics[n-1].Topic != f.Topic {
			st := kmsg.NewOffsetFetchResponseTopic()
			st.Topic = f.Topic
			st.Partitions = make([]kmsg.OffsetFetchResponseTopicPartition, 0, ofTopic(found[i:]))
			resp.Topics = append(resp.Topics, st)
		}
		sp := kmsg.NewOffsetFetchResponseTopicPartition()
		sp.Partition, sp.Offset, sp.LeaderEpoch, sp.Metadata, sp.ErrorCode = f.Partition, f.Offset, f.LeaderEpoch, &f.Metadata, int16(f.Code)
		st := &resp.Topics[len(resp.Topics)-1]
		st.Partitions = append(st.Partitions, sp)
	}
	r.settle(ticket, func(c code.Code) {
		resp.ErrorCode = int16(c)
		for i := range resp.Topics {
			for j := range resp.Topics[i].Partitions {
				resp.Topics[i].Partitions[j].ErrorCode = int16(c)
			}
		}
	})
}

func (r *request) offsetFetchGroup(rg *kmsg.OffsetFetchRequestGroup, stable bool) (kmsg.OffsetFetchResponseGroup, log.Ticket) {
	sg := kmsg.NewOffsetFetchResponseGroup()
	sg.Group = rg.Group
	if c := r.refusal(auth.Group, rg.Group); c != code.None {
		sg.ErrorCode = int16(c)
		return sg, 0
	}
	if c := r.groups.CheckMember(rg.Group, rg.MemberID, rg.MemberEpoch); c != code.None {
		sg.ErrorCode = int16(c)
		return sg, 0
	}
	byID := r.version >= 10
	ids := map[string][16]byte{}
	var parts []coord.TopicPartition
	if rg.Topics != nil {
		n := 0
		for i := range rg.Topics {
			n += len(rg.Topics[i].Partitions)
		}
		parts = make([]coord.TopicPartition, 0, n)
	}
	for i := range rg.Topics {
		rt := &rg.Topics[i]
		name := rt.Topic
		var c code.Code
		if !byID {
			c = r.refusal(auth.Topic, name)
		} else if t, unreached := r.reach("", rt.TopicID, true); t == nil {
			c = unreached
		} else {
			name = t.Name
			ids[name] = t.ID
		}
		if c != code.None {
			sg.Topics = append(sg.Topics, unreachedOffsets(rt, c))
			continue
		}
		for _, p := range rt.Partitions {
			parts = append(parts, coord.TopicPartition{Topic: name, Partition: p})
		}
	}
	found, ticket, c := r.groups.Fetch(rg.Group, parts, stable)
	sg.ErrorCode = int16(c)
	last := ""
	for i, f := range found {
		if rg.Topics == nil && !r.may(auth.Topic, f.Topic) {
			continue
		}
		if byID && rg.Topics == nil {
			t := r.meta.Topic(f.Topic)
			if t == nil {
				continue // deleted this moment
			}
			ids[f.Topic] = t.ID
		}
		if n := len(sg.Topics); n == 0 || last != f.Topic {
			st := kmsg.NewOffsetFetchResponseGroupTopic()
			st.Topic, st.TopicID = f.Topic, ids[f.Topic]
			st.Partitions = make([]kmsg.OffsetFetchResponseGroupTopicPartition, 0, ofTopic(found[i:]))
			sg.Topics = append(sg.Topics, st)
			last = f.Topic
		}
		sp := kmsg.NewOffsetFetchResponseGroupTopicPartition()
		sp.Partition, sp.Offset, sp.LeaderEpoch, sp.Metadata, sp.ErrorCode = f.Partition, f.Offset, f.LeaderEpoch, &f.Metadata, int16(f.Code)
		st := &sg.Topics[len(sg.Topics)-1]
		st.Partitions = append(st.Partitions, sp)
	}
	return sg, ticket
}

// ofTopic returns how many at the start of found are of one topic.
func ofTopic(found []coord.Fetched) (n int) {
	for n < len(found) && found[n].Topic == found[0].Topic {
		n++
	}
	return n
}

// unreachedOffsets answers a topic whose id is not known, or that the client may not describe.
func unreachedOffsets(rt *kmsg.OffsetFetchRequestGroupTopic, c code.Code) kmsg.OffsetFetchResponseGroupTopic {
	st := kmsg.NewOffsetFetchResponseGroupTopic()
	st.Topic, st.TopicID = rt.Topic, rt.TopicID
	for _, p := range rt.Partitions {
		sp := kmsg.NewOffsetFetchResponseGroupTopicPartition()
		sp.Partition, sp.Offset, sp.LeaderEpoch, sp.Metadata = p, -1, -1, kmsg.StringPtr("")
		sp.ErrorCode = int16(c)
		st.Partitions = append(st.Partitions, sp)
	}
	return st
}
