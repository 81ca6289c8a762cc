package wire

import (
	"runtime"
	"sync"

	"github.com/thalweg/thalweg/internal/batch"
	"github.com/thalweg/thalweg/internal/engine/log"
	"github.com/thalweg/thalweg/internal/engine/meta"
)

// opener has the memory that looking into batches takes, and making others of them: some of it for as long as the server
// lives, as decompressors take more for a few hostile bytes than the bytes may cost.
type opener struct {
	in   batch.Stream
	scan batch.Scanner // by in
	pack batch.Packer
	find log.Finder
	raw  []byte // batches as they are read
}

// keptRaw is the largest buffer for batches that an opener keeps.
const keptRaw = 2 << 20

// openers lends as many openers as can work at once.
type openers struct {
	slots chan struct{}

	mu   sync.Mutex // protects following fields
	idle []*opener  // the last was used last
}

func newOpeners() *openers {
	return &openers{slots: make(chan struct{}, runtime.GOMAXPROCS(0))}
}

// with runs f with an opener. f must not wait for anything but the disk.
func (o *openers) with(f func(*opener)) {
	o.slots <- struct{}{}
	defer func() { <-o.slots }()
	p := o.take()
	defer o.put(p)
	f(p)
}

func (o *openers) take() *opener {
	o.mu.Lock()
	defer o.mu.Unlock()
	n := len(o.idle)
	if n == 0 {
		p := &opener{}
		p.scan.Stream = &p.in
		return p
	}
	p := o.idle[n-1]
	o.idle = o.idle[:n-1]
	return p
}

func (o *openers) put(p *opener) {
	p.in.Release()
	p.pack.Release()
	o.mu.Lock()
	defer o.mu.Unlock()
	o.idle = append(o.idle, p)
}

// searchWork is what a request may take to find the batches that it looks into.
const searchWork = 16 << 20

// finder returns o's finder with the work that a request may take, of which the first partition is one of topic t: enough to
// find and look into the largest batch of it, unless that is compressed and has a record for every three bytes, or more. Of such it
// is said where they begin.
func (o *opener) finder(t *meta.Topic) *log.Finder {
	largest := int(t.Rules().MaxMessageBytes)
	f := &o.find
	most := max(unpacked(batch.None, largest), batch.PackedWork*largest) + searchWork
	f.Scan, f.Work = &o.scan, most
	f.Limit = func(h *batch.Header) int {
		if h.Size() > largest || batch.ScanWork(h) > most-searchWork/2 {
			return 0
		}
		return unpacked(h.Codec(), h.Size())
	}
	return f
}
