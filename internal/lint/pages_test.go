package lint

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// pages are what the root holds for people to read, and nothing else.
var pages = []string{"ARCHITECTURE.md", "CHANGELOG.md", "CONTRIBUTING.md", "README.md"}

// named is a Go file named in a page by a path.
var named = regexp.MustCompile("`((?:[a-z]+/)+[a-z_0-9]+\\.go)`")

// TestPagesNameWhatThereIs checks that a page leads to files that exist; a path may leave out internal/ or
// internal/engine/.
func TestPagesNameWhatThereIs(t *testing.T) {
	found := 0
	for _, page := range pages {
		text, err := os.ReadFile(filepath.Join(root, page))
		if err != nil {
			t.Error(err)
			continue
		}
		for _, m := range named.FindAllStringSubmatch(string(text), -1) {
			found++
			there := slices.ContainsFunc([]string{"", "internal", "internal/engine"}, func(folder string) bool {
				_, err := os.Stat(filepath.Join(root, folder, m[1]))
				return err == nil
			})
			if !there {
				t.Errorf("%s names %s, which does not exist", page, m[1])
			}
		}
	}
	if found == 0 {
		t.Error("no page names a file: has the way of writing paths changed?")
	}
}

// TestRootHoldsNoDiaries checks that no further pages gather at the root.
func TestRootHoldsNoDiaries(t *testing.T) {
	there, err := filepath.Glob(filepath.Join(root, "*.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range there {
		if name := filepath.Base(p); !slices.Contains(pages, name) {
			t.Errorf("%s at the root: what lasts of it belongs to one of %s", name, strings.Join(pages, ", "))
		}
	}
}
