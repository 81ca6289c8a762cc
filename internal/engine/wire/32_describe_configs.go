package wire

import (
	"slices"
	"strconv"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/thalweg/thalweg/internal/engine/auth"
	"github.com/thalweg/thalweg/internal/engine/code"
	"github.com/thalweg/thalweg/internal/engine/meta"
)

// DescribeConfigs: v0-4
//
// Behavior:
//   - Topics: every setting with its source and, if asked for, its synonyms and documentation.
//   - The broker: the few settings of it that clients look for, all read-only.
//
// Version notes:
//   - v1: source and synonyms; before it IsDefault
//   - v3: types and documentation
const describeConfigsShape = "(b s [s]) b@1 b@3"

func describeConfigs(r *request) kmsg.Response {
	req := r.body.(*kmsg.DescribeConfigsRequest)
	resp := req.ResponseKind().(*kmsg.DescribeConfigsResponse)
	type key struct {
		kind kmsg.ConfigResourceType
		name string
	}
	resp.Resources = make([]kmsg.DescribeConfigsResponseResource, 0, len(req.Resources))
	seen := once[key]{}
	for i := range req.Resources {
		rr := &req.Resources[i]
		if !seen.first(key{rr.ResourceType, rr.ResourceName}) {
			continue
		}
		sr := kmsg.NewDescribeConfigsResponseResource()
		sr.ResourceType, sr.ResourceName = rr.ResourceType, rr.ResourceName
		switch rr.ResourceType {
		case kmsg.ConfigResourceTypeTopic:
			t := r.meta.Topic(rr.ResourceName)
			err := r.refused(auth.Topic, rr.ResourceName)
			if t == nil || err != nil {
				if err == nil {
					err = meta.CheckName(rr.ResourceName)
				}
				if err == nil {
					err = &meta.Failure{Code: code.UnknownTopicOrPartition, Text: "there is no such topic"}
				}
				sr.ErrorCode, sr.ErrorMessage = topicError(err)
				break
			}
			r.describeTopic(t, rr.ConfigNames, req, &sr)
		case kmsg.ConfigResourceTypeBroker:
			if err := r.refused(auth.Cluster, auth.ClusterName); err != nil {
				sr.ErrorCode, sr.ErrorMessage = topicError(err)
				break
			}
			if rr.ResourceName != "" && rr.ResourceName != strconv.Itoa(nodeID) {
				sr.ErrorCode, sr.ErrorMessage = topicError(&meta.Failure{Code: code.InvalidRequest, Text: "there is one broker, " + strconv.Itoa(nodeID)})
				break
			}
			r.describeBroker(rr.ConfigNames, &sr)
		default:
			sr.ErrorCode, sr.ErrorMessage = topicError(&meta.Failure{Code: code.InvalidRequest, Text: "resources of type " + rr.ResourceType.String() + " are not known"})
		}
		resp.Resources = append(resp.Resources, sr)
	}
	return resp
}

// configSource says where the value of a topic's setting comes from.
func (s *Server) configSource(t *meta.Topic, name string) kmsg.ConfigSource {
	if _, ok := t.Configs[name]; ok {
		return kmsg.ConfigSourceDynamicTopicConfig
	}
	return kmsg.ConfigSourceDefaultConfig
}

func (r *request) describeTopic(t *meta.Topic, names []string, req *kmsg.DescribeConfigsRequest, sr *kmsg.DescribeConfigsResponseResource) {
	for i := range meta.TopicConfigs {
		c := &meta.TopicConfigs[i]
		if names != nil && !slices.Contains(names, c.Name) {
			continue
		}
		value := t.Value(c.Name)
		x := kmsg.NewDescribeConfigsResponseResourceConfig()
		x.Name, x.Value, x.ConfigType = c.Name, &value, kmsg.ConfigType(c.Kind)
		x.Source = r.configSource(t, c.Name)
		x.IsDefault = x.Source == kmsg.ConfigSourceDefaultConfig
		if req.IncludeSynonyms {
			if !x.IsDefault {
				x.ConfigSynonyms = append(x.ConfigSynonyms, synonym(c.Name, value, kmsg.ConfigSourceDynamicTopicConfig))
			}
			x.ConfigSynonyms = append(x.ConfigSynonyms, synonym(c.Broker, c.Default, kmsg.ConfigSourceDefaultConfig))
		}
		if req.IncludeDocumentation {
			x.Documentation = &c.Doc
		}
		sr.Configs = append(sr.Configs, x)
	}
}

func synonym(name, value string, source kmsg.ConfigSource) kmsg.DescribeConfigsResponseResourceConfigConfigSynonym {
	x := kmsg.NewDescribeConfigsResponseResourceConfigConfigSynonym()
	x.Name, x.Value, x.Source = name, &value, source
	return x
}

func (r *request) describeBroker(names []string, sr *kmsg.DescribeConfigsResponseResource) {
	static := []struct {
		name, value string
		kind        kmsg.ConfigType
	}{
		{"auto.create.topics.enable", strconv.FormatBool(r.conn.creates()), kmsg.ConfigTypeBoolean},
		{"broker.id", strconv.Itoa(nodeID), kmsg.ConfigTypeInt},
		{"default.replication.factor", "1", kmsg.ConfigTypeInt},
		{"delete.topic.enable", "true", kmsg.ConfigTypeBoolean},
		{"node.id", strconv.Itoa(nodeID), kmsg.ConfigTypeInt},
		{"num.partitions", strconv.Itoa(int(r.cfg.DefaultPartitions)), kmsg.ConfigTypeInt},
		{"socket.request.max.bytes", strconv.Itoa(int(r.cfg.MaxFrame)), kmsg.ConfigTypeInt},
	}
	add := func(name, value string, kind kmsg.ConfigType, source kmsg.ConfigSource) {
		if names != nil && !slices.Contains(names, name) {
			return
		}
		x := kmsg.NewDescribeConfigsResponseResourceConfig()
		x.Name, x.Value, x.ConfigType, x.ReadOnly = name, &value, kind, true
		x.Source, x.IsDefault = source, source == kmsg.ConfigSourceDefaultConfig
		sr.Configs = append(sr.Configs, x)
	}
	for _, s := range static {
		add(s.name, s.value, s.kind, kmsg.ConfigSourceStaticBrokerConfig)
	}
	for i := range meta.TopicConfigs {
		c := &meta.TopicConfigs[i]
		add(c.Broker, c.Default, kmsg.ConfigType(c.Kind), kmsg.ConfigSourceDefaultConfig)
	}
}
