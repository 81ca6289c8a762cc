package lint

import (
	"go/ast"
	"strings"
	"testing"
)

// The most lines of a file and of a function of shipped code.
const (
	fileLines     = 600
	functionLines = 70
)

// generated reports whether a file says that it was generated.
func generated(f *file) bool { return ast.IsGenerated(f.ast) }

// TestLengths checks that what is long has been parted.
func TestLengths(t *testing.T) {
	for _, f := range files(t, func(f *file) bool { return !generated(f) }) {
		if n := strings.Count(f.text, "\n"); n > fileLines {
			t.Errorf("%s has %d lines, the most is %d", f.path, n, fileLines)
		}
		for _, d := range f.ast.Decls {
			fn, ok := d.(*ast.FuncDecl)
			if !ok || f.test {
				continue
			}
			if n := f.line(fn.End()) - f.line(fn.Pos()) + 1; n > functionLines {
				t.Errorf("%s:%d: %s has %d lines, the most is %d", f.path, f.line(fn.Pos()), fn.Name.Name, n, functionLines)
			}
		}
	}
}
