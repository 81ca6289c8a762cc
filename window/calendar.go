package window

import (
	"fmt"
	"time"
)

// What calendars have been known to do to a day, at the most: repeat it whole.
const dayMost = 48 * time.Hour

// Day returns calendar days in loc: 23, 24 or 25 hours long, as the clock there has it.
func Day(loc *time.Location) Windows {
	return inLocation("day", loc, dayMost, func(t time.Time) (start, end time.Time) {
		y, m, d := t.Date()
		return midnight(y, m, d, loc), midnight(y, m, d+1, loc)
	})
}

// Week returns calendar weeks in loc that begin on first.
func Week(loc *time.Location, first time.Weekday) Windows {
	return inLocation("week from "+first.String(), loc, 6*24*time.Hour+dayMost, func(t time.Time) (start, end time.Time) {
		y, m, d := t.Date()
		d -= (int(t.Weekday()) - int(first) + 7) % 7
		return midnight(y, m, d, loc), midnight(y, m, d+7, loc)
	})
}

// Month returns calendar months in loc.
func Month(loc *time.Location) Windows {
	return inLocation("month", loc, 30*24*time.Hour+dayMost, func(t time.Time) (start, end time.Time) {
		y, m, _ := t.Date()
		return midnight(y, m, 1, loc), midnight(y, m+1, 1, loc)
	})
}

// Calendar returns windows of the caller's own making: bounds gives the one window that holds t, and must be pure; it is
// given times in UTC. name stands for bounds in the topology's lock file. Since bounds does not say how long a window
// can be, an aggregate by such windows must be told how long to keep them: Options.Retention.
func Calendar(name string, bounds func(t time.Time) (start, end time.Time)) Windows {
	return Windows{kind: calendar, name: name, bounds: bounds}
}

// inLocation returns windows of at most that size, by local time.
func inLocation(name string, loc *time.Location, most time.Duration, bounds func(time.Time) (start, end time.Time)) Windows {
	if loc == nil {
		return Windows{kind: calendar, name: name + " in no location"} // Validate reports it
	}
	return Windows{kind: calendar, name: fmt.Sprintf("%s in %v", name, loc), size: most,
		bounds: func(t time.Time) (start, end time.Time) { return bounds(t.In(loc)) }}
}

// midnight returns the first instant of a day in loc; of a day that the calendar there leaves out, of the next one.
// Where clocks are moved at midnight it is a matter of its own: there may be no 00:00, or two.
func midnight(y int, m time.Month, d int, loc *time.Location) time.Time {
	y, m, d = time.Date(y, m, d, 12, 0, 0, 0, time.UTC).Date() // d may be beyond the month
	t := time.Date(y, m, d, 0, 0, 0, 0, loc)
	for {
		before := t.Add(-1)
		switch {
		case earlier(t, y, m, d):
			_, t = t.ZoneBounds() // no 00:00: the day begins as the clocks are moved
		case !earlier(before, y, m, d):
			hour, minute, second := before.Clock() // the second 00:00: the day began at the first
			t = before.Add(1 - time.Duration(hour)*time.Hour - time.Duration(minute)*time.Minute - time.Duration(second+1)*time.Second)
		default:
			return t
		}
	}
}

// earlier reports whether t lies on a day before that of the date.
func earlier(t time.Time, y int, m time.Month, d int) bool {
	ty, tm, td := t.Date()
	if ty != y {
		return ty < y
	}
	if tm != m {
		return tm < m
	}
	return td < d
}
