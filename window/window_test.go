package window_test

import (
	"slices"
	"testing"
	"time"

	"github.com/thalweg/thalweg/window"
)

const ms = time.Millisecond

// TestStarts holds the windows of instants, near the epoch too.
func TestStarts(t *testing.T) {
	for _, c := range []struct {
		w    window.Windows
		t    window.Instant
		want []window.Instant
	}{
		{window.Tumbling(10 * ms), 0, []window.Instant{0}},
		{window.Tumbling(10 * ms), 9, []window.Instant{0}},
		{window.Tumbling(10 * ms), 10, []window.Instant{10}},
		{window.Hopping(10*ms, 5*ms), 3, []window.Instant{0}},
		{window.Hopping(10*ms, 5*ms), 5, []window.Instant{0, 5}},
		{window.Hopping(10*ms, 5*ms), 14, []window.Instant{5, 10}},
		{window.Hopping(10*ms, 3*ms), 10, []window.Instant{3, 6, 9}},
		{window.Hopping(12*ms, 5*ms), 24, []window.Instant{15, 20}},
	} {
		if got := slices.Collect(c.w.Starts(c.t)); !slices.Equal(got, c.want) {
			t.Errorf("%v at %d: %v, want %v", c.w, c.t, got, c.want)
		}
	}
}

// TestValidate holds what is refused.
func TestValidate(t *testing.T) {
	for _, w := range []window.Windows{{}, window.Tumbling(0), window.Tumbling(-ms), window.Hopping(10*ms, 11*ms), window.Hopping(10*ms, 0),
		window.Tumbling(time.Second).Grace(-ms), window.Tumbling(time.Microsecond * 1500),
		window.Sliding(0), window.Unlimited(-1), window.Unlimited(0).Grace(ms), window.Day(nil),
		window.Calendar("", nil)} {
		if w.Validate() == nil {
			t.Errorf("%v is accepted", w)
		}
	}
	for _, w := range []window.Windows{window.Tumbling(ms), window.Hopping(10*ms, 10*ms), window.Tumbling(time.Hour).Grace(time.Minute),
		window.Sliding(ms).Grace(ms), window.Unlimited(5), window.Week(time.UTC, time.Monday).Grace(time.Hour)} {
		if err := w.Validate(); err != nil {
			t.Error(err)
		}
	}
}

func TestSessions(t *testing.T) {
	for _, w := range []window.Sessions{{}, window.Session(0), window.Session(-ms), window.Session(ms).Grace(-ms), window.Session(ms + 1)} {
		if w.Validate() == nil {
			t.Errorf("%v is accepted", w)
		}
	}
	w := window.Session(5 * ms).Grace(3 * ms)
	if err := w.Validate(); err != nil || w.Gap() != 5 || w.GracePeriod() != 3 {
		t.Error(w, err)
	}
	if got := w.String(); got != "sessions with a gap of 5ms, grace 3ms" {
		t.Error(got)
	}
}

// TestUnlimited: what is earlier falls into no window.
func TestUnlimited(t *testing.T) {
	w := window.Unlimited(20)
	if s, e, ok, err := w.Bounds(20); s != 20 || e != window.Forever || !ok || err != nil {
		t.Error(s, e, ok, err)
	}
	if _, _, ok, err := w.Bounds(19); ok || err != nil {
		t.Error(ok, err)
	}
}

// TestInstants holds conversions and the end of time.
func TestInstants(t *testing.T) {
	if got := window.Forever.Plus(5); got != window.Forever {
		t.Errorf("Forever + 5 = %d", got)
	}
	at := window.At(time.Date(2026, 1, 2, 3, 4, 5, 6_999_999, time.UTC))
	if got := at.String(); got != "2026-01-02T03:04:05.006Z" {
		t.Errorf("got %s", got)
	}
	if d := at.Add(90 * time.Second).Sub(at); d != 90*time.Second {
		t.Errorf("got %v", d)
	}
}
