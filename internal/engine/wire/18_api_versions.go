package wire

import (
	"maps"
	"slices"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/thalweg/thalweg/internal/engine/code"
)

// ApiVersions: v0-5
//
// Behavior:
//   - Lists the table that also gates the versions of requests.
//   - A version not served is answered in v0 with UNSUPPORTED_VERSION and the whole list. The response's header is
//     always of the first kind, without tagged fields.
//   - The finalized features tell clients which protocols to use: transaction.version that of transactions, group.version
//     whether groups by KIP-848 are served.
//
// Version notes:
//   - v3: client software; features
//   - v4: supported features; clients of v3 trip over a range that begins with 0
//   - v5: a client names the cluster and node it believes to reach; others are told to bootstrap again
const apiVersionsShape = "s@3 s@3 s@5 i@5"

func apiVersions(r *request) kmsg.Response {
	req := r.body.(*kmsg.ApiVersionsRequest)
	resp := r.versions(req)
	if req.Version >= 3 {
		if !softwareName(req.ClientSoftwareName) || !softwareName(req.ClientSoftwareVersion) {
			resp = kmsg.NewPtrApiVersionsResponse()
			resp.SetVersion(req.Version)
			resp.ErrorCode = int16(code.InvalidRequest)
			return resp
		}
		r.conn.software = req.ClientSoftwareName + " " + req.ClientSoftwareVersion
	}
	wrongCluster := req.ClusterID != nil && *req.ClusterID != r.meta.ClusterID()
	if req.Version >= 5 && (wrongCluster || req.NodeID >= 0 && req.NodeID != nodeID) {
		resp.ErrorCode = int16(code.RebootstrapRequired)
	}
	return resp
}

func unsupportedApiVersions(r *request) kmsg.Response {
	resp := r.versions(r.body.(*kmsg.ApiVersionsRequest))
	resp.ErrorCode = int16(code.UnsupportedVersion)
	return resp
}

func (r *request) versions(req *kmsg.ApiVersionsRequest) *kmsg.ApiVersionsResponse {
	resp := req.ResponseKind().(*kmsg.ApiVersionsResponse)
	for _, key := range slices.Sorted(maps.Keys(apis)) {
		k := kmsg.NewApiVersionsResponseApiKey()
		k.ApiKey, k.MaxVersion = key, apis[key].max
		k.MinVersion, _ = r.lowest(apis[key])
		resp.ApiKeys = append(resp.ApiKeys, k)
	}
	for _, x := range r.features() {
		f := kmsg.NewApiVersionsResponseFinalizedFeature()
		f.Name, f.MinVersionLevel, f.MaxVersionLevel = x.name, x.level, x.level
		resp.FinalizedFeatures = append(resp.FinalizedFeatures, f)
		if req.Version >= 4 {
			s := kmsg.NewApiVersionsResponseSupportedFeature()
			s.Name, s.MinVersion, s.MaxVersion = x.name, 0, x.most
			resp.SupportedFeatures = append(resp.SupportedFeatures, s)
		}
	}
	resp.FinalizedFeaturesEpoch = 0
	return resp
}

// feature is one whose level is a setting of the server.
type feature struct {
	name        string
	level, most int16
}

// features are those there are.
func (s *Server) features() []feature {
	return []feature{{"group.version", 1, 1}, {"transaction.version", s.cfg.TransactionVersion, 2}}
}

// softwareName reports whether s may name a client's software (KIP-511).
func softwareName(s string) bool {
	if s == "" {
		return false
	}
	for i := range len(s) {
		c := s[i]
		letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
		if !letter && (c != '-' && c != '.' || i == 0 || i == len(s)-1) {
			return false
		}
	}
	return true
}
