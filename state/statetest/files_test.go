package statetest_test

import (
	"testing"

	"github.com/thalweg/thalweg/state/statetest"
)

func TestFilesAreATier(t *testing.T) { statetest.Tier(t, statetest.Files{}) }
