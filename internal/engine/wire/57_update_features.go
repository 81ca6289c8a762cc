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
//   - The level of transaction.version is a setting of the server, so it can be updated to what it is alone. One update
//     that is refused refuses all.
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
	level := r.cfg.TransactionVersion
	switch {
	case u.Feature != "transaction.version":
		return &meta.Failure{Code: code.InvalidUpdateVersion, Text: "the feature is not known here; transaction.version is"}
	case u.MaxVersionLevel != level:
		return &meta.Failure{Code: code.InvalidUpdateVersion, Text: fmt.Sprintf("transaction.version is %d, by a setting of the server that clients cannot change", level)}
	}
	return nil
}
