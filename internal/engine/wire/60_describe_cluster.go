package wire

import (
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/thalweg/thalweg/internal/engine/code"
)

// DescribeCluster: v0-2
//
// Behavior:
//   - One broker, which is the controller, at the address of the listener the client came by.
//
// Version notes:
//   - v1: endpoint type: brokers (1) alone; controllers (2) have no endpoint of their own
const describeClusterShape = "b b@1 b@2"

func describeCluster(r *request) kmsg.Response {
	req := r.body.(*kmsg.DescribeClusterRequest)
	resp := req.ResponseKind().(*kmsg.DescribeClusterResponse)
	resp.ClusterAuthorizedOperations = r.authorizedCluster(req.IncludeClusterAuthorizedOperations)
	resp.ClusterID, resp.ControllerID = r.meta.ClusterID(), nodeID
	if r.version >= 1 {
		resp.EndpointType = req.EndpointType
		if req.EndpointType != 1 {
			c := code.UnsupportedEndpointType
			if req.EndpointType == 2 {
				c = code.MismatchedEndpointType
			}
			text := c.String()
			resp.ErrorCode, resp.ErrorMessage = int16(c), &text
			return resp
		}
	}
	b := kmsg.NewDescribeClusterResponseBroker()
	b.NodeID, b.Host, b.Port = nodeID, r.conn.addr.host, r.conn.addr.port
	resp.Brokers = append(resp.Brokers, b)
	return resp
}
