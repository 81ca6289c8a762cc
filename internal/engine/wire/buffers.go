package wire

import (
	"math/bits"
	"sync"
)

// Buffers are recycled by size class, powers of two from 4 KiB to 4 MiB; larger ones are left to the collector.
const (
	smallestClass = 12
	largestClass  = 22
)

var bufferPools [largestClass + 1]sync.Pool

// getBuffer returns an empty buffer with room for at least n bytes.
func getBuffer(n int) []byte {
	class := max(bits.Len(uint(max(n, 1)-1)), smallestClass)
	if class > largestClass {
		return make([]byte, 0, n)
	}
	if b, ok := bufferPools[class].Get().(*[]byte); ok {
		return (*b)[:0]
	}
	return make([]byte, 0, 1<<class)
}

// putBuffer gives a buffer back; nothing may refer to it any more.
func putBuffer(b []byte) {
	class := bits.Len(uint(cap(b))) - 1
	if class < smallestClass || class > largestClass {
		return
	}
	b = b[:0]
	bufferPools[class].Put(&b)
}
