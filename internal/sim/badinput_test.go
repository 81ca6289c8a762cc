package sim

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/thalweg/thalweg/serde"
	"github.com/thalweg/thalweg/stream"
	"github.com/thalweg/thalweg/stream/streamtest"
	"github.com/thalweg/thalweg/topology"
)

var (
	numbers = topology.Topic[string, int64]{Name: "numbers", Key: serde.String, Value: serde.Int64, Partitions: 1}
	doubled = topology.Topic[string, int64]{Name: "doubled", Key: serde.String, Value: serde.Int64, Partitions: 1}
)

// double is a topology that nothing is wrong with.
func double(b *topology.Builder) {
	stream.From(b, numbers).MapValues(func(n int64) int64 { return 2 * n }).To(doubled)
}

// runs starts an app; the test ends it, if it has not ended by itself.
func runs(t *testing.T, define func(*topology.Builder), cfg stream.Config) (a *stream.App, ended chan error, stop func()) {
	t.Helper()
	topo, err := topology.Define(cmp.Or(cfg.App, "bad-input"), define)
	if err != nil {
		t.Fatal(err)
	}
	cfg.Logger = slog.New(slog.NewTextHandler(t.Output(), nil))
	if cfg.Dir == "" {
		cfg.Dir = t.TempDir()
	}
	if a, err = stream.New(topo, cfg); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended, gone := make(chan error, 1), make(chan struct{})
	go func() {
		defer close(gone)
		ended <- a.Run(ctx)
	}()
	stop = func() {
		cancel()
		<-gone
	}
	t.Cleanup(stop)
	return a, ended, stop
}

// says waits until an app ends, with an error that has all the words.
func says(t *testing.T, ended chan error, words ...string) {
	t.Helper()
	var err error
	select {
	case err = <-ended:
	case <-time.After(patience):
		t.Fatal("the app goes on")
	}
	if err == nil {
		t.Fatal("no error")
	}
	t.Log(err)
	for _, w := range words {
		if !strings.Contains(err.Error(), w) {
			t.Errorf("the error does not say %q: %v", w, err)
		}
	}
	if first, _, _ := strings.Cut(err.Error(), "\n"); len(first) > 600 {
		t.Errorf("the error's first line has %d bytes", len(first))
	}
}

// ready waits until an app runs.
func ready(t *testing.T, a *stream.App, ended chan error) {
	t.Helper()
	select {
	case <-a.Ready():
	case err := <-ended:
		t.Fatalf("the app has ended: %v", err)
	case <-time.After(patience):
		t.Fatal("the app does not get ready")
	}
}

// put writes one record of a topic through an app.
func put[K, V any](t *testing.T, a *stream.App, topic topology.Topic[K, V], k K, v V) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	w := stream.NewWriter(a, topic)
	if err := errors.Join(w.Put(ctx, k, v), w.Close()); err != nil {
		t.Fatal(err)
	}
}

// TestMissingTopicIsNamed starts an app on brokers that lack its topics.
func TestMissingTopicIsNamed(t *testing.T) {
	c := &cluster{t: t, dir: t.TempDir()}
	c.startServer("127.0.0.1:0")
	_, ended, _ := runs(t, double, stream.Config{Brokers: []string{c.addr}})
	says(t, ended, "numbers", "doubled", "create", "Config.CreateTopics")
}

// TestDirectoryInUseIsNamed starts a second app in a directory: the bundled engine's, and an instance's.
func TestDirectoryInUseIsNamed(t *testing.T) {
	c := &cluster{t: t, dir: t.TempDir()}
	c.startServer("127.0.0.1:0")
	for what, brokers := range map[string][]string{"is held by": nil, "is in use": {c.addr}} {
		t.Run(what, func(t *testing.T) {
			dir := t.TempDir()
			cfg := stream.Config{Dir: dir, Brokers: brokers, CreateTopics: true}
			a, ended, _ := runs(t, double, cfg)
			ready(t, a, ended)
			_, second, _ := runs(t, double, cfg)
			says(t, second, dir, what, "Config.Dir")
		})
	}
}

