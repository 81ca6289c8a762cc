package wire

import (
	"errors"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/thalweg/thalweg/internal/engine/auth"
	"github.com/thalweg/thalweg/internal/engine/code"
	"github.com/thalweg/thalweg/internal/engine/meta"
)

// CreateTopics: v0-7
//
// Behavior:
//   - A topic is durable and in Metadata before it is answered. Each topic has its own result.
//   - -1 asks for the default number of partitions or replicas. With ClampReplication any replication factor is taken
//     and one replica made; without, only 1 is.
//   - Configs not known are refused. A topic named twice in a request fails.
//
// Version notes:
//   - v1: ValidateOnly, messages
//   - v5: the configs of the topic in the answer
//   - v7: topic ids
const createTopicsShape = "(s i h (i [i]) (s s)) i b@1"

func createTopics(r *request) kmsg.Response {
	req := r.body.(*kmsg.CreateTopicsRequest)
	resp := req.ResponseKind().(*kmsg.CreateTopicsResponse)
	named := make(map[string]int, len(req.Topics))
	for i := range req.Topics {
		named[req.Topics[i].Topic]++
	}
	for i := range req.Topics {
		rt := &req.Topics[i]
		times := named[rt.Topic]
		if times == 0 {
			continue // answered before
		}
		delete(named, rt.Topic)
		st := kmsg.NewCreateTopicsResponseTopic()
		st.Topic, st.NumPartitions, st.ReplicationFactor = rt.Topic, -1, -1
		var err error = &meta.Failure{Code: code.InvalidRequest, Text: "the request names the topic more than once"}
		if times == 1 {
			err = r.createTopic(rt, req.ValidateOnly, &st)
		}
		st.ErrorCode, st.ErrorMessage = topicError(err)
		resp.Topics = append(resp.Topics, st)
	}
	return resp
}

// topicError is how a failure to make or change a topic is answered.
func topicError(err error) (int16, *string) {
	if err == nil {
		return 0, nil
	}
	text := err.Error()
	var f *meta.Failure
	if errors.As(err, &f) {
		text = f.Text
	}
	return int16(errorCode(err)), &text
}

func (r *request) createTopic(rt *kmsg.CreateTopicsRequestTopic, validateOnly bool, st *kmsg.CreateTopicsResponseTopic) error {
	if !r.may(auth.Cluster, auth.ClusterName) {
		if err := r.refused(auth.Topic, rt.Topic); err != nil {
			return err
		}
	}
	spec := meta.Spec{Name: rt.Topic, Partitions: rt.NumPartitions, Replicas: rt.ReplicationFactor, Configs: map[string]string{}}
	for _, c := range rt.Configs {
		if c.Value == nil {
			return &meta.Failure{Code: code.InvalidConfig, Text: "null value of " + c.Name}
		}
		spec.Configs[c.Name] = *c.Value
	}
	if err := r.assignment(rt, &spec); err != nil {
		return err
	}
	if err := r.meta.Check(spec); err != nil {
		return err
	}
	t := &meta.Topic{Name: spec.Name, Partitions: spec.Partitions, Replicas: spec.Replicas, Configs: spec.Configs}
	if !validateOnly {
		var err error
		if t, err = r.meta.Create(spec); err != nil {
			return err
		}
	}
	st.TopicID = t.ID
	if !r.mayAlso(auth.DescribeConfigs, auth.Topic, t.Name) {
		st.ConfigErrorCode = int16(code.TopicAuthorizationFailed)
		return nil
	}
	st.NumPartitions, st.ReplicationFactor = t.Partitions, max(t.Replicas, 1)
	st.Configs = []kmsg.CreateTopicsResponseTopicConfig{}
	for i := range meta.TopicConfigs {
		c := &meta.TopicConfigs[i]
		x := kmsg.NewCreateTopicsResponseTopicConfig()
		value := t.Value(c.Name)
		x.Name, x.Value, x.Source = c.Name, &value, int8(r.configSource(t, c.Name))
		st.Configs = append(st.Configs, x)
	}
	return nil
}

// assignment settles partitions and replicas: from the numbers, or from an assignment by hand.
func (r *request) assignment(rt *kmsg.CreateTopicsRequestTopic, spec *meta.Spec) error {
	if len(rt.ReplicaAssignment) > 0 {
		if spec.Partitions != -1 || spec.Replicas != -1 {
			return &meta.Failure{Code: code.InvalidRequest, Text: "both a number of partitions or replicas and an assignment are given"}
		}
		seen := make([]bool, len(rt.ReplicaAssignment))
		for _, a := range rt.ReplicaAssignment {
			if a.Partition < 0 || int(a.Partition) >= len(seen) || seen[a.Partition] {
				return &meta.Failure{Code: code.InvalidReplicaAssignment, Text: "the partitions assigned are not 0 to n-1, each once"}
			}
			seen[a.Partition] = true
			if len(a.Replicas) != 1 || a.Replicas[0] != nodeID {
				return &meta.Failure{Code: code.InvalidReplicaAssignment, Text: "a partition has one replica, on the only broker"}
			}
		}
		spec.Partitions, spec.Replicas = int32(len(seen)), 1
		return nil
	}
	if spec.Partitions == -1 {
		spec.Partitions = r.cfg.DefaultPartitions
	}
	if spec.Replicas == -1 {
		spec.Replicas = 1
	}
	if spec.Replicas < 1 || spec.Replicas > 1 && !r.cfg.ClampReplication {
		return &meta.Failure{Code: code.InvalidReplicationFactor, Text: "the replication factor must be 1: there is one broker"}
	}
	return nil
}
