package registry

import (
	"fmt"
	"strings"
)

// Level is what a schema must be to those before it.
type Level string

// The levels, as the Confluent Schema Registry has them. Backward: a program with the new schema reads what was written
// under the last one; forward: one with the last schema reads what is written under the new one; full: both. The
// transitive ones look at all versions, the others at the last.
const (
	None               Level = "NONE"
	Backward           Level = "BACKWARD"
	BackwardTransitive Level = "BACKWARD_TRANSITIVE"
	Forward            Level = "FORWARD"
	ForwardTransitive  Level = "FORWARD_TRANSITIVE"
	Full               Level = "FULL"
	FullTransitive     Level = "FULL_TRANSITIVE"
)

func (l Level) known() bool {
	switch l {
	case None, Backward, BackwardTransitive, Forward, ForwardTransitive, Full, FullTransitive:
		return true
	}
	return false
}

func (l Level) transitive() bool { return strings.HasSuffix(string(l), "_TRANSITIVE") }

// faults says why n may not come after old.
func (l Level) faults(n, old *stored) (faults []string) {
	if l == None {
		return nil
	}
	if n.Kind() != old.Kind() {
		return []string{fmt.Sprintf("it is %s, the new schema %s", old.Kind(), n.Kind())}
	}
	if n.parsed == nil || old.parsed == nil {
		return []string{"it cannot be read by this registry"}
	}
	base := strings.TrimSuffix(string(l), "_TRANSITIVE")
	if base == string(Backward) || base == string(Full) {
		for _, f := range n.parsed.mismatches(old.parsed) {
			faults = append(faults, "the new schema cannot read the old: "+f)
		}
	}
	if base == string(Forward) || base == string(Full) {
		for _, f := range old.parsed.mismatches(n.parsed) {
			faults = append(faults, "the old schema cannot read the new: "+f)
		}
	}
	return faults
}
