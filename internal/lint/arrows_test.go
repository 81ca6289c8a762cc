package lint

import (
	"slices"
	"strings"
	"testing"
)

// arrows are the imports between the project's packages as they are drawn; what can be reached along them may be
// imported too. A package that is not named here fails the test: it has no room in the house yet.
var arrows = map[string][]string{
	"window":         {},
	"serde":          {},
	"serde/windowed": {"serde", "window"},
	"serde/avro":     {"serde"},
	"serde/protobuf": {"serde"},
	"serde/registry": {"serde/avro", "serde/protobuf", "internal/registry/rest", "internal/protofile"},

	"internal/protofile":     {}, // .proto texts and descriptors, read by the client of registries and by the registry
	"internal/registry/rest": {}, // what both say to each other
	// The registry is apart from the engine: it needs a log, not a broker, and serves as well in a test.
	"internal/registry":           {"serde/avro", "internal/registry/rest", "internal/protofile"},
	"internal/registry/topic":     {"internal/registry", "internal/kafka"},
	"serde/registry/registrytest": {"internal/registry"},

	"internal/batch":  {}, // the record-batch codec, shared by engine, client, task and edge
	"internal/hashed": {}, // a record's key as the nodes pass it and the stores look it up
	"internal/edge":   {"serde", "internal/batch", "internal/hashed"},
	"internal/store":  {"serde", "window", "internal/hashed"},

	"state":           {"serde", "window", "internal/store"},
	"state/statetest": {"state"},
	"topology":        {"state", "internal/edge"},
	"table":           {"topology"},

	"internal/task":          {"topology", "internal/store", "internal/edge"},
	"internal/task/tasktest": {"internal/task"},
	"internal/kafka":         {"internal/batch", "internal/edge"},
	"internal/runtime":       {"internal/task", "internal/kafka"},
	"internal/ops":           {"internal/runtime", "internal/ops/surface"},
	"internal/ops/surface":   {},

	"internal/engine":         {"internal/engine/wire"},
	"internal/engine/metrics": {"internal/engine", "internal/ops/surface"},
	"internal/engine/wire":    {"internal/engine/coord", "internal/engine/meta", "internal/engine/legacy"},
	"internal/engine/legacy":  {"internal/batch"}, // no part of the log's format: the wire alone converts
	"internal/engine/coord":   {"internal/engine/journal", "internal/engine/code"},
	"internal/engine/meta":    {"internal/engine/journal", "internal/engine/code", "internal/engine/auth"},
	"internal/engine/journal": {"internal/engine/log"},
	"internal/engine/log":     {"internal/batch", "internal/engine/times"},
	"internal/engine/times":   {},
	"internal/engine/code":    {},
	"internal/engine/auth":    {},

	"stream":            {"table", "serde/windowed", "internal/runtime", "internal/ops", "internal/engine", "internal/engine/metrics"},
	"stream/streamtest": {"internal/task"},

	"internal/sim":              {"stream"}, // its tests use internal/history too
	"internal/history":          {},
	"internal/bench/cputest":    {}, // what a thread costs, for tests and benchmarks
	"internal/conformance":      {}, // its tests use the public packages
	"internal/model":            {}, // its tests use the public packages
	"internal/conformance/pack": {"internal/conformance"},

	"cmd/thalweg":   {"internal/engine", "internal/engine/metrics", "internal/kafka", "internal/registry/topic"},
	"internal/lint": {},
}

// public are the packages that examples may import.
var public = []string{"stream", "stream/streamtest", "table", "window", "serde", "serde/windowed", "serde/avro", "serde/protobuf", "serde/registry", "serde/registry/registrytest", "state", "state/statetest", "topology"}

// reachable returns every package along the arrows from one.
func reachable(from string) map[string]bool {
	seen := map[string]bool{}
	var walk func(string)
	walk = func(p string) {
		for _, next := range arrows[p] {
			if !seen[next] {
				seen[next] = true
				walk(next)
			}
		}
	}
	walk(from)
	return seen
}

// TestArrows checks that imports run only as drawn.
func TestArrows(t *testing.T) {
	for _, f := range files(t, shipped) {
		if under(f.dir, "examples") {
			continue
		}
		if _, ok := arrows[f.dir]; !ok {
			t.Errorf("%s: package %s has no place among the arrows", f.path, f.dir)
			continue
		}
		may := reachable(f.dir)
		for _, p := range f.imports() {
			to, ok := strings.CutPrefix(p, module+"/")
			if ok && !may[to] {
				t.Errorf("%s imports %s, and no arrow leads there", f.path, to)
			}
		}
	}
}

// TestArrowsHaveNoCircle checks the drawing itself, and that lower floors know nothing of the DSL.
func TestArrowsHaveNoCircle(t *testing.T) {
	for p := range arrows {
		may := reachable(p)
		if may[p] {
			t.Errorf("%s can reach itself", p)
		}
		low := under(p, "internal") && p != "internal/sim" || slices.Contains([]string{"window", "serde", "state", "topology"}, p)
		if low && (may["stream"] || may["table"]) {
			t.Errorf("%s can reach the DSL", p)
		}
		if under(p, "internal/engine") && (may["topology"] || may["state"] || may["serde"]) {
			t.Errorf("%s can reach what is above the protocol", p)
		}
	}
}

// TestExamplesArePublic checks that examples, their tests too, could be anybody's program.
func TestExamplesArePublic(t *testing.T) {
	for _, f := range files(t, func(f *file) bool { return under(f.dir, "examples") }) {
		for _, p := range f.imports() {
			if to, ok := strings.CutPrefix(p, module+"/"); ok && !slices.Contains(public, to) && !under(to, f.dir) {
				t.Errorf("%s imports %s, which is not public", f.path, to)
			}
		}
	}
}
