package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"os"
	"slices"
	"sync/atomic"
	"time"

	"github.com/schollz/progressbar/v3"

	"github.com/thalweg/thalweg/serde"
	"github.com/thalweg/thalweg/stream"
	"github.com/thalweg/thalweg/topology"
)

// progress shows how far the program is: a bar on a terminal, otherwise a line every few seconds.
type progress struct {
	out   io.Writer
	bar   *progressbar.ProgressBar // nil: not a terminal
	bytes atomic.Int64
	last  time.Time
}

// plainEvery is how often a line is printed where there is no terminal.
const plainEvery = 5 * time.Second

func newProgress(out io.Writer, size int64) *progress {
	p := &progress{out: out, last: time.Now()}
	f, ok := out.(*os.File)
	if !ok {
		return p
	}
	if info, err := f.Stat(); err == nil && info.Mode()&os.ModeCharDevice != 0 {
		if size == 0 {
			size = -1 // unknown: a spinner
		}
		p.bar = progressbar.NewOptions64(size, progressbar.OptionSetWriter(f), progressbar.OptionShowBytes(true),
			progressbar.OptionFullWidth(), progressbar.OptionThrottle(100*time.Millisecond), progressbar.OptionClearOnFinish())
	}
	return p
}

// skip counts what an earlier run has fed.
func (p *progress) skip(in *input, at position) {
	n := at.Offset
	for _, size := range in.sizes[:at.File] {
		n += size
	}
	p.fed(int(n))
}

func (p *progress) fed(n int) {
	p.bytes.Add(int64(n))
	if p.bar != nil {
		_ = p.bar.Add(n) // a bar that cannot be drawn is no reason to stop
	}
}

// show says what the app has done so far.
func (p *progress) show(a *stream.App, began time.Time) {
	g := a.Progress()
	text := fmt.Sprintf("%.0f words/s, %d distinct in %.1f MB, %d commits", float64(g.Records)/time.Since(began).Seconds(), g.StateRows,
		float64(g.StateBytes)/1e6, g.Commits)
	if p.bar != nil {
		p.bar.Describe(text)
		return
	}
	if time.Since(p.last) >= plainEvery {
		p.last = time.Now()
		fmt.Fprintf(p.out, "%.1f MB fed, %s\n", float64(p.bytes.Load())/1e6, text)
	}
}

// watch shows the progress of the app until work is done.
func (p *progress) watch(ctx context.Context, a *stream.App, work func(context.Context) error) error {
	done := make(chan error, 1)
	go func() { done <- work(ctx) }()
	began, t := time.Now(), time.NewTicker(200*time.Millisecond)
	defer t.Stop()
	for {
		select {
		case err := <-done:
			return err
		case <-t.C:
			p.show(a, began)
		}
	}
}

func (p *progress) end() {
	if p.bar != nil {
		_ = p.bar.Finish()
	}
}

// row is a word and how often it came.
type row struct {
	word string
	n    int64
}

// read returns the counts in the order of the words. It reads the changelog of the table, which is the table: all of it,
// though this process may hold a part only.
func read(ctx context.Context, a *stream.App, name string) ([]row, error) {
	changelog := topology.NewTopic(name+"-counts-changelog", serde.String, serde.Int64)
	latest := map[string]int64{}
	for r, err := range stream.Read(ctx, a, changelog, stream.ReadOptions{ToEnd: true}) {
		if err != nil {
			return nil, err
		}
		latest[r.Key] = r.Value
	}
	rows := make([]row, 0, len(latest))
	for w, n := range latest {
		rows = append(rows, row{w, n})
	}
	slices.SortFunc(rows, func(a, b row) int { return cmp.Compare(a.word, b.word) })
	return rows, nil
}

// report prints the most frequent words.
func report(rows []row, out io.Writer, began time.Time) {
	total := int64(0)
	for _, r := range rows {
		total += r.n
	}
	slices.SortStableFunc(rows, func(a, b row) int { return cmp.Compare(b.n, a.n) })
	for _, r := range rows[:min(20, len(rows))] {
		fmt.Fprintf(out, "%10d  %s\n", r.n, r.word)
	}
	fmt.Fprintf(out, "%d words, %d distinct, in %v\n", total, len(rows), time.Since(began).Round(time.Millisecond))
}

// write puts all counts into a file, which is there whole or not at all.
func write(name string, rows []row) error {
	var text []byte
	for _, r := range rows {
		text = fmt.Appendf(text, "%s\t%d\n", r.word, r.n)
	}
	if err := os.WriteFile(name+".part", text, 0o644); err != nil {
		return err
	}
	return os.Rename(name+".part", name)
}
