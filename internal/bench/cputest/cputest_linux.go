package cputest

import (
	"syscall"
	"testing"
	"time"
)

func ofProcess(t testing.TB) time.Duration { return usage(t, syscall.RUSAGE_SELF) }

func ofThread(t testing.TB) time.Duration {
	const thread = 1 // RUSAGE_THREAD
	return usage(t, thread)
}

func usage(t testing.TB, who int) time.Duration {
	t.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(who, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
