package model

import (
	"flag"
	"math/rand/v2"
	"testing"
)

var (
	cases   = flag.Int("cases", 400, "how many random cases to run")
	seed    = flag.Uint64("seed", 0, "seed of the first case; 0: a new one")
	keepAll = flag.Bool("keep", false, "go on after a case that fails")
)

// TestRandomTopologies compares what random topologies make of random input with what the evaluator says.
func TestRandomTopologies(t *testing.T) {
	first := *seed
	if first == 0 {
		first = rand.Uint64N(1 << 40)
	}
	t.Logf("seeds from %d: go test ./internal/model -seed %d -cases %d", first, first, *cases)
	dir := t.TempDir()
	for i := range uint64(*cases) {
		p := generate(first + i)
		problem := p.run(dir)
		if problem == "" {
			continue
		}
		small, problem := shrink(p, problem, dir)
		t.Errorf("case %d: go test ./internal/model -seed %d -cases 1\n%s\n%s", i, first+i, small, problem)
		if !*keepAll {
			return
		}
	}
}
