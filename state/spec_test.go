package state_test

import (
	"strings"
	"testing"

	"github.com/thalweg/thalweg/internal/store"
	"github.com/thalweg/thalweg/serde"
	"github.com/thalweg/thalweg/state"
)

func TestStoreWithoutANameIsNotOpened(t *testing.T) {
	_, _, err := state.Open(state.NewKeyValue("", serde.String, serde.Int64), store.Env{})
	if err == nil || !strings.Contains(err.Error(), "state: a store without a name") {
		t.Error(err)
	}
}
