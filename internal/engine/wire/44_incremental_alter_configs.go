package wire

import (
	"slices"
	"strings"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/thalweg/thalweg/internal/engine/code"
	"github.com/thalweg/thalweg/internal/engine/meta"
)

// IncrementalAlterConfigs: v0-1
//
// Behavior:
//   - Sets and unsets single settings of topics, and adds to and takes from lists. Durable before it is answered.
const incrementalAlterConfigsShape = "(b s (s b s)) b"

func incrementalAlterConfigs(r *request) kmsg.Response {
	req := r.body.(*kmsg.IncrementalAlterConfigsRequest)
	resp := req.ResponseKind().(*kmsg.IncrementalAlterConfigsResponse)
	for i := range req.Resources {
		rr := &req.Resources[i]
		sr := kmsg.NewIncrementalAlterConfigsResponseResource()
		sr.ResourceType, sr.ResourceName = rr.ResourceType, rr.ResourceName
		err := r.changeConfigs(rr.ResourceType, rr.ResourceName, req.ValidateOnly, func(m map[string]string) error {
			seen := map[string]bool{}
			for _, c := range rr.Configs {
				if seen[c.Name] {
					return &meta.Failure{Code: code.InvalidRequest, Text: "the request changes " + c.Name + " more than once"}
				}
				seen[c.Name] = true
				if err := changeConfig(m, c.Name, c.Op, c.Value); err != nil {
					return err
				}
			}
			return nil
		})
		sr.ErrorCode, sr.ErrorMessage = topicError(err)
		resp.Resources = append(resp.Resources, sr)
	}
	return resp
}

// maxItems is the most items of a list that is appended or taken away: each is compared with all.
const maxItems = 100

// changeConfig applies one operation to a set of configs.
func changeConfig(m map[string]string, name string, op kmsg.IncrementalAlterConfigOp, value *string) error {
	c := meta.LookupConfig(name)
	switch {
	case c == nil:
		return &meta.Failure{Code: code.InvalidConfig, Text: "unknown topic config name: " + name}
	case op == kmsg.IncrementalAlterConfigOpDelete:
		delete(m, name)
		return nil
	case value == nil:
		return &meta.Failure{Code: code.InvalidRequest, Text: "null value of " + name}
	case op == kmsg.IncrementalAlterConfigOpSet:
		m[name] = *value
		return nil
	case c.Kind != meta.KindList:
		return &meta.Failure{Code: code.InvalidConfig, Text: name + " is not a list"}
	}
	if strings.Count(*value, ",") >= maxItems {
		return &meta.Failure{Code: code.InvalidConfig, Text: "the value of " + name + " has more items than are taken"}
	}
	now, ok := m[name]
	if !ok {
		now = c.Default
	}
	items := strings.FieldsFunc(now, func(r rune) bool { return r == ',' })
	for _, v := range strings.Split(*value, ",") {
		has := slices.Contains(items, v)
		switch {
		case op == kmsg.IncrementalAlterConfigOpAppend && !has:
			items = append(items, v)
		case op == kmsg.IncrementalAlterConfigOpSubtract && has:
			items = slices.DeleteFunc(items, func(x string) bool { return x == v })
		case op != kmsg.IncrementalAlterConfigOpAppend && op != kmsg.IncrementalAlterConfigOpSubtract:
			return &meta.Failure{Code: code.InvalidRequest, Text: "unknown operation on " + name}
		}
	}
	m[name] = strings.Join(items, ",")
	return nil
}
