package stream_test

import (
	"time"

	"github.com/thalweg/thalweg/serde"
	"github.com/thalweg/thalweg/serde/windowed"
	"github.com/thalweg/thalweg/state"
	"github.com/thalweg/thalweg/topology"
)

// The topics of the examples.
var (
	numbers   = topology.NewTopic("numbers", serde.String, serde.Int64)
	more      = topology.NewTopic("more", serde.String, serde.Int64)
	texts     = topology.NewTopic("texts", serde.String, serde.String)
	results   = topology.NewTopic("results", serde.String, serde.Int64)
	labels    = topology.NewTopic("labels", serde.String, serde.String)
	perWindow = topology.NewTopic("per-window", windowed.Time(serde.String, 10*time.Millisecond), serde.Int64)
)

// seen is the store of a processor.
var seen = state.NewKeyValue("seen", serde.String, serde.Int64)
