package window_test

import (
	"strings"
	"testing"
	"time"

	"github.com/thalweg/thalweg/window"
)

// A calendar of one's own may be wrong: the record's window must hold the record.
func TestCalendarThatMissesItsTime(t *testing.T) {
	next := window.Calendar("next", func(at time.Time) (from, to time.Time) { return at.Add(time.Hour), at.Add(2 * time.Hour) })
	_, _, _, err := next.Bounds(0)
	if err == nil || !strings.Contains(err.Error(), "window: calendar next gives ") || !strings.Contains(err.Error(), " as the window of 1970-01-01") {
		t.Error(err)
	}
}
