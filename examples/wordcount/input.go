package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/thalweg/thalweg/serde"
	"github.com/thalweg/thalweg/stream"
	"github.com/thalweg/thalweg/topology"
	"github.com/thalweg/thalweg/window"
)

// input is the text: files in a lasting order, or standard input.
type input struct {
	files []string
	sizes []int64
	size  int64 // bytes in all; 0: unknown
	id    string
}

// position is how far a Feed has come: it is committed together with the lines before it.
type position struct {
	Input  string `json:"input"` // which text
	File   int    `json:"file"`
	Offset int64  `json:"offset"`
	Done   bool   `json:"done,omitempty"`
}

// Sizes of what is fed at once.
const (
	lineMost   = 256 << 10 // a longer line is parted between two words
	commitSize = 1 << 20   // bytes of text in a transaction
	commitTime = 200 * time.Millisecond
)

// openInput finds the files: those named, the .go files in folders named, or the sources of the Go toolchain.
func openInput(args []string) (*input, error) {
	if len(args) == 1 && args[0] == "-" {
		return &input{files: []string{"-"}, sizes: []int64{0}, id: "-"}, nil
	}
	folder := ""
	if len(args) == 0 {
		root, err := exec.Command("go", "env", "GOROOT").Output()
		if err != nil {
			return nil, fmt.Errorf("go env GOROOT: %w", err)
		}
		folder = filepath.Join(strings.TrimSpace(string(root)), "src")
		args = []string{folder}
	}
	in := &input{}
	id := fnv.New64a()
	for _, arg := range args {
		err := filepath.WalkDir(arg, func(path string, e fs.DirEntry, err error) error {
			if err != nil || e.IsDir() {
				return err
			}
			if folder != "" && filepath.Ext(path) != ".go" || !e.Type().IsRegular() && path != arg {
				return nil
			}
			info, err := os.Stat(path)
			if err != nil {
				return err
			}
			in.files, in.sizes = append(in.files, path), append(in.sizes, info.Size())
			in.size += info.Size()
			fmt.Fprintln(id, path, info.Size())
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	if len(in.files) == 0 {
		return nil, fmt.Errorf("no files in %s", strings.Join(args, " "))
	}
	in.id = fmt.Sprintf("%d files %x", len(in.files), id.Sum64())
	return in, nil
}

// feed puts the text in from where the last commit stood. finished says that there was nothing left to put in.
func feed(ctx context.Context, f *stream.Feed[serde.Void, string], in *input, p *progress, out io.Writer) (finished bool, err error) {
	var at position
	if text := f.Position(); text != "" {
		if err := json.Unmarshal([]byte(text), &at); err != nil {
			return false, fmt.Errorf("position %q: %w", text, err)
		}
		if at.Input != in.id {
			return false, errors.New("this folder holds the counts of another text: give another -dir, or remove it")
		}
		if at.Done {
			return true, nil
		}
		fmt.Fprintf(out, "going on at byte %d of %s\n", at.Offset, in.files[at.File])
	}
	at.Input = in.id
	p.skip(in, at)
	x := &feeder{f: f, p: p, at: at, last: time.Now()}
	for ; x.at.File < len(in.files); x.at.File, x.at.Offset = x.at.File+1, 0 {
		if err := x.file(ctx, in.files[x.at.File]); err != nil {
			return false, err
		}
	}
	x.at = position{Input: in.id, Done: true}
	return false, x.commit(ctx)
}

// feeder is a feed under way.
type feeder struct {
	f    *stream.Feed[serde.Void, string]
	p    *progress
	at   position
	size int
	last time.Time
	buf  []byte // of the scanner
}

func (x *feeder) commit(ctx context.Context) error {
	text, err := json.Marshal(x.at)
	if err != nil {
		return err
	}
	x.size, x.last = 0, time.Now()
	return x.f.Commit(ctx, string(text))
}

// file feeds one file from the offset of the position on.
func (x *feeder) file(ctx context.Context, name string) error {
	r := io.Reader(os.Stdin)
	if name != "-" {
		file, err := os.Open(name)
		if err != nil {
			return err
		}
		defer file.Close()
		if _, err := file.Seek(x.at.Offset, io.SeekStart); err != nil {
			return err
		}
		r = file
	} else if _, err := io.CopyN(io.Discard, r, x.at.Offset); err != nil {
		return fmt.Errorf("standard input is shorter than what was read before: %w", err)
	}
	lines := bufio.NewScanner(r)
	if x.buf == nil {
		x.buf = make([]byte, 0, lineMost)
	}
	lines.Buffer(x.buf, lineMost)
	lines.Split(splitLines)
	for lines.Scan() {
		if err := x.line(ctx, lines.Bytes()); err != nil {
			return err
		}
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("%s: after byte %d: %w", name, x.at.Offset, err)
	}
	return nil
}

func (x *feeder) line(ctx context.Context, line []byte) error {
	text := strings.TrimRight(string(line), "\r\n")
	err := x.f.PutRecord(ctx, topology.Record[serde.Void, string]{Value: text, Time: window.At(x.last), NoKey: true})
	if err != nil {
		return err
	}
	x.at.Offset += int64(len(line))
	x.size += len(line)
	x.p.fed(len(line))
	if x.size < commitSize && time.Since(x.last) < commitTime {
		return nil
	}
	return x.commit(ctx)
}

// splitLines gives lines with their ends. One that does not fit is parted behind the last byte that is in no word.
func splitLines(data []byte, atEOF bool) (advance int, token []byte, err error) {
	if i := bytes.IndexByte(data, '\n'); i >= 0 {
		return i + 1, data[:i+1], nil
	}
	if len(data) >= lineMost {
		i := bytes.LastIndexFunc(data, func(r rune) bool { return r < utf8.RuneSelf && !unicode.IsLetter(r) && !unicode.IsDigit(r) })
		if i < 0 {
			return 0, nil, fmt.Errorf("a word of more than %d bytes", len(data))
		}
		return i + 1, data[:i+1], nil
	}
	if atEOF && len(data) > 0 {
		return len(data), data, nil
	}
	return 0, nil, nil
}
