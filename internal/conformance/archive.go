package conformance

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// suffix is how the archives end.
const suffix = ".tar.gz"

// limit is the size of an archive, at most: they lie in the repository.
const limit = 1 << 20

// skipped reports whether recordings of a family are for information alone.
func skipped(family string) bool { return family == "quirk" }

// Load reads every recording in dir, ordered by case and file: folders of <case>/<seed>.jsonl, archives of them, or
// both. Families that are for information alone are left out.
func Load(dir string) ([]*Recording, error) {
	var rs []*Recording
	add := func(name string, data []byte) error {
		if skipped(Family(name)) {
			return nil
		}
		r, err := Parse(data)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		rs = append(rs, r)
		return nil
	}
	archives, err := filepath.Glob(filepath.Join(dir, "*"+suffix))
	if err != nil {
		return nil, fmt.Errorf("conformance: %w", err)
	}
	for _, a := range archives {
		data, err := os.ReadFile(a)
		if err == nil {
			err = unpack(data, add)
		}
		if err != nil {
			return nil, fmt.Errorf("conformance: %s: %w", a, err)
		}
	}
	if err := eachFile(dir, add); err != nil {
		return nil, err
	}
	slices.SortStableFunc(rs, func(a, b *Recording) int { return strings.Compare(a.Case, b.Case) })
	return rs, nil
}

// eachFile calls f with every recording of a folder, in order.
func eachFile(dir string, f func(name string, data []byte) error) error {
	files, err := filepath.Glob(filepath.Join(dir, "*", "*.jsonl"))
	if err != nil {
		return fmt.Errorf("conformance: %w", err)
	}
	for _, path := range files {
		data, err := os.ReadFile(path)
		if err != nil {
			return fmt.Errorf("conformance: %w", err)
		}
		name := filepath.Base(filepath.Dir(path)) + "/" + filepath.Base(path)
		if err := f(name, data); err != nil {
			return err
		}
	}
	return nil
}

func unpack(archive []byte, f func(name string, data []byte) error) error {
	z, err := gzip.NewReader(bytes.NewReader(archive))
	if err != nil {
		return err
	}
	for t := tar.NewReader(z); ; {
		h, err := t.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		data, err := io.ReadAll(t)
		if err != nil {
			return err
		}
		if err := f(h.Name, data); err != nil {
			return err
		}
	}
}

// Pack writes the recordings of a folder into dir, an archive for each family. The same recordings give the same bytes.
func Pack(from, dir string) error {
	byFamily := map[string]*packing{}
	err := eachFile(from, func(name string, data []byte) error {
		family := Family(name)
		if skipped(family) {
			return nil
		}
		p := byFamily[family]
		if p == nil {
			p = newPacking()
			byFamily[family] = p
		}
		return p.add(name, data)
	})
	if err != nil {
		return err
	}
	if len(byFamily) == 0 {
		return fmt.Errorf("conformance: no recordings in %s", from)
	}
	for family, p := range byFamily {
		archive, err := p.close()
		if err != nil {
			return fmt.Errorf("conformance: pack %s: %w", family, err)
		}
		if len(archive) > limit {
			return fmt.Errorf("conformance: the archive of %s has %d bytes, at most %d may lie in the repository", family, len(archive), limit)
		}
		if err := os.WriteFile(filepath.Join(dir, family+suffix), archive, 0o644); err != nil {
			return fmt.Errorf("conformance: %w", err)
		}
	}
	return nil
}

// packing is an archive that grows.
type packing struct {
	buf *bytes.Buffer
	z   *gzip.Writer
	t   *tar.Writer
}

func newPacking() *packing {
	buf := &bytes.Buffer{}
	z, _ := gzip.NewWriterLevel(buf, gzip.BestCompression) // fails for unknown levels alone
	return &packing{buf, z, tar.NewWriter(z)}
}

func (p *packing) add(name string, data []byte) error {
	if err := p.t.WriteHeader(&tar.Header{Name: name, Mode: 0o644, Size: int64(len(data))}); err != nil {
		return err
	}
	_, err := p.t.Write(data)
	return err
}

func (p *packing) close() ([]byte, error) {
	err := errors.Join(p.t.Close(), p.z.Close())
	return p.buf.Bytes(), err
}
