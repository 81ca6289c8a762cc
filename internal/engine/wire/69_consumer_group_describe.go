package wire

import (
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/thalweg/thalweg/internal/engine/auth"
	"github.com/thalweg/thalweg/internal/engine/code"
	"github.com/thalweg/thalweg/internal/engine/coord"
)

// ConsumerGroupDescribe: v0-1
//
// Behavior:
//   - Groups by KIP-848 alone; others are GROUP_ID_NOT_FOUND, which has clients ask by DescribeGroups. A group with
//     topics that the client may not know of is refused as a whole.
//
// Version notes:
//   - v1: the kind of each member, by the protocol it speaks
const consumerGroupDescribeShape = "[s] b"

// Kinds of members, by the protocol they speak.
const (
	classicMember  = 0
	consumerMember = 1
)

func consumerGroupDescribe(r *request) kmsg.Response {
	req := r.body.(*kmsg.ConsumerGroupDescribeRequest)
	resp := req.ResponseKind().(*kmsg.ConsumerGroupDescribeResponse)
	resp.Groups = make([]kmsg.ConsumerGroupDescribeResponseGroup, 0, len(req.Groups))
	seen := once[string]{}
	for _, id := range req.Groups {
		if !seen.first(id) {
			continue
		}
		sg := kmsg.NewConsumerGroupDescribeResponseGroup()
		sg.Group = id
		c := r.refusal(auth.Group, id)
		if c == code.None {
			c = r.describeConsumers(id, &sg)
		}
		if c == code.None {
			sg.AuthorizedOperations = r.authorized(req.IncludeAuthorizedOperations, auth.Group, id)
		} else {
			sg.ErrorCode, sg.Members = int16(c), nil
		}
		resp.Groups = append(resp.Groups, sg)
	}
	return resp
}

func (r *request) describeConsumers(id string, sg *kmsg.ConsumerGroupDescribeResponseGroup) code.Code {
	d, c := r.groups.DescribeConsumers(id)
	if c != code.None {
		return c
	}
	sg.State, sg.Epoch, sg.AssignmentEpoch, sg.AssignorName = d.State, d.Epoch, d.Assignment, d.Assignor
	for i := range d.Members {
		m := &d.Members[i]
		sm := kmsg.NewConsumerGroupDescribeResponseGroupMember()
		sm.MemberID, sm.MemberEpoch, sm.ClientID, sm.ClientHost, sm.SubscribedTopics = m.ID, m.Epoch, m.Client, m.Host, m.Topics
		if m.Instance != "" {
			sm.InstanceID = &m.Instance
		}
		if m.Rack != "" {
			sm.RackID = &m.Rack
		}
		if m.Regex != "" {
			sm.SubscribedTopicRegex = &m.Regex
		}
		sm.MemberType = consumerMember
		if m.Classic {
			sm.MemberType = classicMember
		}
		var mayAssigned, mayTarget bool
		sm.Assignment, mayAssigned = r.namedPartitions(m.Assigned)
		sm.TargetAssignment, mayTarget = r.namedPartitions(m.Target)
		if !mayAssigned || !mayTarget {
			return code.TopicAuthorizationFailed
		}
		sg.Members = append(sg.Members, sm)
	}
	return code.None
}

// namedPartitions names partitions by topic, and reports whether the client may know of all.
func (r *request) namedPartitions(ps []coord.IDPartition) (a kmsg.Assignment, may bool) {
	for _, p := range ps {
		t := r.meta.TopicByID(p.Topic)
		if t == nil {
			continue // deleted
		}
		if !r.may(auth.Topic, t.Name) {
			return a, false
		}
		if n := len(a.TopicPartitions); n == 0 || a.TopicPartitions[n-1].TopicID != p.Topic {
			x := kmsg.NewAssignmentTopicPartition()
			x.TopicID, x.Topic = p.Topic, t.Name
			a.TopicPartitions = append(a.TopicPartitions, x)
		}
		x := &a.TopicPartitions[len(a.TopicPartitions)-1]
		x.Partitions = append(x.Partitions, p.Partition)
	}
	return a, true
}
