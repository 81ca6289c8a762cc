package main

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// servePage is what is written of thalweg serve.
func servePage(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("../../docs/serve.md")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestServePageKnowsTheLimits compares the page's table of limits with the settings and their defaults.
func TestServePageKnowsTheLimits(t *testing.T) {
	_, table, ok := strings.Cut(servePage(t), "| setting | default | |\n|---|---|---|\n")
	if !ok {
		t.Fatal("the table is not found")
	}
	table, _, _ = strings.Cut(table, "\n\n")
	printed, found := works(t, "", "serve", "-print-config"), 0
	defaults := map[string]string{}
	for _, m := range regexp.MustCompile(`# Default: (\S+)\n(\S+) = `).FindAllStringSubmatch(printed, -1) {
		defaults[m[2]] = m[1]
	}
	for row := range strings.Lines(table) {
		cells := strings.Split(row, "|")
		names, values := strings.Split(cells[1], ","), strings.Split(cells[2], ",")
		for i, name := range names {
			found++
			name = strings.Trim(name, " `")
			if want := strings.TrimSpace(values[min(i, len(values)-1)]); defaults[name] != want {
				t.Errorf("the default of %s is %q, the page says %q", name, defaults[name], want)
			}
		}
	}
	if found < 10 {
		t.Errorf("void: %d settings in the table", found)
	}
}

// namesMetrics checks that the page names all metrics in what a server shows.
func namesMetrics(t *testing.T, shown string) {
	t.Helper()
	var names []string
	for _, m := range regexp.MustCompile("`([a-z_]+)(?:\\{[a-z,]+\\})?`").FindAllStringSubmatch(servePage(t), -1) {
		names = append(names, m[1])
	}
	all := regexp.MustCompile(`# HELP thalweg_engine_(\S+)`).FindAllStringSubmatch(shown, -1)
	for _, m := range all {
		if !slices.Contains(names, m[1]) {
			t.Errorf("docs/serve.md does not name the metric %s", m[1])
		}
	}
	if len(all) < 20 {
		t.Errorf("void: %d metrics", len(all))
	}
}
