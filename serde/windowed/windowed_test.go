package windowed_test

import (
	"bytes"
	"testing"
	"time"

	"github.com/thalweg/thalweg/serde"
	"github.com/thalweg/thalweg/serde/windowed"
	"github.com/thalweg/thalweg/window"
)

// TestKeysAreKafkaStreams compares with the layouts of Kafka Streams: key, start; and key, end, start.
func TestKeysAreKafkaStreams(t *testing.T) {
	for _, c := range []struct {
		s    serde.Serde[window.Key[string]]
		k    window.Key[string]
		want []byte
	}{
		{windowed.Time(serde.String, time.Second), window.Key[string]{Key: "ab", Start: 2000, End: 3000}, []byte{'a', 'b', 0, 0, 0, 0, 0, 0, 7, 208}},
		{windowed.Time(serde.String, time.Second), window.Key[string]{Start: window.Forever - 1, End: window.Forever}, []byte{127, 255, 255, 255, 255, 255, 255, 254}},
		{windowed.Session(serde.String), window.Key[string]{Key: "a", Start: 1, End: 256}, []byte{'a', 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 1}},
	} {
		got, err := c.s.Append([]byte{}, c.k)
		if err != nil || !bytes.Equal(got, c.want) {
			t.Errorf("%v is written as %x, %v; want %x", c.k, got, err, c.want)
		}
		back, err := c.s.Decode(c.want)
		if err != nil || back != c.k {
			t.Errorf("%x is read as %v, %v; want %v", c.want, back, err, c.k)
		}
		if _, err := c.s.Decode(c.want[len(c.want)-7:]); err == nil {
			t.Error("a key that is too short is read")
		}
	}
}

// FuzzDecode hands any bytes to both decoders: what is read is written as the same bytes.
func FuzzDecode(f *testing.F) {
	f.Add([]byte("ab\x00\x00\x00\x00\x00\x00\x07\xd0\x00\x00\x00\x00\x00\x00\x07\xd0"))
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, s := range []serde.Serde[window.Key[string]]{windowed.Time(serde.String, time.Second), windowed.Session(serde.String)} {
			k, err := s.Decode(data)
			if err != nil {
				continue
			}
			if b, err := s.Append([]byte{}, k); err != nil || !bytes.Equal(b, data) {
				t.Errorf("%s: %x is read as %v and written as %x, %v", serde.Name(s), data, k, b, err)
			}
		}
	})
}
