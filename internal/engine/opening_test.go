package engine

import (
	"fmt"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// TestWhatIsTooMuchForOneRequestIsDoneByMore writes batches to many partitions of a topic that opens them, which compress so
// well that one request carries them all and may not decompress them all, and asks for a time in each.
func TestWhatIsTooMuchForOneRequestIsDoneByMore(t *testing.T) {
	const partitions, each = 24, 900
	e := open(t, testConfig())
	policy := "compact"
	createTopic(t, e, "c", partitions, map[string]*string{"cleanup.policy": &policy})
	c := client(t, e, kgo.ProducerBatchCompression(kgo.ZstdCompression()), kgo.ProducerLinger(time.Second), kgo.ProducerBatchMaxBytes(1<<20),
		kgo.RecordPartitioner(kgo.ManualPartitioner()))
	began := time.Now().Truncate(time.Millisecond)
	value := make([]byte, 1000)
	for i := range each {
		for p := range int32(partitions) {
			r := &kgo.Record{Topic: "c", Partition: p, Key: fmt.Append(nil, i), Value: value, Timestamp: began.Add(time.Duration(i) * time.Millisecond)}
			c.Produce(testContext(t), r, func(_ *kgo.Record, err error) {
				if err != nil {
					t.Error(err)
				}
			})
		}
	}
	if err := c.Flush(testContext(t)); err != nil {
		t.Fatal(err)
	}
	adm := kadm.NewClient(c)
	ends, err := adm.ListEndOffsets(testContext(t), "c")
	if err != nil {
		t.Fatal(err)
	}
	times, err := adm.ListOffsetsAfterMilli(testContext(t), began.UnixMilli()+each/2, "c")
	if err != nil {
		t.Fatal(err)
	}
	for p := range int32(partitions) {
		if end, _ := ends.Lookup("c", p); end.Err != nil || end.Offset != each {
			t.Errorf("partition %d ends at %d (%v), want %d", p, end.Offset, end.Err, each)
		}
		if at, _ := times.Lookup("c", p); at.Err != nil || at.Offset != each/2 {
			t.Errorf("partition %d: time at offset %d (%v), want %d", p, at.Offset, at.Err, each/2)
		}
	}
}
