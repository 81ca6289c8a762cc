package window_test

import (
	"strings"
	"testing"
	"time"
	_ "time/tzdata"

	"pgregory.net/rapid"

	"github.com/thalweg/thalweg/window"
)

func location(t testing.TB, name string) *time.Location {
	loc, err := time.LoadLocation(name)
	if err != nil {
		t.Fatal(err)
	}
	return loc
}

// Zones where clocks are moved at midnight, where a day was left out, and where they are moved by half an hour.
var zones = []string{"UTC", "Europe/Berlin", "America/Sao_Paulo", "Atlantic/Azores", "America/Havana", "Pacific/Apia", "Australia/Lord_Howe", "Asia/Kathmandu"}

// TestCalendarsPartTime: every instant has one window, which its first and last instant share, and the next window begins
// where it ends.
func TestCalendarsPartTime(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		loc := location(t, rapid.SampledFrom(zones).Draw(r, "zone"))
		w := rapid.SampledFrom([]window.Windows{
			window.Day(loc), window.Week(loc, time.Sunday), window.Week(loc, time.Thursday), window.Month(loc),
		}).Draw(r, "windows")
		at := window.Instant(rapid.Int64Range(0, 4e12).Draw(r, "instant"))
		start, end, ok, err := w.Bounds(at)
		if err != nil || !ok || start > at || at >= end {
			r.Fatalf("%v at %v: %v to %v, %v %v", w, at, start, end, ok, err)
		}
		for _, in := range []window.Instant{start, end - 1} {
			if s, e, _, err := w.Bounds(in); s != start || e != end || err != nil {
				r.Fatalf("%v at %v: %v to %v, but at %v: %v to %v %v", w, at, start, end, in, s, e, err)
			}
		}
		if s, _, _, err := w.Bounds(end); s != end || err != nil {
			r.Fatalf("%v: a window ends at %v, the next begins at %v, %v", w, end, s, err)
		}
		if w.End(start) != end || end-start > w.Size() {
			r.Fatalf("%v at %v: ends at %v, want %v; size %d", w, at, w.End(start), end, w.Size())
		}
	})
}

func TestDays(t *testing.T) {
	for _, c := range []struct {
		zone, at, start, end string
	}{
		{"Europe/Berlin", "2024-03-31T12:00:00Z", "2024-03-30T23:00:00Z", "2024-03-31T22:00:00Z"},     // 23 hours
		{"Europe/Berlin", "2024-10-27T12:00:00Z", "2024-10-26T22:00:00Z", "2024-10-27T23:00:00Z"},     // 25 hours
		{"America/Sao_Paulo", "2018-11-04T12:00:00Z", "2018-11-04T03:00:00Z", "2018-11-05T02:00:00Z"}, // no 00:00
		{"America/Havana", "2018-11-04T12:00:00Z", "2018-11-04T04:00:00Z", "2018-11-05T05:00:00Z"},    // 00:00 twice
		{"Pacific/Apia", "2011-12-30T09:59:59Z", "2011-12-29T10:00:00Z", "2011-12-30T10:00:00Z"},      // the 30th is left out
	} {
		at, err := time.Parse(time.RFC3339, c.at)
		if err != nil {
			t.Fatal(err)
		}
		start, end, _, err := window.Day(location(t, c.zone)).Bounds(window.At(at))
		if start.String() != c.start || end.String() != c.end || err != nil {
			t.Errorf("%s, %s: %v to %v, %v, want %s to %s", c.zone, c.at, start, end, err, c.start, c.end)
		}
	}
}

// TestOwnCalendar: bounds of the caller's own are checked.
func TestOwnCalendar(t *testing.T) {
	hours := window.Calendar("hours", func(t time.Time) (start, end time.Time) {
		start = t.Truncate(time.Hour)
		return start, start.Add(time.Hour)
	})
	if s, e, ok, err := hours.Bounds(5_000_000); s != 3_600_000 || e != 7_200_000 || !ok || err != nil {
		t.Error(s, e, ok, err)
	}
	wrong := window.Calendar("wrong", func(t time.Time) (start, end time.Time) { return t.Add(1), t.Add(time.Hour) })
	if _, _, _, err := wrong.Bounds(0); err != nil {
		t.Error("a difference finer than a millisecond counts:", err)
	}
	wrong = window.Calendar("wrong", func(t time.Time) (start, end time.Time) { return t.Add(time.Second), t.Add(time.Hour) })
	if _, _, _, err := wrong.Bounds(0); err == nil || !strings.Contains(err.Error(), "wrong") {
		t.Error(err)
	}
}

// A calendar of one's own may be wrong: the record's window must hold the record.
func TestCalendarThatMissesItsTime(t *testing.T) {
	next := window.Calendar("next", func(at time.Time) (from, to time.Time) { return at.Add(time.Hour), at.Add(2 * time.Hour) })
	_, _, _, err := next.Bounds(0)
	if err == nil || !strings.Contains(err.Error(), "window: calendar next gives ") || !strings.Contains(err.Error(), " as the window of 1970-01-01") {
		t.Error(err)
	}
}
