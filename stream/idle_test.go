package stream_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/thalweg/thalweg/serde"
	"github.com/thalweg/thalweg/stream"
	"github.com/thalweg/thalweg/stream/streamtest"
	"github.com/thalweg/thalweg/topology"
	"github.com/thalweg/thalweg/window"
)

// idleRun is a topology on one partition whose results are read as text.
type idleRun struct {
	*testing.T
	*streamtest.Driver
	in  *streamtest.Topic[string, string]
	out *streamtest.Topic[string, string]
}

func idle(t *testing.T, define func(*topology.Builder)) idleRun {
	d := streamtest.New(t, define, streamtest.Options{Partitions: 1})
	return idleRun{t, d, d.Topic(lefts), d.Topic(joined)}
}

func (r idleRun) want(what string, want string) {
	r.T.Helper()
	var got []string
	for _, o := range r.out.Read() {
		got = append(got, fmt.Sprintf("%s=%s@%d", o.Key, o.Value, int64(o.Time)))
	}
	if s := strings.Join(got, " "); s != want {
		r.T.Errorf("%s: %q, want %q", what, s, want)
	}
}

func spanText(k window.Key[string], n int64) (string, string) {
	return fmt.Sprintf("%s[%d,%d)", k.Key, int64(k.Start), int64(k.End)), fmt.Sprint(n)
}

// TestWindowsCloseWhenIdle closes the last windows once nothing has come for the idle time: by what the clock has moved,
// from the highest time seen; once, over crashes too; what comes later is late.
func TestWindowsCloseWhenIdle(t *testing.T) {
	r := idle(t, func(b *topology.Builder) {
		w := stream.From(b, lefts).GroupByKey().Windowed(window.Tumbling(10 * time.Second).Grace(2 * time.Second).CloseIdle(5 * time.Second))
		stream.WindowUpdates(w.Count("n").Final()).Map(spanText).To(joined)
	})
	r.in.PutAt(3_000, "a", "1")
	r.in.PutAt(9_000, "b", "1")
	r.Advance(2999 * time.Millisecond)
	r.want("the window is open at 11 999", "")
	r.Advance(time.Millisecond)
	r.want("idle for 3 s, less than is waited for", "")
	r.Advance(2 * time.Second)
	r.want("idle for 5 s: the time is 14 000, and 12 000 closes the window", "a[0,10000)=1@3000 b[0,10000)=1@9000")
	r.in.PutAt(9_500, "a", "late")
	r.want("late", "")
	if n := r.Dropped()["late"]; n != 1 {
		t.Errorf("%d late records, want 1", n)
	}
	r.in.PutAt(11_000, "a", "2")
	r.Advance(4 * time.Second)
	r.Crash(0)
	r.Restart(0)
	r.want("a crash", "")
	r.in.PutAt(9_600, "c", "late again")
	r.want("what was late stays late", "")
	r.Advance(4 * time.Second)
	r.want("idle begins anew with a start", "")
	r.Advance(4 * time.Second)
	r.want("the time is 22 000", "a[10000,20000)=1@11000")
	r.Crash(0)
	r.Restart(0)
	r.Advance(time.Hour)
	r.want("nothing closes twice", "")
	r.in.PutAt(19_000, "a", "late")
	r.in.PutAt(31_000, "a", "3")
	r.want("what closed stays closed", "")
	if n := r.Dropped()["late"]; n != 3 {
		t.Errorf("%d late records, want 3", n)
	}
}

// TestIdleTimeEnds shows that a quiet input is not committed for ever: once all has closed, the clock changes nothing.
func TestIdleTimeEnds(t *testing.T) {
	r := idle(t, func(b *topology.Builder) {
		w := stream.From(b, lefts).GroupByKey().Sessions(window.Session(10 * time.Second).CloseIdle(time.Second))
		stream.WindowUpdates(w.Count("n").Final()).Map(spanText).To(joined)
	})
	r.in.PutAt(1_000, "a", "1")
	for range 100 {
		r.Advance(time.Second)
	}
	r.want("closed", "a[1000,1000)=1@1000")
	r.in.PutAt(12_000, "a", "2")
	r.Advance(20 * time.Second)
	r.want("the time stood at 11 001, where the first session was over", "a[12000,12000)=1@12000")
}

