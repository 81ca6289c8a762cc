package wire

import (
	"fmt"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/thalweg/thalweg/internal/engine/auth"
	"github.com/thalweg/thalweg/internal/engine/code"
	"github.com/thalweg/thalweg/internal/engine/meta"
)

// UpdateFeatures: v0-2
//
// Behavior:
//   - The levels of features are the server's, so each can be updated to what it is alone.
//
// Version notes:
//   - v1: kinds of upgrades, and validation alone
//   - v2: no result of each feature, but the first error of all (KIP-1022)
const updateFeaturesShape = "i (s h b@0-0 b@1) b@1"

func updateFeatures(r *request) kmsg.Response {
	req := r.body.(*kmsg.UpdateFeaturesRequest)
	resp := req.ResponseKind().(*kmsg.UpdateFeaturesResponse)
	if err := r.refused(auth.Cluster, auth.ClusterName); err != nil {
		resp.ErrorCode, resp.ErrorMessage = topicError(err)
		return resp
	}
	var first error
	for i := range req.FeatureUpdates {
		u := &req.FeatureUpdates[i]
		err := r.update(u)
		if first == nil {
			first = err
		}
		if r.version < 2 {
			sr := kmsg.NewUpdateFeaturesResponseResult()
			sr.Feature = u.Feature
			sr.ErrorCode, sr.ErrorMessage = topicError(err)
			resp.Results = append(resp.Results, sr)
		}
	}
	if r.version >= 2 {
		resp.ErrorCode, resp.ErrorMessage = topicError(first)
	}
	return resp
}

func (r *request) update(u *kmsg.UpdateFeaturesRequestFeatureUpdate) error {
	for _, f := range r.features() {
		switch {
		case f.name != u.Feature:
		case f.level != u.MaxVersionLevel:
			return &meta.Failure{Code: code.InvalidUpdateVersion, Text: fmt.Sprintf("%s is %d, which clients cannot change", f.name, f.level)}
		default:
			return nil
		}
	}
	return &meta.Failure{Code: code.InvalidUpdateVersion, Text: "the feature is not known here"}
}
