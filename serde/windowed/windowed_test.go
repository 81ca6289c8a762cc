package windowed_test

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"os"
	"strings"
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

// TestWindowsOfAKeyStayTogether shows by which bytes the partition of a windowed key is chosen.
func TestWindowsOfAKeyStayTogether(t *testing.T) {
	nested := windowed.Session(windowed.Time(serde.String, time.Second))
	k := window.Key[string]{Key: "ab", Start: 2000, End: 3000}
	for name, f := range map[string]func() ([]byte, any, error){
		"time": func() ([]byte, any, error) {
			s := windowed.Time(serde.String, time.Second)
			b, err := s.Append([]byte{}, k)
			return b, s, err
		},
		"session": func() ([]byte, any, error) {
			s := windowed.Session(serde.String)
			b, err := s.Append([]byte{}, k)
			return b, s, err
		},
		"both": func() ([]byte, any, error) {
			b, err := nested.Append([]byte{}, window.Key[window.Key[string]]{Key: k, Start: 1, End: 2})
			return b, nested, err
		},
	} {
		b, s, err := f()
		if got := serde.PartitionKey(s, b); err != nil || string(got) != "ab" {
			t.Errorf("%s: %q goes by %q, %v; want ab", name, b, got, err)
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

// TestKeysAreThoseOfJava reads and writes what Kafka Streams' own serializers wrote: testdata/java-windows.tsv, made by
// testdata/JavaWindows.java.
func TestKeysAreThoseOfJava(t *testing.T) {
	text, err := os.ReadFile("testdata/java-windows.tsv")
	if err != nil {
		t.Fatal(err)
	}
	serdes := map[string]serde.Serde[window.Key[string]]{"time": windowed.Time(serde.String, time.Second), "session": windowed.Session(serde.String)}
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	for _, line := range lines {
		parts := strings.Split(line, "\t")
		var k window.Key[string]
		k.Key = parts[1]
		if _, err := fmt.Sscan(parts[2]+" "+parts[3], &k.Start, &k.End); err != nil {
			t.Fatal(err)
		}
		b, err := hex.DecodeString(parts[4])
		if err != nil {
			t.Fatal(err)
		}
		s := serdes[parts[0]]
		if got, err := s.Decode(b); err != nil || got != k {
			t.Errorf("%s: read as %v, %v", line, got, err)
		}
		if got, err := s.Append([]byte{}, k); err != nil || !bytes.Equal(got, b) {
			t.Errorf("%s: written as %x, %v", line, got, err)
		}
	}
	if len(lines) != 14 {
		t.Errorf("%d vectors", len(lines))
	}
}
