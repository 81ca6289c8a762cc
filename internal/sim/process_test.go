package sim

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// process is one life of a program.
type process struct {
	cmd  *exec.Cmd
	out  *output
	done chan struct{}
	err  error // how it ended; after done
}

// output collects what a process prints. It can be waited on.
type output struct {
	mu   sync.Mutex // protects following fields
	text bytes.Buffer
	more chan struct{} // closed and replaced when there is more
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	close(o.more)
	o.more = make(chan struct{})
	return o.text.Write(p)
}

// String returns what was printed so far.
func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

// begin starts a program. It is killed at the end of the test, if it still runs.
func begin(t testing.TB, env []string, program string, args ...string) *process {
	t.Helper()
	cmd := exec.Command(program, args...)
	cmd.Env = append(os.Environ(), env...)
	return started(t, cmd)
}

// beginReading is begin with a standard input.
func beginReading(t testing.TB, in io.Reader, program string, args ...string) *process {
	t.Helper()
	cmd := exec.Command(program, args...)
	cmd.Stdin = in
	return started(t, cmd)
}

func started(t testing.TB, cmd *exec.Cmd) *process {
	t.Helper()
	p := &process{cmd: cmd, out: &output{more: make(chan struct{})}, done: make(chan struct{})}
	p.cmd.Stdout, p.cmd.Stderr = p.out, p.out
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(p.done)
		p.err = p.cmd.Wait()
	}()
	t.Cleanup(p.kill)
	return p
}

// kill ends the process with SIGKILL and waits until it is gone.
func (p *process) kill() {
	_ = p.cmd.Process.Kill() // an error says that it is gone
	<-p.done
}

// stop ends the process with SIGTERM, in order, and returns how it ended.
func (p *process) stop() error {
	_ = p.cmd.Process.Signal(syscall.SIGTERM) // an error says that it is gone
	<-p.done
	return p.err
}

// alive reports whether the process runs.
func (p *process) alive() bool {
	select {
	case <-p.done:
		return false
	default:
		return true
	}
}

// line waits until the process has printed a line that contains text, and returns it.
func (p *process) line(ctx context.Context, text string) (string, error) {
	for {
		p.out.mu.Lock()
		all, more := p.out.text.String(), p.out.more
		p.out.mu.Unlock()
		if i := strings.Index(all, text); i >= 0 {
			if n := strings.IndexByte(all[i:], '\n'); n >= 0 {
				return all[strings.LastIndexByte(all[:i], '\n')+1 : i+n], nil
			}
		}
		select {
		case <-more:
		case <-p.done:
			if s := p.out.String(); len(s) == len(all) {
				return "", fmt.Errorf("it ended (%v) without printing %q:\n%s", p.err, text, tail(s))
			}
		case <-ctx.Done():
			return "", fmt.Errorf("it has not printed %q in time:\n%s", text, tail(all))
		}
	}
}

// tail is the end of a long text.
func tail(s string) string {
	const most = 6000
	if len(s) > most {
		s = "…" + s[len(s)-most:]
	}
	return s
}

// sleepUnless waits for d, or until the process has ended: it reports whether it has.
func (p *process) sleepUnless(d time.Duration) (ended bool) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-p.done:
		return true
	case <-t.C:
		return false
	}
}

var builds = struct {
	sync.Mutex
	dir   string
	built map[string]string
}{built: map[string]string{}}

// program builds a package of the module, once, and returns the file.
func program(t testing.TB, pkg string) string {
	t.Helper()
	builds.Lock()
	defer builds.Unlock()
	if f := builds.built[pkg]; f != "" {
		return f
	}
	file := filepath.Join(builds.dir, filepath.Base(pkg))
	if out, err := exec.Command("go", "build", "-o", file, "github.com/thalweg/thalweg/"+pkg).CombinedOutput(); err != nil {
		t.Fatalf("go build %s: %v\n%s", pkg, err, out)
	}
	builds.built[pkg] = file
	return file
}

// TestMain runs the tests, or plays the part of a program that a test has started.
func TestMain(m *testing.M) {
	if role := os.Getenv("THALWEG_SIM_ROLE"); role != "" {
		if err := roles[role](os.Args[1:]); err != nil {
			fmt.Fprintln(os.Stderr, "error:", err)
			os.Exit(1)
		}
		return
	}
	var err error
	if builds.dir, err = os.MkdirTemp("", "thalweg-sim-"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	code := m.Run()
	if err := os.RemoveAll(builds.dir); err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
	os.Exit(code)
}

// launch starts the engine as a server.
func launch(t testing.TB, dir, listen string) *process {
	t.Helper()
	return begin(t, nil, program(t, "cmd/thalweg"), "serve", "--dir", dir, "--listen", listen)
}

// serving waits until a server serves, and returns its address.
func (p *process) serving(t testing.TB) (addr string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	line, err := p.line(ctx, "serving on ")
	if err != nil {
		t.Fatalf("the server: %v", err)
	}
	addr = strings.TrimPrefix(line, "serving on ")
	if _, _, err := net.SplitHostPort(addr); err != nil {
		t.Fatal(err)
	}
	return addr
}

// serve starts the engine as a server and waits for it. It returns its address, and how long it took to serve.
func serve(t testing.TB, dir, listen string) (p *process, addr string, took time.Duration) {
	t.Helper()
	began := time.Now()
	p = launch(t, dir, listen)
	return p, p.serving(t), time.Since(began)
}

// play starts this test binary in a role.
func play(t testing.TB, role string, args ...string) *process {
	t.Helper()
	return begin(t, []string{"THALWEG_SIM_ROLE=" + role}, os.Args[0], args...)
}

// seeded returns a source of chance, whose seed is printed: -seed replays it.
func seeded(t testing.TB) *rand.Rand {
	seed := *flagSeed
	if seed == 0 {
		seed = rand.Uint64()
	}
	t.Logf("seed %d", seed)
	return rand.New(rand.NewPCG(seed, 0))
}
