package lint

import (
	"go/ast"
	"slices"
	"strings"
	"testing"
)

// TestPackagesAreDocumented checks that every package says what it is.
func TestPackagesAreDocumented(t *testing.T) {
	said, dirs := map[string]bool{}, map[string]string{}
	for _, f := range files(t, shipped) {
		dirs[f.dir] = f.ast.Name.Name
		if f.ast.Doc != nil {
			said[f.dir] = true
			text := f.ast.Doc.Text()
			want := "Package " + f.ast.Name.Name + " "
			if f.ast.Name.Name != "main" && !strings.HasPrefix(text, want) {
				t.Errorf("%s: the package's comment begins with %.30q, want %q", f.path, text, want)
			}
		}
	}
	for dir := range dirs {
		if !said[dir] {
			t.Errorf("package %s has no comment", dir)
		}
	}
}

// TestExportedIsDocumented checks the public packages: every exported name has a comment of its own, or one for its
// group, or a trailing one. Fields and the methods of an interface may be spoken for by the type's comment.
func TestExportedIsDocumented(t *testing.T) {
	for _, f := range files(t, func(f *file) bool { return !f.test && slices.Contains(public, f.dir) }) {
		for _, d := range f.ast.Decls {
			switch d := d.(type) {
			case *ast.FuncDecl:
				if d.Name.IsExported() && exportedReceiver(d) && d.Doc == nil {
					t.Errorf("%s:%d: %s has no comment", f.path, f.line(d.Pos()), d.Name.Name)
				}
			case *ast.GenDecl:
				for _, s := range d.Specs {
					undocumented(t, f, d, s)
				}
			}
		}
	}
}

func exportedReceiver(d *ast.FuncDecl) bool {
	return d.Recv == nil || ast.IsExported(receiver(d))
}

// receiver returns the name of the type that a method belongs to, empty for a function.
func receiver(d *ast.FuncDecl) string {
	if d.Recv == nil {
		return ""
	}
	x := d.Recv.List[0].Type
	for {
		switch t := x.(type) {
		case *ast.StarExpr:
			x = t.X
		case *ast.IndexExpr:
			x = t.X
		case *ast.IndexListExpr:
			x = t.X
		case *ast.Ident:
			return t.Name
		default:
			return ""
		}
	}
}

func undocumented(t *testing.T, f *file, d *ast.GenDecl, s ast.Spec) {
	t.Helper()
	switch s := s.(type) {
	case *ast.TypeSpec:
		if s.Name.IsExported() && d.Doc == nil && s.Doc == nil {
			t.Errorf("%s:%d: type %s has no comment", f.path, f.line(s.Pos()), s.Name.Name)
		}
	case *ast.ValueSpec:
		for _, name := range s.Names {
			if name.IsExported() && d.Doc == nil && s.Doc == nil && s.Comment == nil && !ofDocumentedType(f, d) {
				t.Errorf("%s:%d: %s has no comment", f.path, f.line(name.Pos()), name.Name)
			}
		}
	}
}

// ofDocumentedType reports whether a group of constants are the values of a type declared right above it, whose comment
// speaks for them.
func ofDocumentedType(f *file, d *ast.GenDecl) bool {
	first, ok := d.Specs[0].(*ast.ValueSpec)
	if !ok || first.Type == nil {
		return false
	}
	name, ok := first.Type.(*ast.Ident)
	i := slices.Index(f.ast.Decls, ast.Decl(d))
	if !ok || i < 1 {
		return false
	}
	above, ok := f.ast.Decls[i-1].(*ast.GenDecl)
	if !ok {
		return false
	}
	spec, ok := above.Specs[0].(*ast.TypeSpec)
	return ok && spec.Name.Name == name.Name && above.Doc != nil
}
