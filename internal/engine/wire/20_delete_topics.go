package wire

import (
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/thalweg/thalweg/internal/engine/auth"
	"github.com/thalweg/thalweg/internal/engine/code"
	"github.com/thalweg/thalweg/internal/engine/meta"
)

// DeleteTopics: v0-6
//
// Behavior:
//   - The topic is gone, durably, when it is answered; the groups' offsets for it go with it, and waiting fetches end.
//
// Version notes:
//   - v6: topics by name or id
const deleteTopicsShape = "[@0-5 s] (@6 s u) i"

func deleteTopics(r *request) kmsg.Response {
	req := r.body.(*kmsg.DeleteTopicsRequest)
	resp := req.ResponseKind().(*kmsg.DeleteTopicsResponse)
	for _, name := range req.TopicNames {
		st := kmsg.NewDeleteTopicsResponseTopic()
		st.Topic = &name
		t := r.meta.Topic(name)
		st.ErrorCode, st.ErrorMessage = topicError(r.deleteTopic(t, name, code.UnknownTopicOrPartition))
		resp.Topics = append(resp.Topics, st)
	}
	for i := range req.Topics {
		rt := &req.Topics[i]
		st := kmsg.NewDeleteTopicsResponseTopic()
		st.Topic, st.TopicID = rt.Topic, rt.TopicID
		name := deref(rt.Topic)
		var t *meta.Topic
		unknown := code.UnknownTopicOrPartition
		if rt.Topic != nil {
			t = r.meta.Topic(name)
		} else {
			t, unknown = r.meta.TopicByID(rt.TopicID), code.UnknownTopicID
		}
		if t != nil {
			name = t.Name
		}
		if t != nil && r.mayAlso(auth.Describe, auth.Topic, name) {
			st.Topic, st.TopicID = &name, t.ID
		}
		st.ErrorCode, st.ErrorMessage = topicError(r.deleteTopic(t, name, unknown))
		resp.Topics = append(resp.Topics, st)
	}
	return resp
}

func (r *request) deleteTopic(t *meta.Topic, name string, unknown code.Code) error {
	if t != nil || unknown != code.UnknownTopicID {
		if err := r.refused(auth.Topic, name); err != nil {
			return err
		}
	}
	if t == nil {
		return &meta.Failure{Code: unknown, Text: "there is no such topic"}
	}
	if t.Internal() {
		return &meta.Failure{Code: code.InvalidTopic, Text: "the coordinators' topics cannot be deleted"}
	}
	if err := r.meta.Delete(t.Name); err != nil {
		return err
	}
	r.groups.ForgetTopic(t.Name)
	for i := range t.Partitions {
		r.waiters.wake(t.Log(i))
	}
	return nil
}
