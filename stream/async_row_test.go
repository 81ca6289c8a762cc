package stream

import (
	"testing"

	"github.com/thalweg/thalweg/internal/batch"
	"github.com/thalweg/thalweg/internal/edge"
	"github.com/thalweg/thalweg/internal/hashed"
	"github.com/thalweg/thalweg/serde"
)

// TestAsyncRowsAreReadBack writes rows of all kinds and reads them, and refuses every beginning of one.
func TestAsyncRowsAreReadBack(t *testing.T) {
	a := &async[string, serde.Opt[string], int64]{key: serde.String, value: serde.Optional(serde.String)}
	headers := &edge.Headers{KV: []batch.KV{{Key: "trace", Value: []byte("7")}}}
	for _, m := range []edge.Meta{
		{Time: 5, Topic: "in", Partition: 3, Offset: 1 << 40, Key: hashed.Key{Bytes: []byte("k")}, Val: []byte("v"), Headers: headers},
		{Time: -1, Topic: "in", NoKey: true},
		{Key: hashed.Key{Bytes: []byte{}}, Val: []byte{}},
	} {
		c := &call[string, serde.Opt[string]]{meta: m, attempt: 2, due: 99}
		row := a.encode(c)
		got := &call[string, serde.Opt[string]]{}
		if err := a.decode(row, got); err != nil {
			t.Fatal(err)
		}
		g := got.meta
		if got.attempt != 2 || got.due != 99 || g.Time != m.Time || g.Topic != m.Topic || g.Partition != m.Partition || g.Offset != m.Offset ||
			g.NoKey != m.NoKey || string(g.Key.Bytes) != string(m.Key.Bytes) || (g.Val == nil) != (m.Val == nil) || string(g.Val) != string(m.Val) {
			t.Errorf("%+v was written, %+v is read", m, g)
		}
		if got.value.OK != (m.Val != nil) || got.value.Value != string(m.Val) || got.key != string(m.Key.Bytes) {
			t.Errorf("key %q, value %v of %+v", got.key, got.value, m)
		}
		h, err := g.List()
		if err != nil || (h == nil) != (m.Headers == nil) || h != nil && string(h.KV[0].Value) != "7" {
			t.Errorf("headers %v, %v", h, err)
		}
		whole := len(row)
		if m.Headers != nil {
			whole -= len(m.AppendRaw(nil)) // a row may end there
		}
		for n := range whole {
			if err := a.decode(row[:n], &call[string, serde.Opt[string]]{}); err == nil {
				t.Errorf("%d bytes of %d are taken for a row", n, len(row))
			}
		}
	}
}

// FuzzAsyncRow gives the decoder any bytes.
func FuzzAsyncRow(f *testing.F) {
	a := &async[string, string, int64]{key: serde.String, value: serde.String}
	f.Add(a.encode(&call[string, string]{meta: edge.Meta{Topic: "t", Key: hashed.Key{Bytes: []byte("k")}, Val: []byte("v")}}))
	f.Fuzz(func(t *testing.T, row []byte) {
		_ = a.decode(row, &call[string, string]{}) // any error will do, a panic will not
	})
}
