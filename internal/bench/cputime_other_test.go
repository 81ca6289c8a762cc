//go:build !linux

package bench

import (
	"testing"
	"time"
)

var began = time.Now()

// threadTime is the clock's time where the thread's own is not to be had.
func threadTime(*testing.B) time.Duration { return time.Since(began) }

func pin() (unpin func()) { return func() {} }
