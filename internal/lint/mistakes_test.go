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

// TestMistakesHaveTheirTexts wants what Build says of a user's mistake in some test, word for word: the longest part of the
// message that is the same each time.
func TestMistakesHaveTheirTexts(t *testing.T) {
	var said []string               // by tests
	mistakes := map[string]string{} // what is the same each time → place
	in := func(f *file) bool {
		return slices.Contains([]string{"stream", "table", "topology", "state", "window"}, f.dir)
	}
	for _, f := range files(t, in) {
		ast.Inspect(f.ast, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.BasicLit:
				if s, err := strconv.Unquote(n.Value); err == nil && f.test && n.Kind == token.STRING {
					said = append(said, s)
				}
			case *ast.CallExpr:
				if text := buildError(f, n); text != "" {
					mistakes[longest(text)] = fmt.Sprintf("%s:%d", f.path, f.line(n.Pos()))
				}
			}
			return true
		})
	}
	if len(mistakes) < 80 {
		t.Fatalf("only %d mistakes found: the test looks in the wrong places", len(mistakes))
	}
	for text, at := range mistakes {
		if !slices.ContainsFunc(said, func(s string) bool { return strings.Contains(s, text) }) {
			t.Errorf("%s: no test has %q", at, text)
		}
	}
}

// buildError is the message of a call that records a mistake, "" of any other: Fail of a Builder, and what the
// declarations of stores and windows keep for Build.
func buildError(f *file, call *ast.CallExpr) string {
	fun, ok := call.Fun.(*ast.SelectorExpr)
	if !ok || f.test {
		return ""
	}
	i := 1
	switch fun.Sel.Name {
	case "Fail", "failAt":
	case "Errorf", "New":
		declares := []string{"window/windows.go", "window/session.go", "window/join.go", "state/options.go", "state/versioned.go"}
		if x, ok := fun.X.(*ast.Ident); !ok || !slices.Contains(declares, f.path) || x.Name != "fmt" && x.Name != "errors" {
			return ""
		}
		i = 0
	default:
		return ""
	}
	if len(call.Args) <= i {
		return ""
	}
	lit, ok := call.Args[i].(*ast.BasicLit)
	if !ok || lit.Kind != token.STRING {
		return ""
	}
	text, err := strconv.Unquote(lit.Value)
	if err != nil || len(longest(text)) < 6 {
		return "" // what is wrong is said by another, which has its own
	}
	return text
}

// longest is the longest part of a format between its verbs.
func longest(format string) string {
	parts := verbs.Split(format, -1)
	return slices.MaxFunc(parts, func(a, b string) int { return len(a) - len(b) })
}
