package main

import (
	"os"
	"strings"
	"testing"
)

// TestRecordsDelete deletes the oldest records of a partition, then all of them.
func TestRecordsDelete(t *testing.T) {
	dir := t.TempDir()
	s := start(t, dir)
	defer s.stop(t, os.Interrupt)
	works(t, "", "topics", "create", "words", "-partitions", "2", "-dir", dir)
	for range 3 { // a batch each: a fetch returns whole ones
		works(t, "a\nb\n", "produce", "words", "-partition", "0", "-dir", dir)
	}
	fails(t, []string{`"0"`, "PARTITION:OFFSET"}, "records", "delete", "words", "0", "-dir", dir)
	fails(t, []string{`"0:-5"`, "PARTITION:OFFSET"}, "records", "delete", "words", "0:-5", "-dir", dir)
	fails(t, []string{"named twice"}, "records", "delete", "words", "0:1", "0:2", "-dir", dir)
	fails(t, []string{`"nowhere"`, "thalweg topics list"}, "records", "delete", "nowhere", "0:1", "-dir", dir)
	fails(t, []string{`"words" has 2 partitions, and no 2`}, "records", "delete", "words", "2:1", "-dir", dir)
	fails(t, []string{"words-0: 7 is beyond its end, 6"}, "records", "delete", "words", "0:7", "-dir", dir)
	if got := strings.Join(strings.Fields(works(t, "", "records", "delete", "words", "0:4", "1:end", "-dir", dir)), " "); got != "TOPIC PARTITION START words 0 4 words 1 0" {
		t.Errorf("delete printed %q", got)
	}
	if got := works(t, "", "consume", "words", "-from-beginning", "-to-end", "-dir", dir); got != "a\nb\n" {
		t.Errorf("consume printed %q", got)
	}
	var starts []struct{ Partition, Start int64 }
	parse(t, works(t, "", "records", "delete", "words", "0:end", "-json", "-dir", dir), &starts)
	if len(starts) != 1 || starts[0].Start != 6 {
		t.Errorf("delete to the end: %+v", starts)
	}
	if got := works(t, "", "consume", "words", "-from-beginning", "-to-end", "-dir", dir); got != "" {
		t.Errorf("consume printed %q", got)
	}
}
