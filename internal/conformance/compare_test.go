package conformance_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/thalweg/thalweg/internal/conformance"
	"github.com/thalweg/thalweg/state"
	"github.com/thalweg/thalweg/stream/streamtest"
	"github.com/thalweg/thalweg/topology"
	"github.com/thalweg/thalweg/window"
)

// number is a recorded number.
func number(v any) int64 {
	n, err := v.(json.Number).Int64()
	if err != nil {
		panic(err)
	}
	return n
}

// encodings are the bytes that a recorded key or value can stand for; nil is null. A windowed key is that of a time
// window or of a session, whose encodings differ in length.
func encodings(v any) [][]byte {
	switch x := v.(type) {
	case nil:
		return [][]byte{nil}
	case string:
		return [][]byte{append([]byte{}, x...)}
	case json.Number:
		return [][]byte{binary.BigEndian.AppendUint64(nil, uint64(number(x)))}
	case map[string]any:
		key := encodings(x["key"])[0]
		start, end := uint64(number(x["start"])), uint64(number(x["end"]))
		timed := binary.BigEndian.AppendUint64(slices.Clone(key), start)
		session := binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(slices.Clone(key), end), start)
		return [][]byte{timed, session}
	}
	panic(fmt.Sprintf("a recorded value of type %T", v))
}

// same reports whether b are the bytes of a recorded key or value. Null and empty differ.
func same(recorded any, b []byte) bool {
	return slices.ContainsFunc(encodings(recorded), func(e []byte) bool { return (e == nil) == (b == nil) && bytes.Equal(e, b) })
}

// text shows a recorded value.
func text(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return string(b)
}

// outputs compares what a step wrote to the sinks with what was recorded, "" if it is the same.
func outputs(want []conformance.Record, got []sunk, ordered bool) string {
	if !ordered {
		want, got = slices.Clone(want), slices.Clone(got)
		slices.SortStableFunc(want, func(a, b conformance.Record) int { return strings.Compare(a.Topic, b.Topic) })
		slices.SortStableFunc(got, func(a, b sunk) int { return strings.Compare(a.topic, b.topic) })
	}
	if slices.EqualFunc(want, got, sameRecord) {
		return ""
	}
	var s strings.Builder
	for _, w := range want {
		fmt.Fprintf(&s, "want %s\n", text(w))
	}
	for _, g := range got {
		fmt.Fprintf(&s, "got  %s\n", g)
	}
	return s.String()
}

func sameRecord(want conformance.Record, got sunk) bool {
	if want.Topic != got.topic || !same(want.Key, got.Key) || !same(want.Value, got.Value) || want.TS != int64(got.Time) {
		return false
	}
	i := 0
	for k, v := range got.Headers.All() {
		if i == len(want.Headers) {
			return false
		}
		h := want.Headers[i]
		if i++; k != *h[0] || (h[1] == nil) != (v == nil) || h[1] != nil && *h[1] != string(v) {
			return false
		}
	}
	return i == len(want.Headers)
}

// String shows the record.
func (s sunk) String() string {
	text := fmt.Sprintf("%s %s = %s @%d", s.topic, show(s.Key), show(s.Value), s.Time)
	for k, v := range s.Headers.All() {
		text += fmt.Sprintf(" %s:%s", k, show(v))
	}
	return text
}

func show(b []byte) string {
	if b == nil {
		return "null"
	}
	return fmt.Sprintf("%q", b)
}

// generated reports whether a name is one that Kafka Streams has made.
func generated(name string) bool { return strings.Contains(name, "STATE-STORE-") }

// final compares stores, changelogs and the count of dropped records.
func final(t *testing.T, d *streamtest.Driver, rec *conformance.Recording, w *written) {
	for _, s := range rec.Stores {
		rows, ok := rec.Final.Stores[s.Name]
		if !ok || generated(s.Name) {
			continue // Kafka Streams cannot read it, or its name is not ours
		}
		read := readers[s.Kind]
		if read == nil {
			t.Errorf("store %s: stores of kind %q are not compared yet", s.Name, s.Kind)
			continue
		}
		if err := read(d, ours(rec, s.Name), rows); err != nil {
			t.Errorf("store %s: %v", s.Name, err)
		}
	}
	for topic, want := range rec.Final.Changelogs {
		if generated(topic) {
			continue
		}
		store := strings.TrimSuffix(strings.TrimPrefix(topic, "app-"), "-changelog")
		got := w.logs["test-"+store+"-changelog"]
		if got == nil {
			got = &changelog{}
		}
		for _, diff := range comparison(rec, store)(want, got) {
			t.Errorf("changelog of %s: %s", store, diff)
		}
	}
	for topic, want := range rec.Final.Repartition {
		log := w.logs["test-"+strings.TrimPrefix(topic, "app-")]
		for ours, l := range w.logs { // here a repartition topic bears the aggregate's name; no case has two
			if strings.HasSuffix(topic, "-repartition") && strings.HasSuffix(ours, "-repartition") {
				log = l
			}
		}
		if diff := hops(want, log); diff != nil {
			t.Errorf("%s: %v", topic, diff)
		}
	}
	dropped := int64(0)
	for _, n := range d.Dropped() {
		dropped += n
	}
	if dropped != rec.Final.Dropped {
		t.Errorf("dropped %d records, want %d: %v", dropped, rec.Final.Dropped, d.Dropped())
	}
}

