package log

import (
	"encoding/binary"
	"fmt"
	"strconv"
	"strings"

	"github.com/cockroachdb/pebble/v2/vfs"
)

const (
	formatFile    = "FORMAT"
	formatPrefix  = "thalweg log "
	formatVersion = 2 // 1 had another WAL
	stateFile     = "STATE"
)

// checkFormat refuses a directory of a newer version, and one of an older version whose WAL is still needed; it marks
// others as of this version.
func checkFormat(fs vfs.FS, dir string, clean bool) error {
	b, err := readFile(fs, fs.PathJoin(dir, formatFile), 4096)
	if missing(err) {
		return replaceFile(fs, dir, formatFile, []byte(formatPrefix+strconv.Itoa(formatVersion)+"\n"))
	}
	if err != nil {
		return err
	}
	text, ok := strings.CutPrefix(string(b), formatPrefix)
	version, err := strconv.Atoi(strings.TrimSpace(text))
	if !ok || err != nil {
		return fmt.Errorf("%w: %s holds %q", ErrCorrupt, fs.PathJoin(dir, formatFile), b)
	}
	if version > formatVersion {
		return fmt.Errorf("%w: %s has format %d, this program knows up to %d: run the newer version", ErrFormat, dir, version, formatVersion)
	}
	if version == formatVersion {
		return nil
	}
	if !clean {
		return fmt.Errorf("%w: %s has format %d and was not closed: start and stop it once with the version that wrote it", ErrFormat, dir, version)
	}
	return replaceFile(fs, dir, formatFile, []byte(formatPrefix+strconv.Itoa(formatVersion)+"\n"))
}

// state is what a directory knows about its last use.
type state struct {
	epoch int32 // leader epoch
	clean bool  // everything is in the segments; the WAL need not be read
}

// readState returns the state of dir; fresh if there is none.
func readState(fs vfs.FS, dir string) (s state, fresh bool, err error) {
	path := fs.PathJoin(dir, stateFile)
	b, err := readFile(fs, path, 4096)
	if missing(err) {
		return state{clean: true}, true, nil
	}
	if err != nil {
		return s, false, err
	}
	if b, err = unseal(b); err != nil {
		return s, false, fmt.Errorf("%s: %w", path, err)
	}
	d := decoder{b: b}
	s.epoch, s.clean = d.i32(), d.u8() == 1
	if d.bad || len(d.b) > 0 {
		return s, false, fmt.Errorf("%w: %s", ErrCorrupt, path)
	}
	return s, false, nil
}

func writeState(fs vfs.FS, dir string, s state) error {
	b := binary.BigEndian.AppendUint32(nil, uint32(s.epoch))
	if s.clean {
		b = append(b, 1)
	} else {
		b = append(b, 0)
	}
	return replaceFile(fs, dir, stateFile, seal(b))
}
