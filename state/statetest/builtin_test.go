package statetest_test

import (
	"testing"

	"github.com/thalweg/thalweg/internal/hashed"
	"github.com/thalweg/thalweg/internal/store"
	"github.com/thalweg/thalweg/serde"
	"github.com/thalweg/thalweg/state"
	"github.com/thalweg/thalweg/state/statetest"
)

// forEach runs f over a store in memory and one on disk.
func forEach(t *testing.T, f func(t *testing.T, opts state.Options)) {
	t.Run("memory", func(t *testing.T) { f(t, state.Options{InMemory: true}) })
	t.Run("disk", func(t *testing.T) { f(t, state.Options{}) })
}

// opened opens a store and closes it with the test.
func opened[S any](t *testing.T, spec state.Spec[S]) S {
	t.Helper()
	db, err := store.OpenDB(nil, t.TempDir(), store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	h, st, err := state.Open(spec, store.Env{DB: db, Hasher: hashed.NewHasher(1, 2)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := h.(interface{ Failed() error }).Failed(); err != nil {
			t.Errorf("an iteration met %v", err)
		}
		if err := st.Close(); err != nil {
			t.Error(err)
		}
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return h.(S)
}

func TestKeyValue(t *testing.T) {
	forEach(t, func(t *testing.T, o state.Options) {
		statetest.KeyValue(t, func(t *testing.T) state.KeyValue[string, int64] {
			return opened(t, state.NewKeyValue("s", serde.String, serde.Int64, o))
		})
	})
}

func TestTimestamped(t *testing.T) {
	forEach(t, func(t *testing.T, o state.Options) {
		statetest.Timestamped(t, func(t *testing.T) state.Timestamped[string, int64] {
			return opened(t, state.NewTimestamped("s", serde.String, serde.Int64, o))
		})
	})
}

func TestWindow(t *testing.T) {
	forEach(t, func(t *testing.T, o state.Options) {
		statetest.Window(t, func(t *testing.T) state.Window[string, int64] {
			return opened(t, state.NewWindow("s", statetest.Size, statetest.Retention, serde.String, serde.Int64, o))
		})
	})
}
