package wire

import (
	"slices"
	"strconv"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/thalweg/thalweg/internal/engine/auth"
	"github.com/thalweg/thalweg/internal/engine/code"
)

// ListConfigResources: v0-1
//
// Behavior:
//   - Topics and the broker. Of the other kinds that Apache Kafka knows, brokers' loggers, client metrics and groups,
//     there are none with settings.
//
// Version notes:
//   - v0: client metrics alone (KIP-714)
//   - v1: the kinds a client asks for, all if it names none (KIP-1142)
const listConfigResourcesShape = "[@1 b]"

func listConfigResources(r *request) kmsg.Response {
	req := r.body.(*kmsg.ListConfigResourcesRequest)
	resp := req.ResponseKind().(*kmsg.ListConfigResourcesResponse)
	if c := r.refusal(auth.Cluster, auth.ClusterName); c != code.None || r.version == 0 {
		resp.ErrorCode = int16(c)
		return resp
	}
	const topics, brokers = int8(kmsg.ConfigResourceTypeTopic), int8(kmsg.ConfigResourceTypeBroker)
	known := []int8{topics, brokers, int8(kmsg.ConfigResourceTypeBrokerLogger), 16, 32} // 16: client metrics, 32: groups
	asked := func(kind int8) bool { return len(req.ResourceTypes) == 0 || slices.Contains(req.ResourceTypes, kind) }
	for _, kind := range req.ResourceTypes {
		if !slices.Contains(known, kind) {
			resp.ErrorCode = int16(code.UnsupportedVersion)
			return resp
		}
	}
	add := func(kind int8, name string) {
		x := kmsg.NewListConfigResourcesResponseConfigResource()
		x.Type, x.Name = kind, name
		resp.ConfigResources = append(resp.ConfigResources, x)
	}
	if asked(brokers) {
		add(brokers, strconv.Itoa(nodeID))
	}
	if asked(topics) {
		for _, t := range r.meta.Topics() {
			add(topics, t.Name)
		}
	}
	return resp
}
