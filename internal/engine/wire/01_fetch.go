package wire

import (
	"fmt"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// Fetch: v4-18 (0-3, message sets, with Config.Legacy alone)
//
// Behavior:
//   - Nothing is returned before it is durable; read_committed ends at the last stable offset and names every aborted
//     transaction that overlaps what is returned.
//   - Whole batches only. The first partition with data returns at least one batch, whatever the limits; the others
//     share what is left of them.
//   - Waits until there are MinBytes, an error, or MaxWait is over. The wait is the connection's writer's.
//   - Sessions (KIP-227) belong to no connection; a full cache answers session 0.
//   - Followers' fetches are refused.
//
// Version notes:
//   - v0-3: message sets (messagesets.go); v3: MaxBytes, and the order of partitions counts
//   - v7: sessions
//   - v9: leader epochs are checked
//   - v12: LastFetchedEpoch answers a diverging epoch
//   - v13: topics by id
const fetchShape = "i@0-14 i i i@3 b@4 i@7 i@7 (s@0-12 u@13 (i i@9 l i@12 l@5 i)) (@7 s@7-12 u@13 [i]) s@11"

// maxFetchBytes bounds a response whatever the client asks for, as fetch.max.bytes does.
const maxFetchBytes = 55 << 20

func fetch(r *request) kmsg.Response {
	req := r.body.(*kmsg.FetchRequest)
	f := &fetching{request: r, req: req, resp: req.ResponseKind().(*kmsg.FetchResponse), byID: r.version >= 13}
	f.maxBytes = min(max(req.MaxBytes, 0), maxFetchBytes)
	if req.ReplicaID >= 0 && r.version <= 14 || req.ReplicaState.ID >= 0 && r.version >= 15 {
		r.failed = fmt.Errorf("wire: client %q fetches as a replica", r.client)
		return nil
	}
	if c := f.resolve(); c != 0 {
		f.resp.ErrorCode = int16(c)
		return f.resp
	}
	r.finish = f.run
	return f.resp
}
