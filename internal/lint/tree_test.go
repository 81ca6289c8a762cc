package lint

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"sort"
	"strconv"
	"strings"
	"sync"
	"testing"
)

const module = "github.com/thalweg/thalweg"

// file is one Go file of the project.
type file struct {
	path string // from the root, with slashes
	dir  string // the package's, from the root
	test bool
	text string
	ast  *ast.File
	fset *token.FileSet
}

// root is the project's, seen from this package.
const root = "../.."

// tree returns every Go file of the project.
var tree = sync.OnceValues(func() (files []*file, err error) {
	err = filepath.WalkDir(root, func(name string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if e.IsDir() && name != root && (strings.HasPrefix(e.Name(), ".") || e.Name() == "testdata") {
			return filepath.SkipDir
		}
		if e.IsDir() || filepath.Ext(name) != ".go" {
			return nil
		}
		f, err := parse(name)
		if err == nil {
			files = append(files, f)
		}
		return err
	})
	return files, err
})

func parse(name string) (*file, error) {
	text, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	rel, err := filepath.Rel(root, name)
	if err != nil {
		return nil, err
	}
	rel = filepath.ToSlash(rel)
	f := &file{path: rel, dir: path.Dir(rel), test: strings.HasSuffix(rel, "_test.go"), text: string(text), fset: token.NewFileSet()}
	f.ast, err = parser.ParseFile(f.fset, rel, text, parser.ParseComments|parser.SkipObjectResolution)
	return f, err
}

// files returns the files that keep says yes to; there must be some.
func files(t *testing.T, keep func(*file) bool) (fs []*file) {
	t.Helper()
	all, err := tree()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range all {
		if keep(f) {
			fs = append(fs, f)
		}
	}
	if len(fs) == 0 {
		t.Fatal("no files to look at: is this the root of the project?")
	}
	return fs
}

func shipped(f *file) bool { return !f.test }

func every(*file) bool { return true }

// imports returns the paths f imports.
func (f *file) imports() (ps []string) {
	for _, s := range f.ast.Imports {
		if p, err := strconv.Unquote(s.Path.Value); err == nil {
			ps = append(ps, p)
		}
	}
	return ps
}

func (f *file) line(p token.Pos) int { return f.fset.Position(p).Line }

// under reports whether dir is folder or lies in it.
func under(dir, folder string) bool { return dir == folder || strings.HasPrefix(dir, folder+"/") }

// exceptions are places that a law allows to break it, with the reason. Those that no longer do are reported.
type exceptions struct {
	why  map[string]string
	used map[string]bool
}

func except(why map[string]string) *exceptions { return &exceptions{why, map[string]bool{}} }

func (e *exceptions) allow(place string) bool {
	_, ok := e.why[place]
	e.used[place] = true
	return ok
}

func (e *exceptions) report(t *testing.T) {
	t.Helper()
	var stale []string
	for place := range e.why {
		if !e.used[place] {
			stale = append(stale, place)
		}
	}
	sort.Strings(stale)
	for _, place := range stale {
		t.Errorf("%s is excepted and need not be: take it from the list", place)
	}
}
