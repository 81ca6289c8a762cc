package lint

import (
	"slices"
	"strings"
	"testing"
)

// outside is what is imported beyond the standard library, by whom, and why. The longest prefix counts.
var outside = []struct {
	path  string
	dirs  []string // folders, with what lies in them
	tests []string // folders whose tests may, too
	why   string
}{
	{"github.com/cockroachdb/pebble/v2", []string{"internal/store"}, nil, "state below the hot tables"},
	{"github.com/cockroachdb/pebble/v2/vfs", []string{
		"internal/store", "internal/engine", "internal/sim",
		"internal/runtime", "internal/task/tasktest", "stream", "cmd/thalweg", // who opens a store or an engine hands it the file system
	}, nil, "a file system that crashes and fails on demand"},
	{"github.com/twmb/franz-go/pkg/kgo", []string{"internal/kafka"}, []string{"internal/engine", "internal/sim"}, "connections, metadata, group membership"},
	{"github.com/twmb/franz-go/pkg/kadm", []string{"internal/kafka"}, []string{"internal/engine", "internal/sim"}, "administration"},
	{"github.com/twmb/franz-go/pkg/kversion", []string{"internal/kafka"}, nil, "versions of requests"},
	{"github.com/twmb/franz-go/pkg/sasl", []string{"internal/kafka"}, []string{"internal/engine"}, "credentials"},
	{"github.com/twmb/franz-go/pkg/kerr", []string{"internal/kafka"}, []string{"internal/engine", "internal/sim"}, "names of error codes"},
	{"github.com/twmb/franz-go/pkg/kbin", []string{"internal/engine"}, nil, "records of groups that kmsg has no types for"},
	{"github.com/twmb/franz-go/pkg/kmsg", []string{"internal/kafka", "internal/engine"}, []string{"internal/sim"}, "messages of the protocol"},
	{"github.com/xdg-go/scram", []string{"internal/engine/auth"}, nil, "the server's side of SCRAM"},
	{"github.com/klauspost/compress", []string{"internal/batch"}, nil, "gzip, snappy and zstd of record batches"},
	{"github.com/pierrec/lz4/v4", []string{"internal/batch"}, nil, "lz4 of record batches"},
	{"github.com/twmb/murmur3", []string{"table"}, []string{"internal/model"}, "the hash of foreign-key joins"},
	{"github.com/prometheus/client_golang", []string{"internal/ops", "internal/engine/metrics"}, nil, "metrics"},
	{"github.com/linkedin/goavro/v2", []string{"serde/avro"}, nil, "the binary encoding of Avro"},
	{"google.golang.org/protobuf", []string{"serde/protobuf", "serde/registry", "internal/protofile", "internal/registry", "examples/enrich"}, []string{"cmd/thalweg"}, "protobuf messages"},
	{"github.com/bufbuild/protocompile", []string{"internal/protofile"}, nil, "the text of .proto files"},
	{"github.com/google/jsonschema-go", []string{"serde/registry", "internal/registry"}, nil, "JSON Schema: checking and inferring"},
	{"github.com/alecthomas/kong", []string{"cmd/thalweg"}, nil, "the command line"},
	{"github.com/pelletier/go-toml/v2", []string{"cmd/thalweg"}, nil, "the file of settings of a server"},
	{"github.com/schollz/progressbar/v3", []string{"examples/wordcount"}, nil, "the bar on a terminal"},
	{"go.uber.org/goleak", nil, []string{"internal", "stream"}, "tests that leave no goroutine behind"},
	{"pgregory.net/rapid", nil, []string{"internal", "state", "stream", "serde", "window", "table", "topology"}, "properties"},
}

// TestOutside checks that each dependency is imported only where the list says.
func TestOutside(t *testing.T) {
	for _, f := range files(t, every) {
		for _, p := range f.imports() {
			first, _, _ := strings.Cut(p, "/")
			if !strings.Contains(first, ".") || under(p, module) {
				continue
			}
			best := -1
			for i, o := range outside {
				if under(p, o.path) && (best < 0 || len(o.path) > len(outside[best].path)) {
					best = i
				}
			}
			if best < 0 {
				t.Errorf("%s imports %s, which is in no list: can it be done without?", f.path, p)
				continue
			}
			in := func(folder string) bool { return under(f.dir, folder) }
			if o := outside[best]; !slices.ContainsFunc(o.dirs, in) && !(f.test && slices.ContainsFunc(o.tests, in)) {
				t.Errorf("%s imports %s, which is for %v", f.path, p, o.dirs)
			}
		}
	}
}

// TestLeavesAreStandard checks that windows and the core of serdes import the standard library alone.
func TestLeavesAreStandard(t *testing.T) {
	for _, f := range files(t, func(f *file) bool { return !f.test && (f.dir == "window" || f.dir == "serde") }) {
		for _, p := range f.imports() {
			if first, _, _ := strings.Cut(p, "/"); strings.Contains(first, ".") {
				t.Errorf("%s imports %s", f.path, p)
			}
		}
	}
}
