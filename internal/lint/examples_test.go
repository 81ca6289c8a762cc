package lint

import (
	"go/ast"
	"go/doc"
	"slices"
	"testing"
)

// handles are the types whose methods are operators.
var handles = []string{"Stream", "Switch", "Grouped", "Windowed", "Sessions", "Cogrouped", "CogroupedWindows", "CogroupedSessions", "Table", "Global", "Index"}

// plumbing is exported for the packages of the project alone.
var plumbing = map[string]string{
	"table.Make":          "makes a handle for package stream",
	"table.MakeWindowed":  "makes a handle for package stream",
	"table.Global_Rows":   "its type is internal",
	"table.Table_View":    "its type is internal",
	"table.Windowed_View": "its use is internal",
}

// TestOperatorsHaveExamples checks that every operator of the DSL has an example that is run.
func TestOperatorsHaveExamples(t *testing.T) {
	allowed := except(plumbing)
	for _, pkg := range []string{"stream", "table"} {
		shown := map[string]bool{}
		var asts []*ast.File
		all, err := tree()
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range all {
			if f.test && f.dir == pkg {
				asts = append(asts, f.ast)
			}
		}
		for _, e := range doc.Examples(asts...) {
			if e.Output != "" || e.EmptyOutput {
				shown[e.Name] = true
			} else {
				t.Errorf("%s: Example%s has no // Output:, so it is never run", pkg, e.Name)
			}
		}
		for _, f := range files(t, func(f *file) bool { return !f.test && f.dir == pkg }) {
			for _, d := range f.ast.Decls {
				fn, ok := d.(*ast.FuncDecl)
				if !ok || !operator(fn) {
					continue
				}
				name := fn.Name.Name
				if r := receiver(fn); r != "" {
					name = r + "_" + name
				}
				if !shown[name] && !allowed.allow(pkg+"."+name) {
					t.Errorf("%s:%d: no Example%s", f.path, f.line(fn.Pos()), name)
				}
			}
		}
	}
	allowed.report(t)
}

// operator reports whether fn is a method of a handle, or a function that returns one.
func operator(fn *ast.FuncDecl) bool {
	if !fn.Name.IsExported() {
		return false
	}
	if fn.Recv != nil {
		return slices.Contains(handles, receiver(fn))
	}
	if fn.Type.Results == nil {
		return false
	}
	return slices.ContainsFunc(fn.Type.Results.List, func(r *ast.Field) bool { return handle(r.Type) })
}

// handle reports whether a type is a handle's, of this package or another.
func handle(x ast.Expr) bool {
	switch t := x.(type) {
	case *ast.IndexExpr:
		return handle(t.X)
	case *ast.IndexListExpr:
		return handle(t.X)
	case *ast.SelectorExpr:
		return slices.Contains(handles, t.Sel.Name)
	case *ast.Ident:
		return slices.Contains(handles, t.Name)
	}
	return false
}
