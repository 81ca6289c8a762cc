package stream_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/thalweg/thalweg/state"
	"github.com/thalweg/thalweg/stream"
	"github.com/thalweg/thalweg/stream/streamtest"
	"github.com/thalweg/thalweg/table"
	"github.com/thalweg/thalweg/topology"
	"github.com/thalweg/thalweg/window"
)

// TestExpiryIsADeletion shows what expires, when, in which order and at which time: rows last written more than the TTL
// ago, before the record that shows it, by time and key. It is passed on, and written to the changelog.
func TestExpiryIsADeletion(t *testing.T) {
	d := streamtest.New(t, func(b *topology.Builder) {
		rows := stream.From(b, lefts).ToTable("rows", state.Options{TTL: 10 * time.Millisecond})
		stream.Changes(rows).MapValues(func(c table.Change[string]) string {
			return c.Old.Or("-") + ">" + c.New.Or("-")
		}).To(joined)
	}, streamtest.Options{Partitions: 1})
	var log []string
	d.Written(func(topic string, r topology.Record[[]byte, []byte]) {
		if topic == "test-rows-changelog" && r.Value == nil {
			log = append(log, fmt.Sprintf("%s@%d", r.Key, int64(r.Time)))
		}
	})
	in, out := d.Topic(lefts), d.Topic(joined)
	for _, r := range []struct {
		at   window.Instant
		k, v string
		want string
	}{
		{0, "c", "1", "c=->1@0"},
		{3, "b", "1", "b=->1@3"},
		{3, "a", "1", "a=->1@3"},
		{10, "c", "2", "c=1>2@10"}, // exactly the TTL is not over it
		{13, "x", "1", "x=->1@13"},
		{14, "b", "2", "a=1>-@13 b=1>-@13 b=->2@14"},
		{2, "late", "1", "late=->1@2"},
		{14, "x", "2", "late=1>-@12 x=1>2@14"},
		{90, "y", "1", "c=2>-@20 b=2>-@24 x=2>-@24 y=->1@90"},
	} {
		in.PutAt(r.at, r.k, r.v)
		var got []string
		for _, o := range out.Read() {
			got = append(got, fmt.Sprintf("%s=%s@%d", o.Key, o.Value, int64(o.Time)))
		}
		if s := strings.Join(got, " "); s != r.want {
			t.Errorf("after (%s %s)@%d: %s, want %s", r.k, r.v, r.at, s, r.want)
		}
	}
	slices.Sort(log)
	if want := []string{"a@13", "b@24", "c@20", "late@12", "x@24"}; !slices.Equal(log, want) {
		t.Errorf("deletions in the changelog: %v, want %v", log, want)
	}
}
