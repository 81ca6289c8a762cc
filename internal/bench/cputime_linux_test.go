package bench

import (
	"runtime"
	"syscall"
	"testing"
	"time"
)

// threadTime returns the CPU time of the calling thread so far. On a machine that others use it says more than the
// clock.
func threadTime(b *testing.B) time.Duration {
	const thread = 1 // RUSAGE_THREAD
	var u syscall.Rusage
	if err := syscall.Getrusage(thread, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// pin keeps the benchmark on its thread until the returned function is called.
func pin() (unpin func()) {
	runtime.LockOSThread()
	return runtime.UnlockOSThread
}
