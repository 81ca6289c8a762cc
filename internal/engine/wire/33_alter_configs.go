package wire

import (
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/thalweg/thalweg/internal/engine/auth"
	"github.com/thalweg/thalweg/internal/engine/code"
	"github.com/thalweg/thalweg/internal/engine/meta"
)

// AlterConfigs: v0-2
//
// Behavior:
//   - Replaces the whole set of a topic: what is not named goes back to its default. Durable before it is answered.
//   - The broker's settings cannot be changed.
const alterConfigsShape = "(b s (s s)) b"

func alterConfigs(r *request) kmsg.Response {
	req := r.body.(*kmsg.AlterConfigsRequest)
	resp := req.ResponseKind().(*kmsg.AlterConfigsResponse)
	for i := range req.Resources {
		rr := &req.Resources[i]
		sr := kmsg.NewAlterConfigsResponseResource()
		sr.ResourceType, sr.ResourceName = rr.ResourceType, rr.ResourceName
		err := r.changeConfigs(rr.ResourceType, rr.ResourceName, req.ValidateOnly, func(m map[string]string) error {
			clear(m)
			for _, c := range rr.Configs {
				if c.Value != nil {
					m[c.Name] = *c.Value
				}
			}
			return nil
		})
		sr.ErrorCode, sr.ErrorMessage = topicError(err)
		resp.Resources = append(resp.Resources, sr)
	}
	return resp
}

func (r *request) changeConfigs(kind kmsg.ConfigResourceType, name string, validateOnly bool, change func(map[string]string) error) error {
	if kind != kmsg.ConfigResourceTypeTopic {
		if err := r.refused(auth.Cluster, auth.ClusterName); err != nil {
			return err
		}
		return &meta.Failure{Code: code.InvalidRequest, Text: "only the settings of topics can be changed, not those of a " + kind.String()}
	}
	if err := r.refused(auth.Topic, name); err != nil {
		return err
	}
	return r.meta.SetConfigs(name, validateOnly, change)
}
