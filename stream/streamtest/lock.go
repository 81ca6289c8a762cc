package streamtest

import (
	"errors"
	"flag"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/thalweg/thalweg/topology"
)

// updateEnv writes golden files anew. It is no flag: to register one at import could meet one of the test's own.
const updateEnv = "THALWEG_UPDATE"

// update reports whether golden files are to be written: by the environment, or by a flag -update of the test's own.
func update() bool {
	f := flag.Lookup("update")
	return os.Getenv(updateEnv) != "" || f != nil && f.Value.String() == "true"
}

// CheckLock compares the topology's lock with the file, and fails on every difference: on what leaves state behind, and
// on what the file does not say yet. go test -update writes the file, the app's name in it being the driver's.
func (d *Driver) CheckLock(file string) {
	d.t.Helper()
	is := d.topo.Lock()
	if update() {
		text, err := is.MarshalText()
		if err == nil {
			err = errors.Join(os.MkdirAll(filepath.Dir(file), 0o755), os.WriteFile(file, text, 0o644))
		}
		if err != nil {
			d.t.Fatalf("streamtest: %v", err)
		}
		return
	}
	text, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		d.t.Fatalf("streamtest: %v: %s=1 go test writes it", err, updateEnv)
	}
	if err != nil {
		d.t.Fatalf("streamtest: %v", err)
	}
	was, err := topology.ParseLock(text)
	if err != nil {
		d.t.Fatalf("streamtest: %s: %v", file, err)
	}
	for _, diff := range was.Diff(is) {
		d.t.Errorf("streamtest: %s: %v; %s=1 go test takes the change", file, diff, updateEnv)
	}
}
