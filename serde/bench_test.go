package serde_test

import (
	"bytes"
	"compress/flate"
	"crypto/aes"
	"crypto/cipher"
	"encoding/json"
	"errors"
	"testing"

	"github.com/thalweg/thalweg/serde"
)

// article is a value of some size, as JSON has them.
type article struct {
	ID    int64    `json:"id"`
	Title string   `json:"title"`
	Tags  []string `json:"tags"`
	Body  string   `json:"body"`
}

// BenchmarkBeside compares serdes with the bare libraries below them.
func BenchmarkBeside(b *testing.B) {
	v := article{7, "Thalweg", []string{"river", "bed"}, string(bytes.Repeat([]byte("the deepest and fastest water "), 20))}
	text, err := json.Marshal(v)
	if err != nil {
		b.Fatal(err)
	}
	buf := make([]byte, 0, 4096)
	plain, strict := serde.JSON[article](), serde.StrictJSON[article]()
	ring := &keyring{current: "2025"}
	sealed, packed := serde.Encrypted(serde.Bytes, ring.keys()), serde.Compressed(serde.Bytes)
	key, _ := ring.keys().Key("2025")
	block, err := aes.NewCipher(key)
	if err != nil {
		b.Fatal(err)
	}
	gcm, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		b.Fatal(err)
	}
	head := []byte("\x01\x042025") // authenticated too
	var out bytes.Buffer
	deflate, err := flate.NewWriter(&out, flate.DefaultCompression)
	if err != nil {
		b.Fatal(err)
	}
	for _, c := range []struct {
		name string
		f    func() error
	}{
		{"json append/bare", func() error { _, err := json.Marshal(v); return err }},
		{"json append/serde", func() error { _, err := plain.Append(buf, v); return err }},
		{"json decode/bare", func() error { var x article; return json.Unmarshal(text, &x) }},
		{"json decode/serde", func() error { _, err := plain.Decode(text); return err }},
		{"json decode/bare strict", func() error {
			var x article
			d := json.NewDecoder(bytes.NewReader(text))
			d.DisallowUnknownFields()
			return d.Decode(&x)
		}},
		{"json decode/serde strict", func() error { _, err := strict.Decode(text); return err }},
		{"encrypt/bare", func() error { gcm.Seal(buf, nil, text, head); return nil }},
		{"encrypt/serde", func() error { _, err := sealed.Append(buf, text); return err }},
		{"compress/bare", func() error {
			out.Reset()
			deflate.Reset(&out)
			_, err := deflate.Write(text)
			return errors.Join(err, deflate.Close())
		}},
		{"compress/serde", func() error { _, err := packed.Append(buf, text); return err }},
	} {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if err := c.f(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
