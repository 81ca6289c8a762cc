package wire

import (
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/thalweg/thalweg/internal/engine/auth"
	"github.com/thalweg/thalweg/internal/engine/code"
	"github.com/thalweg/thalweg/internal/engine/meta"
)

// DescribeLogDirs: v0-5
//
// Behavior:
//   - The one data directory with the sizes of partitions: of all of them, or of those that are named and exist.
//   - A client that may not describe the cluster gets no directory; before v3 without being told why.
//
// Version notes:
//   - v3: an error of the whole (KIP-784)
//   - v4: the disk's size and what is free of it (KIP-827)
//   - v5: cordoned directories (KIP-1066), of which there is none
const describeLogDirsShape = "(s [i])"

func describeLogDirs(r *request) kmsg.Response {
	req := r.body.(*kmsg.DescribeLogDirsRequest)
	resp := req.ResponseKind().(*kmsg.DescribeLogDirsResponse)
	if c := r.refusal(auth.Cluster, auth.ClusterName); c != code.None {
		resp.ErrorCode = int16(c)
		return resp
	}
	sd := kmsg.NewDescribeLogDirsResponseDir()
	sd.Dir, sd.TotalBytes, sd.UsableBytes = r.dir.Path(), -1, -1
	if r.version >= 4 {
		if total, free, err := r.dir.DiskUsage(); err == nil {
			sd.TotalBytes, sd.UsableBytes = int64(total), int64(free)
		}
	}
	add := func(t *meta.Topic, partitions func(yield func(int32) bool)) {
		st := kmsg.NewDescribeLogDirsResponseDirTopic()
		st.Topic = t.Name
		for n := range partitions {
			if p := r.meta.Partition(t, n); p != nil {
				sp := kmsg.NewDescribeLogDirsResponseDirTopicPartition()
				sp.Partition, sp.Size = n, p.Size()
				st.Partitions = append(st.Partitions, sp)
			}
		}
		sd.Topics = append(sd.Topics, st)
	}
	if req.Topics == nil {
		for _, t := range r.meta.Topics() {
			add(t, func(yield func(int32) bool) {
				for n := range t.Partitions {
					if !yield(n) {
						return
					}
				}
			})
		}
	}
	for i := range req.Topics {
		if t := r.meta.Topic(req.Topics[i].Topic); t != nil {
			add(t, func(yield func(int32) bool) {
				for _, n := range req.Topics[i].Partitions {
					if !yield(n) {
						return
					}
				}
			})
		}
	}
	resp.Dirs = append(resp.Dirs, sd)
	return resp
}
