package lint

import (
	"go/ast"
	"go/token"
	"regexp"
	"strings"
	"testing"
)

// panics are the functions that may panic. What a user, a client or a disk can cause is an error instead.
var panics = map[string]string{
	"internal/task/kept.go":            "names are of stores and operators, which Build has made unique",
	"internal/task/turns.go":           "a node releases no hold that it has not taken",
	"internal/batch/codec.go":          "options that are constants",
	"internal/batch/unpack.go":         "options that are constants",
	"internal/engine/log/partition.go": "invariant of the offsets",
	"internal/engine/meta/acls.go":     "what is marshalled are strings and numbers",
	"internal/engine/meta/configs.go":  "values were checked when they came",
	"internal/engine/wire/access.go":   "a handler asks for what stands in the table, a constant of the program",
	"internal/engine/wire/walk.go":     "shapes are constants of the program",
	"internal/registry/records.go":     "what is marshalled are strings and numbers",
	"internal/store/arena.go":          "a terabyte of keys does not fit into memory before",
	"internal/store/checkpoint.go":     "order of calls within the store",
	"internal/store/freeze.go":         "a checkpoint that lacks a row would lose it",
	"internal/store/pebble.go":         "order of calls within the store",
	"internal/edge/guard.go":           "reaches a user's callback as its own panic would, under test only; the task makes an error of it",
}

// TestPanics checks that panics are assertions.
func TestPanics(t *testing.T) {
	allowed := except(panics)
	for _, f := range files(t, shipped) {
		ast.Inspect(f.ast, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok {
				return true
			}
			if name, ok := call.Fun.(*ast.Ident); ok && name.Name == "panic" && !allowed.allow(f.path) {
				t.Errorf("%s:%d: panic: return an error, or say among the exceptions which invariant it guards", f.path, f.line(call.Pos()))
			}
			return true
		})
	}
	allowed.report(t)
}

// sleeps are the tests that may sleep.
var sleeps = map[string]string{
	"internal/sim/text_test.go":              "is the pace at which the text comes",
	"internal/sim/members_test.go":           "how long a dead member stays away is part of the run",
	"internal/sim/pattern_test.go":           "is the work that a record takes",
	"internal/engine/slowfs_test.go":         "is the slow disk itself",
	"internal/engine/virtual_time_test.go":   "in a bubble of testing/synctest, where time is virtual",
	"internal/engine/consumers_time_test.go": "in a bubble of testing/synctest, where time is virtual",
}

// TestNoSleep checks that tests wait for what they want, not for a while.
func TestNoSleep(t *testing.T) {
	allowed := except(sleeps)
	for _, f := range files(t, func(f *file) bool { return f.test }) {
		ast.Inspect(f.ast, func(n ast.Node) bool {
			sel, ok := n.(*ast.SelectorExpr)
			if !ok || sel.Sel.Name != "Sleep" {
				return true
			}
			if x, ok := sel.X.(*ast.Ident); ok && x.Name == "time" && !allowed.allow(f.path) {
				t.Errorf("%s:%d: time.Sleep: wait on a channel or a condition, or use testing/synctest", f.path, f.line(sel.Pos()))
			}
			return true
		})
	}
	allowed.report(t)
}

var (
	later    = regexp.MustCompile(`\b(TO` + `DO|FIX` + `ME|XX` + `X|not (yet )?implemented)\b`)
	absolute = regexp.MustCompile(`^/(work|home|root|Users|var|opt|mnt)/`)
)

// TestNothingLeftForLater checks comments and texts: nothing is put off.
func TestNothingLeftForLater(t *testing.T) {
	for _, f := range files(t, func(f *file) bool { return f.dir != "internal/lint" }) {
		for i, line := range strings.Split(f.text, "\n") {
			if m := later.FindString(line); m != "" {
				t.Errorf("%s:%d: %q: do it, or open an issue", f.path, i+1, m)
			}
		}
	}
}

// TestNoAbsolutePaths checks that no path of some machine is in the code.
func TestNoAbsolutePaths(t *testing.T) {
	for _, f := range files(t, func(f *file) bool { return f.dir != "internal/lint" }) {
		ast.Inspect(f.ast, func(n ast.Node) bool {
			lit, ok := n.(*ast.BasicLit)
			if ok && lit.Kind == token.STRING && absolute.MatchString(strings.Trim(lit.Value, "`\"")) {
				t.Errorf("%s:%d: %s is a path of one machine", f.path, f.line(lit.Pos()), lit.Value)
			}
			return true
		})
	}
}

var mock = regexp.MustCompile(`(?i)^(mock|fake|stub|dummy)`)

// TestNoMocks checks that shipped packages hold neither mocks nor test helpers; packages named for tests may.
func TestNoMocks(t *testing.T) {
	for _, f := range files(t, func(f *file) bool { return !f.test && !strings.HasSuffix(f.dir, "test") }) {
		for _, d := range f.ast.Decls {
			for _, name := range declared(d) {
				if mock.MatchString(name.Name) {
					t.Errorf("%s:%d: %s in a shipped package", f.path, f.line(name.Pos()), name.Name)
				}
			}
		}
		for _, p := range f.imports() {
			if p == "testing" {
				t.Errorf("%s imports testing in a shipped package", f.path)
			}
		}
	}
}

// declared returns the names a declaration makes.
func declared(d ast.Decl) (names []*ast.Ident) {
	switch d := d.(type) {
	case *ast.FuncDecl:
		return []*ast.Ident{d.Name}
	case *ast.GenDecl:
		for _, s := range d.Specs {
			switch s := s.(type) {
			case *ast.TypeSpec:
				names = append(names, s.Name)
			case *ast.ValueSpec:
				names = append(names, s.Names...)
			}
		}
	}
	return names
}

// poor are names that say nothing about what is inside.
var poor = regexp.MustCompile(`^(utils?|helpers?|common|misc|manager|base|types)(_test)?\.go$`)

// TestFileNames checks that a file is named for what it holds.
func TestFileNames(t *testing.T) {
	allowed := except(map[string]string{"internal/store/base.go": "the base is a thing there: the tier below the hot table"})
	for _, f := range files(t, every) {
		name := f.path[strings.LastIndexByte(f.path, '/')+1:]
		if poor.MatchString(name) && !allowed.allow(f.path) {
			t.Errorf("%s: what is in it?", f.path)
		}
	}
	allowed.report(t)
}
