package log

import (
	"encoding/binary"
	"encoding/json"
	"fmt"

	"github.com/cockroachdb/pebble/v2/vfs"
)

const (
	metaFile      = "meta"
	manifestFile  = "manifest"
	manifestLimit = 1 << 30
	segmentSize   = 8 + 4 + 5*8 + 4 + 4
)

// manifest is the content of a partition's manifest file: all that recovery needs to know below the recovery point.
type manifest struct {
	start    int64
	recovery int64
	cleaned  int64
	segments []*segment
	entries  []int // of the segments' index files
	aborts   []int // of their lists of aborted transactions
	epochs   []epochStart
	ps       producers
}

// encodeManifest returns the manifest of the partition's present state.
func (p *Partition) encodeManifest() []byte {
	be := binary.BigEndian
	b := be.AppendUint64(nil, uint64(p.start))
	b = be.AppendUint64(b, uint64(p.end))
	b = be.AppendUint64(b, uint64(p.cleaned))
	b = be.AppendUint32(b, uint32(len(p.segments)))
	for _, s := range p.segments {
		b = be.AppendUint64(b, uint64(s.base))
		b = be.AppendUint32(b, uint32(s.gen))
		b = be.AppendUint64(b, uint64(s.end))
		b = be.AppendUint64(b, uint64(s.size))
		b = be.AppendUint64(b, uint64(s.max))
		b = be.AppendUint64(b, uint64(s.first))
		b = be.AppendUint64(b, uint64(s.touched))
		b = be.AppendUint32(b, uint32(s.index.count()))
		b = be.AppendUint32(b, uint32(len(s.aborted)))
	}
	b = be.AppendUint32(b, uint32(len(p.epochs)))
	for _, e := range p.epochs {
		b = be.AppendUint32(b, uint32(e.epoch))
		b = be.AppendUint64(b, uint64(e.start))
	}
	return seal(p.ps.encode(b))
}

// readManifest reads the manifest in dir; nil if there is none.
func readManifest(fs vfs.FS, dir string, interval int32) (*manifest, error) {
	path := fs.PathJoin(dir, manifestFile)
	b, err := readFile(fs, path, manifestLimit)
	if missing(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if b, err = unseal(b); err != nil {
		return nil, fmt.Errorf("%s: %w (remove it to have the log scanned; records deleted by DeleteRecords may come back)", path, err)
	}
	d := decoder{b: b}
	m := &manifest{start: d.i64(), recovery: d.i64(), cleaned: d.i64()}
	for range d.count(segmentSize) {
		s := newSegment(fs, dir, d.i64(), d.i32(), interval)
		s.segmentMeta = segmentMeta{d.i64(), d.i64(), d.i64(), d.i64(), d.i64()}
		s.flushed = s.size
		m.segments = append(m.segments, s)
		m.entries = append(m.entries, int(d.i32()))
		m.aborts = append(m.aborts, int(d.i32()))
	}
	for range d.count(12) {
		m.epochs = append(m.epochs, epochStart{d.i32(), d.i64()})
	}
	m.ps = decodeProducers(&d)
	if d.bad || len(d.b) > 0 || len(m.segments) == 0 {
		return nil, fmt.Errorf("%w: %s", ErrCorrupt, path)
	}
	return m, nil
}

// meta is the content of the meta file, in JSON behind a checksum.
type meta struct {
	Name     string
	Settings Settings
}

func writeMeta(fs vfs.FS, dir, name string, s Settings) error {
	b, err := json.Marshal(meta{name, s})
	if err != nil {
		return err
	}
	return replaceFile(fs, dir, metaFile, seal(b))
}

func readMeta(fs vfs.FS, dir string) (m meta, err error) {
	path := fs.PathJoin(dir, metaFile)
	b, err := readFile(fs, path, 1<<20)
	if err != nil {
		return m, err
	}
	if b, err = unseal(b); err != nil {
		return m, fmt.Errorf("%s: %w", path, err)
	}
	if err = json.Unmarshal(b, &m); err != nil {
		return m, fmt.Errorf("%w: %s: %w", ErrCorrupt, path, err)
	}
	return m, nil
}
