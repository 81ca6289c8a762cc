package lint

import (
	"fmt"
	"go/ast"
	"go/token"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// verbs are the parts of a format that its arguments fill.
var verbs = regexp.MustCompile(`%[-+# 0-9.]*[a-zA-Z]`)

// wayOut is how a text goes on that says what to do.
var wayOut = regexp.MustCompile(`.[:;,] (.* )?(add|choose|create|declare|give|import|leave|Materialize|read|Repartition|set|Suppress|use|Use|want)\b`)

// packagePrefix is no part of what a text says.
var packagePrefix = regexp.MustCompile(`^(serde|state|window): `)

// passedOn ends a format that leaves it to the error it wraps to say what to do.
var passedOn = regexp.MustCompile(`: %[vw]$`)

// mistakePackages are those whose declarations Build checks.
var mistakePackages = []string{"serde", "state", "stream", "table", "topology", "window"}

// sayers record a mistake; the argument of that index says what it is.
var sayers = map[string]int{"Fail": 1, "failAt": 1, "AsideLater": 3}

// makers are the functions, beside Resolve of a node, whose errors Build reports. What a package state assigns to a plan's
// Err is reported too. Faults of schemas are shown by the tests of their packages, under serde.
var makers = map[string][]string{
	"serde": {"Fault", "ForUsing"}, "state": {"noRestore"}, "topology": {"checkName"}, "window": {"Validate", "span"},
}

// mistake is a text that Build can say.
type mistake struct{ text, at string }

// TestMistakesHaveTheirTexts wants all that Build says of a user's mistake in a row of the tables of mistakes, word for word
// but for what its arguments fill, and in each text a way out. The tables want file and line of each.
func TestMistakesHaveTheirTexts(t *testing.T) {
	wants := tabled(t)
	all := mistakes(t)
	if len(all) < 100 || len(wants) < 100 {
		t.Fatalf("only %d mistakes found, and %d rows: the test looks in the wrong places", len(all), len(wants))
	}
	passing := except(map[string]string{
		`topology/builder.go %v`:                                   "what Fail was given",
		`topology/build.go %s`:                                     "what AsideLater was given",
		`topology/build.go %v`:                                     "errors of plans",
		`topology/build.go %s: %v`:                                 "errors of Resolve",
		`state/options.go state: a store without a name: give one`: "of a Spec outside of a topology: checkName comes first",
		`stream/join.go %s %q: %v`:                                 "errors of windows",
	})
	for _, m := range all {
		parts := verbs.Split(m.text, -1)
		longest := slices.MaxFunc(parts, func(a, b string) int { return len(a) - len(b) })
		if path, _, _ := strings.Cut(m.at, ":"); passing.allow(path + " " + m.text) {
			continue
		}
		if len(longest) < 6 {
			t.Errorf("%s: %q says nothing that is the same each time", m.at, m.text)
			continue
		}
		for i, p := range parts {
			parts[i] = regexp.QuoteMeta(p)
		}
		row := regexp.MustCompile(strings.Join(parts, ".*"))
		if !slices.ContainsFunc(wants, row.MatchString) {
			t.Errorf("%s: no row of stream/mistakes_*_test.go wants %q", m.at, m.text)
		}
		if !wayOut.MatchString(packagePrefix.ReplaceAllString(m.text, "")) && !passedOn.MatchString(m.text) {
			t.Errorf("%s: %q does not say what to do", m.at, m.text)
		}
	}
	passing.report(t)
}

// tabled returns what the rows of the tables of mistakes want: the last field of each.
func tabled(t *testing.T) (wants []string) {
	table := regexp.MustCompile(`^stream/mistakes_\w+_test\.go$`)
	for _, f := range files(t, func(f *file) bool { return table.MatchString(f.path) }) {
		ast.Inspect(f.ast, func(n ast.Node) bool {
			lit, ok := n.(*ast.CompositeLit)
			if !ok {
				return true
			}
			if a, ok := lit.Type.(*ast.ArrayType); !ok || !isIdent(a.Elt, "mistake") {
				return true
			}
			for _, e := range lit.Elts {
				row := e.(*ast.CompositeLit).Elts
				wants = append(wants, constant(f, row[len(row)-1]))
			}
			return false
		})
	}
	return wants
}

// mistakes returns every text that Build can say.
func mistakes(t *testing.T) (all []mistake) {
	for _, f := range files(t, func(f *file) bool { return shipped(f) && slices.Contains(mistakePackages, f.dir) }) {
		for _, d := range f.ast.Decls {
			fun, _ := d.(*ast.FuncDecl)
			made := fun != nil && slices.Contains(makers[f.dir], fun.Name.Name)
			all = append(all, said(f, d, made)...)
		}
	}
	return all
}

// said returns the texts of mistakes under n. made says that its errors are such.
func said(f *file, n ast.Node, made bool) (all []mistake) {
	add := func(text ast.Expr) {
		all = append(all, mistake{constant(f, text), fmt.Sprintf("%s:%d", f.path, f.line(text.Pos()))})
	}
	ast.Inspect(n, func(x ast.Node) bool {
		switch x := x.(type) {
		case *ast.AssignStmt:
			if s, ok := x.Lhs[0].(*ast.SelectorExpr); ok && !made && (s.Sel.Name == "Resolve" || f.dir == "state" && s.Sel.Name == "Err") {
				all = append(all, said(f, x, true)...)
				return false
			}
		case *ast.KeyValueExpr:
			if isIdent(x.Key, "Resolve") && !made {
				all = append(all, said(f, x, true)...)
				return false
			}
		case *ast.CallExpr:
			name, on := callee(x)
			if i, ok := sayers[name]; ok && len(x.Args) > i {
				add(x.Args[i])
			}
			if made && (on == "fmt" && name == "Errorf" || on == "errors" && name == "New") {
				add(x.Args[0])
			}
		}
		return true
	})
	return all
}

// callee is the name of what is called, and of what it is called on where that is a name too.
func callee(call *ast.CallExpr) (name, on string) {
	fun := call.Fun
	switch x := fun.(type) { // with its type arguments
	case *ast.IndexExpr:
		fun = x.X
	case *ast.IndexListExpr:
		fun = x.X
	}
	switch x := fun.(type) {
	case *ast.Ident:
		return x.Name, ""
	case *ast.SelectorExpr:
		if id, ok := x.X.(*ast.Ident); ok {
			on = id.Name
		}
		return x.Sel.Name, on
	}
	return "", ""
}

// constant is what a text is made of, with a verb for what is not known before the program runs.
func constant(f *file, e ast.Expr) string {
	switch e := e.(type) {
	case *ast.BasicLit:
		if s, err := strconv.Unquote(e.Value); err == nil && e.Kind == token.STRING {
			return s
		}
	case *ast.BinaryExpr:
		if e.Op == token.ADD {
			return constant(f, e.X) + constant(f, e.Y)
		}
	case *ast.ParenExpr:
		return constant(f, e.X)
	case *ast.KeyValueExpr:
		return constant(f, e.Value)
	case *ast.CallExpr:
		if name, on := callee(e); on == "fmt" && name == "Sprintf" {
			return constant(f, e.Args[0])
		}
	case *ast.Ident:
		if v := constantOf(f.dir, e.Name); v != nil {
			return constant(f, v)
		}
	}
	return "%v"
}

// constantOf is the value of a constant of a package, nil if there is none of that name.
func constantOf(dir, name string) ast.Expr {
	all, err := tree()
	if err != nil {
		return nil
	}
	for _, f := range all {
		for _, d := range f.ast.Decls {
			g, ok := d.(*ast.GenDecl)
			if !ok || f.dir != dir || g.Tok != token.CONST {
				continue
			}
			for _, s := range g.Specs {
				v := s.(*ast.ValueSpec)
				if i := slices.IndexFunc(v.Names, func(id *ast.Ident) bool { return id.Name == name }); i >= 0 && i < len(v.Values) {
					return v.Values[i]
				}
			}
		}
	}
	return nil
}

func isIdent(e ast.Expr, name string) bool {
	id, ok := e.(*ast.Ident)
	return ok && id.Name == name
}