// TestOtherWindowsCloseWhenIdle shows sliding windows, days, and updates without Final, where it decides what is late.
func TestOtherWindowsCloseWhenIdle(t *testing.T) {
	day := 24 * time.Hour
	r := idle(t, func(b *topology.Builder) {
		g := stream.From(b, lefts).GroupByKey()
		s := g.Windowed(window.Sliding(10 * time.Second).CloseIdle(time.Second)).Count("s").Final()
		stream.WindowUpdates(s).Map(spanText).To(joined)
		d := g.Windowed(window.Day(time.UTC).CloseIdle(time.Hour)).Count("d").Final()
		stream.WindowUpdates(d).Map(spanText).To(joined)
		g.Windowed(window.Hopping(10*time.Second, 5*time.Second).CloseIdle(time.Second)).Count("h")
	})
	r.in.PutAt(20_000, "a", "1")
	r.Advance(11 * time.Second)
	r.want("sliding", "a[10000,20000)=1@20000")
	r.Advance(day)
	r.want("days", fmt.Sprintf("a[0,%d)=1@20000", day.Milliseconds()))
	r.in.PutAt(20_000, "a", "2")
	if n := r.Dropped()["late"]; n != 4 { // a sliding, a day and two hopping windows
		t.Errorf("%d late windows, want 4", n)
	}
}

// TestRecordsWithoutPartnerLeaveWhenIdle is CloseIdle of joins.
func TestRecordsWithoutPartnerLeaveWhenIdle(t *testing.T) {
	r := idle(t, func(b *topology.Builder) {
		w := window.Within(10 * time.Second).Grace(2 * time.Second).CloseIdle(5 * time.Second)
		stream.From(b, lefts).OuterJoin("j", stream.From(b, rights), w, func(l, r serde.Opt[string]) string { return l.Or("-") + "/" + r.Or("-") }).To(joined)
	})
	other := r.Topic(rights)
	r.in.PutAt(1_000, "a", "1")
	other.PutAt(3_000, "b", "1")
	r.Advance(10 * time.Second)
	r.want("the time is 13 000", "")
	r.Advance(time.Second)
	r.want("the time is 14 000", "a=1/-@1000")
	r.Crash(0)
	r.Restart(0)
	r.Advance(5 * time.Second)
	r.want("the time is 16 001 and more", "b=-/1@3000")
	r.in.PutAt(1_500, "c", "late")
	r.want("what comes late waits no more", "c=late/-@1500")
	r.Advance(time.Hour)
	r.want("nothing leaves twice", "")
}

// TestAppClosesIdleWindows reads what has closed of an app that nothing follows: on the bundled engine, by the clock.
func TestAppClosesIdleWindows(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
	defer cancel()
	a, _ := start(t, func(b *topology.Builder) {
		w := stream.From(b, lefts).GroupByKey().Windowed(window.Tumbling(200 * time.Millisecond).CloseIdle(300 * time.Millisecond))
		stream.WindowUpdates(w.Count("n").Final()).Map(spanText).To(joined)
	}, stream.Config{Dir: t.TempDir(), Workers: 1})
	w := stream.NewWriter(a, lefts)
	if err := w.PutRecord(ctx, topology.Record[string, string]{Key: "a", Value: "1", Time: 1_000_050}); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	for r, err := range stream.Read(ctx, a, joined) {
		if err != nil {
			t.Fatal(err)
		}
		if r.Key != "a[1000000,1000200)" || r.Value != "1" {
			t.Errorf("closed: %s %s", r.Key, r.Value)
		}
		break
	}
}
