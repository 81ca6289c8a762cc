package hashed

import (
	"math/rand/v2"
	"testing"
)

func TestWordsGiveTheKeyBack(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	for n := 0; n <= Inline; n++ {
		for range 200 {
			b := make([]byte, n)
			for i := range b {
				b[i] = byte(r.IntN(3) * 100)
			}
			lo, hi := words(b)
			if got := AppendWords([]byte("x"), lo, hi, uint8(n)); string(got) != "x"+string(b) {
				t.Fatalf("words of % x give % x", b, got[1:])
			}
		}
	}
}

func TestHashSpreads(t *testing.T) {
	h := NewHasher(3, 4)
	var high, low [256]int
	const keys = 1 << 16
	for i := range keys {
		for _, pad := range []int{0, 20} {
			x := h.Key(append(make([]byte, pad), byte(i), byte(i>>8))).Hash
			high[x>>56]++
			low[x&255]++
		}
	}
	for i := range high {
		if mean := 2 * keys / 256; high[i] < mean/2 || high[i] > 2*mean || low[i] < mean/2 || low[i] > 2*mean {
			t.Fatalf("bucket %d holds %d by the high bits, %d by the low ones, mean %d", i, high[i], low[i], mean)
		}
	}
}
