//go:build slow && linux

package sim

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"unsafe"
)

// disk is an ext4 file system of its own, in a file, whose power can be cut.
type disk struct {
	t       *testing.T
	file    string
	at      string // where it is mounted
	mounted bool
}

// newDisk makes a disk that lasts as long as the test. Where that cannot be, for which one has to be root, the test is left out.
func newDisk(t *testing.T, bytes int64) *disk {
	t.Helper()
	dir := t.TempDir()
	d := &disk{t: t, file: filepath.Join(dir, "image"), at: filepath.Join(dir, "disk")}
	if os.Geteuid() != 0 {
		t.Skip("SKIPPED: only root can mount a file system")
	}
	for _, tool := range []string{"mkfs.ext4", "mount", "umount"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skip("SKIPPED: ", err)
		}
	}
	err := errors.Join(os.Mkdir(d.at, 0o700), os.WriteFile(d.file, nil, 0o600), os.Truncate(d.file, bytes))
	if err == nil {
		err = run("mkfs.ext4", "-q", "-F", d.file)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.unmount) // after the end of all processes that begin later
	if err := d.mount(); err != nil {
		t.Skip("SKIPPED: ", err)
	}
	return d
}

func run(name string, args ...string) error {
	if out, err := exec.Command(name, args...).CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w: %s", name, err, out)
	}
	return nil
}

// mount makes the disk's files appear; ext4 replays its journal.
func (d *disk) mount() error {
	err := run("mount", "-t", "ext4", "-o", "loop", d.file, d.at)
	d.mounted = err == nil
	return err
}

// unmount lets go of the disk, of which no file may be open.
func (d *disk) unmount() {
	if !d.mounted {
		return
	}
	d.mounted = false
	if err := run("umount", d.at); err != nil {
		d.t.Error(err)
	}
}

// shutdown is what ext4 still writes before it ends.
type shutdown uint32

// The flags of EXT4_IOC_SHUTDOWN.
const (
	everythingFirst shutdown = iota // EXT4_GOING_FLAGS_DEFAULT
	journalFirst                    // EXT4_GOING_FLAGS_LOGFLUSH
	nothingMore                     // EXT4_GOING_FLAGS_NOLOGFLUSH
)

// shutdownRequest is EXT4_IOC_SHUTDOWN, _IOR('X', 125, __u32).
const shutdownRequest = 0x8004587d

// cut has the file system end: from now on nothing reaches the disk, every write and sync fails, and what was not synced is gone
// with the next mount. What has been written below the file system stays: the disk is one without a cache of its own.
func (d *disk) cut(how shutdown) error {
	f, err := os.Open(d.at)
	if err != nil {
		return err
	}
	defer f.Close()
	var own, around syscall.Stat_t
	if err := errors.Join(syscall.Fstat(int(f.Fd()), &own), syscall.Stat(filepath.Dir(d.at), &around)); err != nil {
		return err
	}
	if own.Dev == around.Dev { // never the file system of the machine
		return fmt.Errorf("%s is not mounted", d.at)
	}
	if _, _, errno := syscall.Syscall(syscall.SYS_IOCTL, f.Fd(), shutdownRequest, uintptr(unsafe.Pointer(&how))); errno != 0 {
		return fmt.Errorf("EXT4_IOC_SHUTDOWN of %s: %w", d.at, errno)
	}
	return nil
}
