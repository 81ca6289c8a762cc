package store

import (
	"bytes"
	"math/rand/v2"
	"testing"
)

func TestArenaGivesBack(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	var a arena
	held := map[uint64][]byte{}
	var most int64
	for range 20_000 {
		if len(held) < 200 && r.IntN(2) == 0 {
			key := bytes.Repeat([]byte{byte(r.IntN(256))}, 17+r.IntN(2000))
			held[a.put(key)] = key
		}
		for ref, key := range held {
			if !bytes.Equal(a.get(ref), key) {
				t.Fatalf("a key of %d bytes has changed", len(key))
			}
			if r.IntN(3) == 0 {
				a.drop(ref)
				delete(held, ref)
			}
			break
		}
		most = max(most, a.bytes)
	}
	if most > 8<<20 {
		t.Errorf("200 keys of 2 KB at most held %d bytes", most)
	}
}