// TestPortInUseIsNamed has an app listen where somebody does already.
func TestPortInUseIsNamed(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	addr := l.Addr().String()
	for name, cfg := range map[string]stream.Config{"Listen": {Listen: addr}, "Ops.Addr": {Ops: stream.Ops{Addr: addr}}} {
		t.Run(name, func(t *testing.T) {
			_, ended, _ := runs(t, double, cfg)
			says(t, ended, "Config."+name, addr, "choose another address")
		})
	}
}

// TestUndecodableRecordIsNamed shows the position of a record that does not decode.
func TestUndecodableRecordIsNamed(t *testing.T) {
	a, ended, _ := runs(t, double, stream.Config{})
	text := topology.NewTopic("numbers", serde.String, serde.String)
	put(t, a, text, "good", "12345678")
	put(t, a, text, "bad", "five5")
	says(t, ended, "numbers-0@1", "value", "5", "Config.Errors")
}

// TestPanicIsNamed shows the record and the stack of a panic in a function of the user's. The process lives.
func TestPanicIsNamed(t *testing.T) {
	a, ended, _ := runs(t, func(b *topology.Builder) {
		stream.From(b, numbers).MapValues(func(n int64) int64 { return 10 / n }).To(doubled)
	}, stream.Config{})
	put(t, a, numbers, "zero", 0)
	says(t, ended, "numbers-0@0", "divide by zero", "badinput_test.go", "Config.Errors")
}

// TestRetypedStoreIsNamed opens a store with another type than it was written with.
func TestRetypedStoreIsNamed(t *testing.T) {
	cfg := stream.Config{Dir: t.TempDir()}
	a, ended, stop := runs(t, func(b *topology.Builder) { stream.From(b, numbers).GroupByKey().Count("sums") }, cfg)
	ready(t, a, ended)
	put(t, a, numbers, "a", 1)
	stop()
	_, ended, _ = runs(t, func(b *topology.Builder) {
		stream.From(b, numbers).GroupByKey().Aggregate("sums", func() string { return "" }, func(_ string, _ int64, s string) string { return s + "I" })
	}, cfg)
	says(t, ended, `"sums"`, filepath.Join(cfg.Dir, "apps"), "int64", "string", "new name")
}

// told is a testing.TB that keeps what a test is told.
type told struct {
	testing.TB
	text []string
}

func (t *told) Errorf(format string, args ...any) {
	t.text = append(t.text, fmt.Sprintf(format, args...))
}

func (t *told) Fatalf(format string, args ...any) {
	t.Errorf(format, args...)
	runtime.Goexit()
}

func (t *told) Fatal(args ...any) { t.Fatalf("%s", fmt.Sprint(args...)) }

// TestChangedArgumentIsNamed has streamtest meet a callback that changes in place what it was given.
func TestChangedArgumentIsNamed(t *testing.T) {
	tb := &told{TB: t}
	done := make(chan struct{})
	go func() {
		defer close(done)
		d := streamtest.New(tb, func(b *topology.Builder) {
			stream.From(b, numbers).GroupByKey().Aggregate("histogram", func() map[int64]int { return map[int64]int{} },
				func(_ string, n int64, h map[int64]int) map[int64]int {
					h[n]++
					return h
				})
		})
		d.Topic(numbers).Put("a", 1)
		d.Topic(numbers).Put("a", 2)
	}()
	<-done
	all := strings.Join(tb.text, "\n")
	t.Log(all)
	for _, w := range []string{"histogram", "chang", "numbers-0@"} {
		if !strings.Contains(all, w) {
			t.Errorf("the driver does not say %q", w)
		}
	}
}

// TestFullDiskIsNamed lets no file of the bundled engine grow beyond a limit: the app ends, and names what cannot be written.
func TestFullDiskIsNamed(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "app")
	p := play(t, "limited", "full", dir, "-", "60000")
	if ended := p.sleepUnless(patience); !ended {
		t.Fatalf("the app goes on:\n%s", tail(p.out.String()))
	}
	all := p.out.String()
	i := strings.LastIndex(all, "error: ")
	if i < 0 || p.err == nil {
		t.Fatalf("it has ended with %v:\n%s", p.err, tail(all))
	}
	t.Log(all[i:])
	for _, w := range []string{dir, "make room", "file too large"} {
		if !strings.Contains(all[i:], w) {
			t.Errorf("the error does not say %q", w)
		}
	}
}
