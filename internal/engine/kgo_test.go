//go:build slow

package engine

import (
	"flag"
	"net"
	"os"
	"os/exec"
	"strconv"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
)

var (
	kgoRecords = flag.Int("kgo.records", 20000, "records of franz-go's tests")
	kgoPattern = flag.String("kgo.run", "TestGroupETL|TestTxnEtl", "which of franz-go's tests to run")
)

// TestFranzGoOwnTests runs the group and transaction tests of the client library against an engine on disk.
func TestFranzGoOwnTests(t *testing.T) {
	for _, version := range []int{1, 2} {
		t.Run("transaction.version="+strconv.Itoa(version), func(t *testing.T) {
			cfg := Defaults()
			cfg.TransactionVersion = version
			e := openAt(t, vfs.Default, t.TempDir(), cfg)
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			served := make(chan error, 1)
			go func() { served <- e.Serve(l) }()
			cmd := exec.CommandContext(t.Context(), "./kgotest.sh", l.Addr().String(), strconv.Itoa(*kgoRecords), *kgoPattern)
			cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
			if err := cmd.Run(); err != nil {
				t.Error(err)
			}
			closeEngine(t, e)
			if err := <-served; err != nil {
				t.Error(err)
			}
		})
	}
}
