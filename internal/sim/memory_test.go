package sim

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

const (
	memoryLimit      = 256 << 20 // of the server, resident
	manyPartitions   = 64
	manyProducers    = 100
	manyPause        = 20 * time.Millisecond // of a producer
	idleConnections  = 2000
	idleCost         = 64 << 10 // bytes of resident memory, each
	defaultManyBrief = 3 * time.Second
	growth           = 16 << 20 // between two thirds of a run of minutes that is none
)

// TestManyProducersFitIntoMemory has a hundred producers write to sixty-four partitions of a server that may not take more
// than 256 MiB. The flag -for says how long.
func TestManyProducersFitIntoMemory(t *testing.T) {
	length := defaultManyBrief
	if *flagFor > 0 {
		length = *flagFor
	}
	server, addr := limited256(t)
	admin := kadm.NewClient(manyClient(t, addr))
	if _, err := admin.CreateTopic(t.Context(), manyPartitions, 1, nil, "many"); err != nil {
		t.Fatal(err)
	}
	var producers sync.WaitGroup
	var sent, failed atomic.Int64
	end := time.Now().Add(length)
	value := bytes.Repeat([]byte("0123456789abcdef"), 64)
	for i := range manyProducers {
		producers.Go(func() {
			cl := manyClient(t, addr, kgo.RecordPartitioner(kgo.RoundRobinPartitioner()))
			tick := time.NewTicker(manyPause)
			defer tick.Stop()
			for time.Now().Before(end) {
				var batch []*kgo.Record
				for range 8 {
					batch = append(batch, &kgo.Record{Topic: "many", Key: []byte(strconv.Itoa(i)), Value: value})
				}
				if err := cl.ProduceSync(t.Context(), batch...).FirstErr(); err != nil {
					failed.Add(1)
					t.Errorf("producer %d: %v", i, err)
					return
				}
				sent.Add(int64(len(batch)))
				<-tick.C
			}
		})
	}
	var most [3]int64 // of each third
	for began := time.Now(); time.Now().Before(end) && !server.sleepUnless(length/60); {
		third := min(2, int(3*time.Since(began)/length))
		most[third] = max(most[third], resident(t, server))
	}
	producers.Wait()
	ends, err := admin.ListEndOffsets(t.Context(), "many")
	if err != nil {
		t.Fatal(err)
	}
	held := int64(0)
	ends.Each(func(o kadm.ListedOffset) { held += o.Offset })
	t.Logf("%v: %d records of %d bytes, %d, %d and %d MiB resident at most, by thirds", length, sent.Load(), len(value), most[0]>>20, most[1]>>20, most[2]>>20)
	if held != sent.Load() || failed.Load() > 0 {
		t.Errorf("%d records acknowledged, %d there, %d producers failed", sent.Load(), held, failed.Load())
	}
	if all := max(most[0], most[1], most[2]); all == 0 || all > memoryLimit {
		t.Errorf("%d MiB resident, want at most %d", all>>20, memoryLimit>>20)
	}
	if length >= time.Minute && most[2] > most[1]+growth {
		t.Errorf("it grows: %d MiB, then %d", most[1]>>20, most[2]>>20)
	}
	if held < int64(length/time.Second)*1000 {
		t.Error("void: too little was written")
	}
}

// TestIdleConnectionsAreCheap opens many connections that say nothing more after their first request.
func TestIdleConnectionsAreCheap(t *testing.T) {
	server, addr := limited256(t)
	dial := func() {
		c, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		// ApiVersions v0 with a null client id, and the length of the answer.
		if _, err := c.Write([]byte{0, 0, 0, 10, 0, 18, 0, 0, 0, 0, 0, 1, 0xff, 0xff}); err != nil {
			t.Fatal(err)
		}
		if _, err := c.Read(make([]byte, 4096)); err != nil {
			t.Fatal(err)
		}
	}
	for range 50 { // what the first connections need comes once
		dial()
	}
	before := resident(t, server)
	for range idleConnections {
		dial()
	}
	each := (resident(t, server) - before) / idleConnections
	t.Logf("%d idle connections: %d bytes each", idleConnections, each)
	if each > idleCost {
		t.Errorf("an idle connection costs %d bytes, want at most %d", each, idleCost)
	}
}

// limited256 starts a server whose runtime knows that it has 256 MiB.
func limited256(t *testing.T) (*process, string) {
	t.Helper()
	if runtime.GOOS != "linux" {
		t.Skip("resident memory is read from /proc")
	}
	t.Setenv("GOMEMLIMIT", fmt.Sprint(memoryLimit*3/4))
	p, addr, _ := serve(t, filepath.Join(t.TempDir(), "server"), "127.0.0.1:0")
	return p, addr
}

func manyClient(t *testing.T, addr string, opts ...kgo.Opt) *kgo.Client {
	t.Helper()
	cl, err := kgo.NewClient(append([]kgo.Opt{kgo.SeedBrokers(addr), kgo.ProducerLinger(0)}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cl.Close)
	return cl
}

// resident returns the bytes of memory that a process has now.
func resident(t *testing.T, p *process) int64 {
	t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", p.cmd.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	pages, err := strconv.ParseInt(strings.Fields(string(status))[1], 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return pages * int64(os.Getpagesize())
}
