package window

import (
	"strings"
	"testing"
	"time"
)

func TestJoinWindows(t *testing.T) {
	j := Within(10 * time.Second).Before(-time.Second).Grace(2 * time.Second)
	if before, after := j.Reach(); before != -1000 || after != 10_000 || j.GracePeriod() != 2000 || j.Retention() != 11_000 {
		t.Error(before, after, j.GracePeriod(), j.Retention())
	}
	if r := Within(0).Retention(); r != 1 {
		t.Errorf("records of one time join, but are kept for %d ms", r)
	}
	if err := j.Validate(); err != nil {
		t.Error(err)
	}
	for want, j := range map[string]Join{
		"negative extent": Within(time.Second).Before(-2 * time.Second),
		"negative grace":  Within(time.Second).Grace(-1 * time.Second),
		"before is finer": Within(time.Microsecond).After(-time.Microsecond),
	} {
		if err := j.Validate(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
	}
}