// renamed are the stores that bear another name here, by case.
var renamed = map[string]map[string]string{
	// The store of a table that restores from its topic bears the topic's name.
	"tbl-source-reuse": {"t-store": "t"},
	"sgj-inner":        {"g-store": "gt"},
	"sgj-left":         {"g-store": "gt"},
	"sgj-left-by-key":  {"g-store": "gt"},
}

// ours is the name of a store of Kafka Streams here.
func ours(rec *conformance.Recording, store string) string {
	if name, ok := renamed[rec.Case][store]; ok {
		return name
	}
	return store
}

// readVersions compares the latest version of each key of the input, and the answers as of the times listed: those of
// the input at which the answer changes.
func readVersions(c state.Client, name string, want []map[string]any) error {
	for _, row := range want {
		key := encodings(row["key"])[0]
		asked := [][2]any{{json.Number("-1"), row["latest"]}}
		for _, a := range row["asOf"].([]any) {
			asked = append(asked, [2]any{a.([]any)[0], a.([]any)[1]})
		}
		for i, a := range asked {
			q := state.Question{Store: name, Op: "asof", Key: key, From: window.Instant(number(a[0]))}
			if i == 0 {
				q.Op = "get"
			}
			got := "null"
			for a, err := range c.Ask(context.Background(), q) {
				if err != nil {
					return err
				}
				got = text([]any{string(a.Value), a.Time})
			}
			if wanted := text(a[1]); got != wanted {
				return fmt.Errorf("%s %q %v: got %s, want %s", q.Op, key, a[0], got, wanted)
			}
		}
	}
	return nil
}

// readUnmatched compares the records that wait for a partner.
func readUnmatched(c state.Client, name string, want []map[string]any) error {
	var wanted, got []string
	for _, row := range want {
		wanted = append(wanted, fmt.Sprintf("%d %v %s %s", number(row["ts"]), row["side"], show(encodings(row["key"])[0]), show(encodings(row["value"])[0])))
	}
	for a, err := range c.Ask(context.Background(), state.Question{Store: name, Op: "all"}) {
		if err != nil {
			return err
		}
		at, side := binary.BigEndian.Uint64(a.Key), [...]string{"right", "left"}[a.Key[8]]
		for list := a.Value[5:]; len(list) > 0; {
			n := 4 + binary.BigEndian.Uint32(list)
			got = append(got, fmt.Sprintf("%d %s %s %s", at, side, show(a.Key[9:]), show(list[5:n])))
			list = list[n:]
		}
	}
	return difference(wanted, got)
}

// readSubscriptions compares keys and times: the values are in a format of Kafka Streams' own.
func readSubscriptions(c state.Client, name string, want []map[string]any) error {
	var wanted, got []string
	for _, row := range want {
		wanted = append(wanted, fmt.Sprintf("%v %d", row["keyHex"], number(row["ts"])))
	}
	for a, err := range c.Ask(context.Background(), state.Question{Store: name, Op: "all"}) {
		if err != nil {
			return err
		}
		got = append(got, fmt.Sprintf("%x %d", a.Key, a.Time))
	}
	return difference(wanted, got)
}

// readers compare the rows of a store with the recorded ones, by kind.
var readers = map[string]func(c state.Client, name string, want []map[string]any) error{
	"kv":        readRows("all", "key", "value"),
	"kv-ts":     readRows("all", "key", "value", "ts"),
	"window":    readRows("fetchall", "key", "start", "value"),
	"window-ts": readRows("fetchall", "key", "start", "value", "ts"),
	"session":   readRows("fetchall", "key", "start", "end", "value"),
	"versioned": readVersions,

	"join-unmatched":  readUnmatched,
	"fk-subscription": readSubscriptions,
}

