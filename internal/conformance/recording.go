package conformance

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
)

// Recording is one input of one case, and what Kafka Streams made of it.
type Recording struct {
	Case     string         `json:"case"`
	Seed     uint64         `json:"seed"`
	Config   map[string]any `json:"config"` // settings of Kafka Streams other than the default
	Sources  []string       `json:"sources"`
	Sinks    []string       `json:"sinks"`
	Stores   []StoreInfo    `json:"stores"`
	Describe string         `json:"describe"` // the topology, as Kafka Streams describes it
	Steps    []Step         `json:"-"`
	Final    Final          `json:"-"`
}

// StoreInfo is a store's name and kind.
type StoreInfo struct{ Name, Kind string }

// Step is one record put in, or a move of the clock by Wall ms where In is nil, and what came of it.
type Step struct {
	In   *Record  `json:"in"`
	Wall int64    `json:"wall"`
	Out  []Record `json:"out"`
}

// Record is a record of a source or a sink. Key and Value are nil for null, a string, a json.Number for a Long, or a
// windowed key: a map of key, start and end.
type Record struct {
	Topic   string      `json:"topic"`
	Key     any         `json:"key"`
	Value   any         `json:"value"`
	TS      int64       `json:"ts"`
	Headers [][]*string `json:"headers"`
}

// Final is the state at the end.
type Final struct {
	Stores     map[string][]map[string]any `json:"stores"`
	Changelogs map[string][]Logged         `json:"changelogs"`
	Dropped    int64                       `json:"dropped"`
	// Repartition is every record written to internal topics, in their order, of some cases.
	Repartition map[string][]Logged `json:"repartition"`
}

// Logged is the last record of one key of a changelog. Value nil is a deleted key, TS nil a time left to the producer.
type Logged struct {
	Key   string  `json:"keyHex"` // "" for null too
	Value *string `json:"valueHex"`
	TS    *int64  `json:"ts"`
}

// Family returns the first part of a case's name.
func Family(name string) string {
	f, _, _ := strings.Cut(name, "-")
	return f
}

// Parse reads one recording: a header, a line for each step, the final state.
func Parse(data []byte) (*Recording, error) {
	lines := bytes.Split(bytes.TrimSpace(data), []byte("\n"))
	if len(lines) < 2 {
		return nil, fmt.Errorf("conformance: a recording of %d lines", len(lines))
	}
	r := &Recording{}
	if err := decode(lines[0], r); err != nil {
		return nil, fmt.Errorf("conformance: header: %w", err)
	}
	last := struct{ Final *Final }{&r.Final}
	if err := decode(lines[len(lines)-1], &last); err != nil {
		return nil, fmt.Errorf("conformance: %s/%d: final state: %w", r.Case, r.Seed, err)
	}
	for i, line := range lines[1 : len(lines)-1] {
		var s Step
		if err := decode(line, &s); err != nil {
			return nil, fmt.Errorf("conformance: %s/%d: step %d: %w", r.Case, r.Seed, i+1, err)
		}
		r.Steps = append(r.Steps, s)
	}
	return r, nil
}

func decode(line []byte, into any) error {
	d := json.NewDecoder(bytes.NewReader(line))
	d.UseNumber()
	return d.Decode(into)
}
