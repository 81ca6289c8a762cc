package main

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/thalweg/thalweg/internal/batch"
	"github.com/thalweg/thalweg/internal/engine/log"
)

// dump shows what lies in a partition.
type dump struct {
	stopped   `embed:""`
	Topic     string `arg:"" help:"Topic, or thalweg.metadata."`
	Partition int32  `arg:"" optional:"" help:"Partition (default 0)."`
	From      int64  `help:"Offset to begin with." placeholder:"OFFSET"`
	Max       int    `help:"Most batches to show." placeholder:"N"`
	Records   bool   `help:"The records of the batches, too."`
	JSON      bool   `help:"Print JSON, a batch a line." name:"json"`
}

// Help is the long help of the command.
func (*dump) Help() string {
	return "Shows the batches as they lie in the files of a folder on which no server runs: also markers, what aborted transactions wrote, and what is damaged. Nothing is changed."
}

// errEnough ends a dump.
var errEnough = errors.New("enough")

// Run carries the command out.
func (c *dump) Run(s session) error {
	return c.inspect(func(i *log.Inspector) error {
		found, err := i.List()
		if err != nil {
			return err
		}
		var names []string
		for _, f := range found {
			names = append(names, f.String())
			if f.Name != fmt.Sprintf("%s-%d", c.Topic, c.Partition) && (f.Name != c.Topic || c.Partition != 0) {
				continue
			}
			left := c.Max
			err := i.Batches(f.ID, c.From, func(b *log.Batch) error {
				if err := c.show(s, b); err != nil {
					return err
				}
				if left--; left == 0 {
					return errEnough
				}
				return nil
			})
			if errors.Is(err, errEnough) {
				err = nil
			}
			return err
		}
		return fmt.Errorf("no partition %d of topic %q in -dir %s: there are %s", c.Partition, c.Topic, c.Dir, strings.Join(names, ", "))
	})
}

// dumped is a batch as it is shown.
type dumped struct {
	First    int64          `json:"first"`
	Last     int64          `json:"last"`
	Records  int32          `json:"records"`
	Time     int64          `json:"time"` // greatest, ms
	Epoch    int32          `json:"leader_epoch"`
	Producer int64          `json:"producer"`
	PEpoch   int16          `json:"producer_epoch"`
	Sequence int32          `json:"sequence"`
	Codec    string         `json:"codec"`
	Kind     string         `json:"kind"` // data, transactional, commit, abort, control
	File     string         `json:"file"`
	Pos      int64          `json:"pos"`
	Bytes    int            `json:"bytes"`
	Damage   string         `json:"damage,omitempty"`
	Contents []dumpedRecord `json:"contents,omitempty"`
}

// dumpedRecord is a record as it is shown.
type dumpedRecord struct {
	Offset int64   `json:"offset"`
	Time   int64   `json:"time"`
	Key    *string `json:"key"`
	Value  *string `json:"value"`
}

// kindOf says what is in a batch.
func kindOf(b *log.Batch) string {
	switch {
	case b.Marker != nil && b.Marker.Commit:
		return "commit"
	case b.Marker != nil:
		return "abort"
	case b.Header.Control():
		return "control"
	case b.Header.Transactional():
		return "transactional"
	}
	return "data"
}

func (c *dump) show(s session, b *log.Batch) error {
	h := &b.Header
	d := dumped{
		First: h.BaseOffset, Last: h.LastOffset(), Records: h.Count, Time: h.MaxTimestamp, Epoch: h.LeaderEpoch, Producer: h.ProducerID, PEpoch: h.ProducerEpoch,
		Sequence: h.BaseSequence, Codec: h.Codec().String(), Kind: kindOf(b), File: b.File, Pos: b.Pos, Bytes: h.Size(),
	}
	if b.Err != nil {
		d.Damage = b.Err.Error()
	} else if c.Records && !h.Control() {
		if err := d.open(b.Data); err != nil {
			d.Damage = err.Error()
		}
	}
	if c.JSON {
		return printJSON(s.out, d)
	}
	line := fmt.Sprintf("%d-%d %s of %d, %s, %d bytes at %s:%d, epoch %d", d.First, d.Last, d.Kind, d.Records, stamp(d.Time), d.Bytes, d.File, d.Pos, d.Epoch)
	if d.Producer >= 0 {
		line += fmt.Sprintf(", producer %d epoch %d sequence %d", d.Producer, d.PEpoch, d.Sequence)
	}
	if d.Codec != batch.None.String() {
		line += ", " + d.Codec
	}
	if d.Damage != "" {
		line += ", DAMAGED: " + d.Damage
	}
	if _, err := fmt.Fprintln(s.out, line); err != nil {
		return err
	}
	for _, r := range d.Contents {
		if _, err := fmt.Fprintf(s.out, "  %d %s %s %s\n", r.Offset, stamp(r.Time), quoted(r.Key), quoted(r.Value)); err != nil {
			return err
		}
	}
	return nil
}

// open fills in the records.
func (d *dumped) open(data []byte) error {
	var reader batch.Reader
	if err := reader.Reset(data); err != nil {
		return err
	}
	text := func(b []byte) *string {
		if b == nil {
			return nil
		}
		s := string(b)
		return &s
	}
	var r batch.Record
	for reader.Next(&r) {
		d.Contents = append(d.Contents, dumpedRecord{r.Offset, r.Timestamp, text(r.Key), text(r.Value)})
	}
	return reader.Err()
}

// stamp is a time of a record.
func stamp(ms int64) string { return time.UnixMilli(ms).UTC().Format("2006-01-02T15:04:05.000Z") }

// quoted is a key or a value.
func quoted(s *string) string {
	if s == nil {
		return "null"
	}
	return fmt.Sprintf("%q", *s)
}
