// Package cputest tells tests and benchmarks what CPU time code takes. On a machine that others use it says more than the
// clock does.
package cputest

import (
	"runtime"
	"testing"
	"time"
)

// Process returns the CPU time of the process so far.
func Process(t testing.TB) time.Duration { return ofProcess(t) }

// Thread returns the CPU time of the calling thread so far.
func Thread(t testing.TB) time.Duration { return ofThread(t) }

// Pin keeps the caller on its thread until the returned function is called.
func Pin() (unpin func()) {
	runtime.LockOSThread()
	return runtime.UnlockOSThread
}
