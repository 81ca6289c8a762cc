package lint

import (
	"go/ast"
	"slices"
	"testing"
)

// light are the methods of handles that the compiler may compile for every instantiation: they only read a field.
var light = []string{"Output", "View", "Node", "Builder", "Rows", "Connect"}

// TestMethodsAreCompiledWhereTheyAreCalled checks that the exported methods of the handles of streams and tables have a
// type parameter of their own: see edge.Called for what they cost otherwise.
func TestMethodsAreCompiledWhereTheyAreCalled(t *testing.T) {
	seen := 0
	for _, f := range files(t, func(f *file) bool { return !f.test && (f.dir == "stream" || f.dir == "table") }) {
		for _, d := range f.ast.Decls {
			fn, ok := d.(*ast.FuncDecl)
			if !ok || fn.Recv == nil || !fn.Name.IsExported() || !slices.Contains(handles, receiver(fn)) || slices.Contains(light, fn.Name.Name) {
				continue
			}
			if seen++; fn.Type.TypeParams == nil {
				t.Errorf("%s:%d: %s is compiled for every pair of types: give it [_ edge.Called]", f.path, f.line(fn.Pos()), fn.Name.Name)
			}
		}
	}
	if seen < 50 {
		t.Errorf("only %d methods of handles are found", seen)
	}
}
