package wire

import (
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/thalweg/thalweg/internal/engine/auth"
	"github.com/thalweg/thalweg/internal/engine/code"
	"github.com/thalweg/thalweg/internal/engine/meta"
)

// Metadata: v0-13
//
// Behavior:
//   - One broker, which is the controller, at the address of the listener the client came by.
//   - A topic that may be made on first use is made first and then answered with its leader.
//   - A topic named twice is answered once.
//   - Topics that the client may not describe are left out of all topics, and refused by name.
//
// Version notes:
//   - v0: an empty list asks for all topics; from v1 on null does, and empty asks for none
//   - v4: AllowAutoTopicCreation; before it every request allows it
//   - v10: topic ids; v12: topics asked for by id alone
const metadataShape = "(u@10 s) b@4 b@8-10 b@8"

func metadata(r *request) kmsg.Response {
	req := r.body.(*kmsg.MetadataRequest)
	resp := req.ResponseKind().(*kmsg.MetadataResponse)
	b := kmsg.NewMetadataResponseBroker()
	b.NodeID, b.Host, b.Port = nodeID, r.conn.addr.host, r.conn.addr.port
	resp.Brokers = append(resp.Brokers, b)
	resp.ClusterID = kmsg.StringPtr(r.meta.ClusterID())
	resp.ControllerID = nodeID
	resp.AuthorizedOperations = r.authorizedCluster(req.IncludeClusterAuthorizedOperations)
	if req.Topics == nil || r.version == 0 && len(req.Topics) == 0 {
		for _, t := range r.meta.Topics() {
			if r.may(auth.Topic, t.Name) {
				resp.Topics = append(resp.Topics, r.metadataTopic(t))
			}
		}
		return resp
	}
	create := r.conn.creates() && (r.version < 4 || req.AllowAutoTopicCreation)
	resp.Topics = make([]kmsg.MetadataResponseTopic, 0, len(req.Topics))
	seen, ids := once[string]{}, once[[16]byte]{}
	for i := range req.Topics {
		rt := &req.Topics[i]
		var zero [16]byte
		if rt.TopicID != zero {
			if !ids.first(rt.TopicID) {
				continue
			}
			resp.Topics = append(resp.Topics, r.metadataByID(rt.TopicID))
			continue
		}
		if name := deref(rt.Topic); seen.first(name) {
			resp.Topics = append(resp.Topics, r.metadataByName(name, create))
		}
	}
	return resp
}

func (r *request) metadataByID(id [16]byte) kmsg.MetadataResponseTopic {
	t, c := r.reach("", id, true)
	if c == code.None {
		return r.metadataTopic(t)
	}
	st := kmsg.NewMetadataResponseTopic()
	st.TopicID, st.ErrorCode, st.AuthorizedOperations = id, int16(c), noOperations
	if r.version < 12 {
		st.Topic = kmsg.StringPtr("")
	}
	return st
}

func (r *request) metadataByName(name string, create bool) kmsg.MetadataResponseTopic {
	t := r.meta.Topic(name)
	err := meta.CheckName(name)
	if c := r.refusal(auth.Topic, name); c != code.None {
		t, err = nil, c
	} else if t == nil && err == nil && create {
		t, err = r.autoCreate(name)
	}
	if t != nil {
		return r.metadataTopic(t)
	}
	st := kmsg.NewMetadataResponseTopic()
	st.Topic, st.AuthorizedOperations = &name, noOperations
	st.ErrorCode = int16(code.UnknownTopicOrPartition)
	if err != nil {
		st.ErrorCode = int16(errorCode(err))
	}
	return st
}

// autoCreate makes a topic on its first use.
func (r *request) autoCreate(name string) (*meta.Topic, error) {
	if !r.mayAlso(auth.Create, auth.Cluster, auth.ClusterName) && !r.mayAlso(auth.Create, auth.Topic, name) {
		return nil, code.TopicAuthorizationFailed
	}
	t, err := r.meta.Create(meta.Spec{Name: name, Partitions: r.cfg.DefaultPartitions, Replicas: 1})
	if errorCode(err) == code.TopicAlreadyExists {
		return r.meta.Topic(name), nil // another connection was faster
	}
	return t, err
}

func (r *request) metadataTopic(t *meta.Topic) kmsg.MetadataResponseTopic {
	st := kmsg.NewMetadataResponseTopic()
	st.Topic, st.TopicID, st.IsInternal, st.AuthorizedOperations = &t.Name, t.ID, t.Internal(), r.authorized(r.body.(*kmsg.MetadataRequest).IncludeTopicAuthorizedOperations, auth.Topic, t.Name)
	st.Partitions = make([]kmsg.MetadataResponseTopicPartition, t.Partitions)
	self := []int32{nodeID}
	for i := range st.Partitions {
		p := &st.Partitions[i]
		p.Partition, p.Leader, p.LeaderEpoch = int32(i), nodeID, r.dir.LeaderEpoch()
		p.Replicas, p.ISR, p.OfflineReplicas = self, self, []int32{}
	}
	return st
}
