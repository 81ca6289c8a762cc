package streamtest

import (
	"fmt"
	"runtime"
	"testing"

	"github.com/thalweg/thalweg/internal/batch"
	"github.com/thalweg/thalweg/topology"
)

// Example is New for Example functions, which have no testing.T: it runs f on a driver of define, and prints what a test
// would report, so that the output is not the one wanted. Unless opts say otherwise, topics have one partition, so that
// what is read has one order.
//
//	func ExampleStream_Filter() {
//		streamtest.Example(large, func(d *streamtest.Driver) {
//			d.Topic(numbers).Put("b", 5)
//			d.Topic(results).Print()
//		})
//		// Output: b 5
//	}
func Example(define func(*topology.Builder), f func(*Driver), opts ...Options) {
	if len(opts) == 0 {
		opts = []Options{{Partitions: 1, Seed: 1}}
	}
	done := make(chan struct{})
	go func() { // Fatal ends its goroutine, as it does in tests
		defer close(done)
		t := &printer{}
		defer t.end()
		f(New(t, define, opts...))
	}()
	<-done
}

// printer is a testing.TB that prints. Only what a Driver calls is there.
type printer struct {
	testing.TB
	cleanups []func()
}

func (p *printer) Helper() {}

func (p *printer) Logf(string, ...any) {}

func (p *printer) Errorf(format string, args ...any) { fmt.Printf(format+"\n", args...) }

func (p *printer) Fatalf(format string, args ...any) {
	p.Errorf(format, args...)
	runtime.Goexit()
}

func (p *printer) Fatal(args ...any) {
	fmt.Println(args...)
	runtime.Goexit()
}

func (p *printer) Cleanup(f func()) { p.cleanups = append(p.cleanups, f) }

// end does what was to be done at the end, the last first.
func (p *printer) end() {
	for i := len(p.cleanups) - 1; i >= 0; i-- {
		p.cleanups[i]()
	}
}

// Print prints the records since the last Read, for examples: key and value on a line, - for no key, null for a null
// value.
func (t *Topic[K, V]) Print() {
	t.d.t.Helper()
	for i := range t.log.parts {
		err := t.log.parts[i].records(t.read[i], func(r *batch.Record) {
			if r.Value == nil {
				k, err := t.t.Key.Decode(r.Key)
				if err != nil {
					t.d.t.Fatalf("streamtest: %s: key %q: %v", t.t.Name, r.Key, err)
				}
				fmt.Println(k, "null")
				return
			}
			out := t.decode(r)
			if out.NoKey {
				fmt.Println("-", out.Value)
				return
			}
			fmt.Println(out.Key, out.Value)
		})
		if err != nil {
			t.d.t.Fatalf("streamtest: %s: %v", t.t.Name, err)
		}
		t.read[i] = t.log.parts[i].end
	}
}