// readRows reads all rows and compares the fields named. Rows of windows are compared as a sorted list: Kafka Streams'
// own order depends on its segments.
func readRows(op string, fields ...string) func(c state.Client, name string, want []map[string]any) error {
	return func(c state.Client, name string, want []map[string]any) error {
		var wanted, got []string
		for _, row := range want {
			line := ""
			for _, f := range fields {
				if f == "key" || f == "value" {
					line += fmt.Sprintf("%s %s ", f, show(encodings(row[f])[0]))
				} else {
					line += fmt.Sprintf("%s %d ", f, number(row[f]))
				}
			}
			wanted = append(wanted, line)
		}
		q := state.Question{Store: name, Op: op, To: window.Forever}
		for a, err := range c.Ask(context.Background(), q) {
			if err != nil {
				return err
			}
			line := ""
			for _, f := range fields {
				switch f {
				case "key":
					line += fmt.Sprintf("key %s ", show(a.Key))
				case "value":
					line += fmt.Sprintf("value %s ", show(a.Value))
				default:
					line += fmt.Sprintf("%s %d ", f, map[string]window.Instant{"ts": a.Time, "start": a.Start, "end": a.End}[f])
				}
			}
			got = append(got, line)
		}
		if op == "fetchall" {
			slices.Sort(wanted)
			slices.Sort(got)
		}
		return difference(wanted, got)
	}
}

// difference says what two lists do not share, nil if they are equal.
func difference(want, got []string) error {
	if slices.Equal(want, got) {
		return nil
	}
	var s strings.Builder
	for i := range max(len(want), len(got)) {
		w, g := "nothing", "nothing"
		if i < len(want) {
			w = want[i]
		}
		if i < len(got) {
			g = got[i]
		}
		if w != g {
			fmt.Fprintf(&s, "\n row %d: want %s\n row %d: got  %s", i, w, i, g)
			break
		}
	}
	return fmt.Errorf("%d rows, want %d%s", len(got), len(want), s.String())
}

// comparison says how the changelog of a store is compared.
func comparison(rec *conformance.Recording, store string) func([]conformance.Logged, *changelog) []string {
	for _, s := range rec.Stores {
		if s.Name == store && s.Kind == "buffer" {
			return sameKeys // the values are in a format of Kafka Streams' own
		}
	}
	switch {
	case strings.HasSuffix(store, "-join-store") && !strings.HasSuffix(store, "-shared-join-store"):
		return sameButNumbers
	case strings.HasSuffix(store, "-Buffer"):
		return sameKeys
	}
	return sameBytes
}

// sameBytes compares key, value and time of every live key; a deleted one may be absent.
func sameBytes(want []conformance.Logged, got *changelog) (diffs []string) {
	return compareLogs(want, got, func(w conformance.Logged, g topology.Record[[]byte, []byte]) bool {
		return *w.Value == hex.EncodeToString(g.Value) && (w.TS == nil || *w.TS == int64(g.Time))
	})
}

// hops compares the records of an internal topic, byte for byte.
func hops(want []conformance.Logged, log *changelog) error {
	var wanted, got []string
	for _, w := range want {
		wanted = append(wanted, fmt.Sprintf("%s=%s@%d", w.Key, *w.Value, *w.TS))
	}
	if log != nil {
		for _, r := range log.all {
			got = append(got, fmt.Sprintf("%x=%x@%d", r.Key, r.Value, r.Time))
		}
	}
	return difference(wanted, got)
}

// sameKeys compares which keys are live.
func sameKeys(want []conformance.Logged, got *changelog) (diffs []string) {
	return compareLogs(want, got, func(conformance.Logged, topology.Record[[]byte, []byte]) bool { return true })
}

func compareLogs(want []conformance.Logged, got *changelog, same func(conformance.Logged, topology.Record[[]byte, []byte]) bool) (diffs []string) {
	wanted := map[string]bool{}
	for _, w := range want {
		key, err := hex.DecodeString(w.Key)
		if err != nil {
			panic(err)
		}
		if w.Value == nil {
			continue
		}
		wanted[string(key)] = true
		g, ok := got.last[string(key)]
		if !ok || g.Value == nil || !same(w, g) {
			diffs = append(diffs, fmt.Sprintf("want %s, got %s", text(w), sunk{"", g}))
		}
	}
	for key, g := range got.last {
		if g.Value != nil && !wanted[key] {
			diffs = append(diffs, fmt.Sprintf("a live key too many: %s", sunk{"", g}))
		}
	}
	return diffs
}

// sameButNumbers compares the records of a join's side without the number that tells equal keys apart, which counts
// null values in Kafka Streams; what is null there is noise.
func sameButNumbers(want []conformance.Logged, got *changelog) (diffs []string) {
	const number = 4
	var wanted, have []string
	for _, w := range want {
		if w.Value != nil {
			wanted = append(wanted, fmt.Sprintf("%s=%s@%d", w.Key[:len(w.Key)-2*number], *w.Value, *w.TS))
		}
	}
	for key, g := range got.last {
		if g.Value != nil {
			have = append(have, fmt.Sprintf("%x=%x@%d", key[:len(key)-number], g.Value, g.Time))
		}
	}
	slices.Sort(wanted)
	slices.Sort(have)
	if err := difference(wanted, have); err != nil {
		diffs = append(diffs, err.Error())
	}
	return diffs
}
