package sim

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

// TestKilledMembersCountExactly has three word counts on one server share the work, and kills one of them every two
// seconds; a third of the dead stay away past the session time.
func TestKilledMembersCountExactly(t *testing.T) { killMembers(t, 0) }

// TestKilledServerCountsExactly is the same, and the server dies every five seconds on average. Its next life gives members
// their whole session time again, so the dead hardly ever outlive it: the third comes back under a new identity.
func TestKilledServerCountsExactly(t *testing.T) { killMembers(t, 5*time.Second) }

// TestBrokerMembersCountExactly is the first on the brokers of THALWEG_TEST_BROKERS.
func TestBrokerMembersCountExactly(t *testing.T) {
	if brokers() == "" {
		t.Skip("THALWEG_TEST_BROKERS is not set")
	}
	killMembers(t, 0)
}

// brokers are those that a test is to use, "" for a server of its own.
func brokers() string { return os.Getenv("THALWEG_TEST_BROKERS") }

const (
	members     = 3
	session     = 6 * time.Second
	killEvery   = 2 * time.Second
	awayLonger  = session + 2*time.Second
	finishLimit = 4 * time.Minute
)

// cluster is three word counts and their server.
type cluster struct {
	t       *testing.T
	r       *rand.Rand
	dir     string
	addr    string
	server  *process // nil: the brokers are others'
	member  [members]*process
	back    [members]time.Time // when a dead member comes again
	life    [members]int       // of which identity, and directory, a member is
	feeding []string           // what the first member is given beside the rest
	app     string

	kills, serverKills int
	slowest            time.Duration // start of the server
	logs               strings.Builder
}

func killMembers(t *testing.T, serverEvery time.Duration) {
	kills := defaultMemberKills
	if *flagKills > 0 {
		kills = *flagKills
	}
	if kills == 0 {
		t.Skip("a minute and more: -tags slow, or -kills")
	}
	r := seeded(t)
	c := &cluster{t: t, r: r, dir: t.TempDir(), app: fmt.Sprintf("wordcount-%x", r.Uint32())}
	megabytes := max(20, kills*9)
	if *flagText > 0 {
		megabytes = *flagText
	}
	x := write(t, r, megabytes)
	out := filepath.Join(c.dir, "counts.tsv")
	c.feeding = []string{"-feed", "-counts", out, x.folder}
	c.startServer("127.0.0.1:0")
	for i := range c.member {
		c.start(i)
	}
	c.torment(kills, serverEvery)
	c.settle()
	x.compare(t, out)
	for i := range c.member {
		c.end(i)
	}
	c.verdict(kills, serverEvery > 0)
}

// startServer starts the server, or takes the brokers there are.
func (c *cluster) startServer(listen string) {
	if b := brokers(); b != "" && c.server == nil && strings.Contains(c.t.Name(), "Broker") {
		c.addr = b
		return
	}
	c.server = begin(c.t, nil, program(c.t, "cmd/thalweg"), "serve", "--dir", filepath.Join(c.dir, "server"), "--listen", listen)
	began := time.Now()
	ctx, cancel := context.WithTimeout(c.t.Context(), patience)
	defer cancel()
	line, err := c.server.line(ctx, "serving on ")
	if err != nil {
		c.t.Fatalf("the server: %v", err)
	}
	c.addr = strings.TrimPrefix(line, "serving on ")
	c.slowest = max(c.slowest, time.Since(began))
	if _, _, err := net.SplitHostPort(c.addr); err != nil {
		c.t.Fatal(err)
	}
}

func (c *cluster) start(i int) {
	args := []string{"-v", "-name", c.app, "-brokers", c.addr, "-session", session.String(), "-workers", "2", "-dir", filepath.Join(c.dir, fmt.Sprintf("%d.%d", i, c.life[i]))}
	if i == 0 {
		args = append(args, c.feeding...)
	} else {
		args = append(args, c.feeding[len(c.feeding)-1])
	}
	c.member[i] = begin(c.t, nil, program(c.t, "examples/wordcount"), args...)
}

// end kills a member and keeps what it has said.
func (c *cluster) end(i int) {
	if c.member[i] == nil {
		return
	}
	c.member[i].kill()
	c.logs.WriteString(c.member[i].out.String())
	c.member[i] = nil
}

// torment kills members, and the server, until there were enough kills.
func (c *cluster) torment(kills int, serverEvery time.Duration) {
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	next, nextServer := time.Now().Add(killEvery), time.Now().Add(serverEvery)
	for c.kills < kills {
		select {
		case <-tick.C:
		case <-c.t.Context().Done():
			return
		}
		now := time.Now()
		c.revive(now)
		if serverEvery > 0 && now.After(nextServer) {
			nextServer = now.Add(serverEvery*2/5 + time.Duration(c.r.Int64N(int64(serverEvery*6/5))))
			c.server.kill()
			c.serverKills++
			c.startServer(c.addr)
		}
		if now.After(next) {
			next = now.Add(killEvery)
			c.killOne(now)
		}
	}
}

// revive brings back the dead whose time has come. A member that ended by itself has failed, the feeding one is done.
func (c *cluster) revive(now time.Time) {
	for i, p := range c.member {
		switch {
		case p == nil && now.After(c.back[i]):
			c.start(i)
		case p != nil && !p.alive():
			if p.err != nil {
				c.t.Fatalf("after %d kills member %d ended by itself: %v\n%s", c.kills, i, p.err, tail(p.out.String()))
			}
			if i == 0 {
				c.t.Fatalf("void: all was counted after %d kills: more -text", c.kills)
			}
		}
	}
}

// killOne kills one of the living at random; every third stays away past the session time.
func (c *cluster) killOne(now time.Time) {
	var living []int
	for i, p := range c.member {
		if p != nil && p.alive() {
			living = append(living, i)
		}
	}
	if len(living) == 0 {
		return
	}
	i := living[c.r.IntN(len(living))]
	c.end(i)
	c.kills++
	c.back[i] = now
	if c.kills%3 == 1 {
		c.back[i] = now.Add(awayLonger)
		if c.serverKills > 0 {
			c.life[i]++
		}
	}
}

// settle brings everybody back in their time and waits until the feeding member has ended by itself.
func (c *cluster) settle() {
	began := time.Now()
	for i, p := range c.member {
		if p == nil {
			time.Sleep(time.Until(c.back[i])) // the others go on meanwhile
			c.start(i)
		}
	}
	for c.member[0].alive() {
		if time.Since(began) > finishLimit {
			c.t.Fatalf("not done %v after the last kill:\n%s", finishLimit, tail(c.member[0].out.String()))
		}
		c.member[0].sleepUnless(100 * time.Millisecond)
		for i := 1; i < members; i++ {
			if !c.member[i].alive() {
				c.t.Fatalf("member %d ended by itself: %v\n%s", i, c.member[i].err, tail(c.member[i].out.String()))
			}
		}
	}
	if err := c.member[0].err; err != nil {
		c.t.Fatalf("the feeding member: %v\n%s", err, tail(c.member[0].out.String()))
	}
	c.t.Logf("done %v after the last kill", time.Since(began).Round(time.Millisecond))
}

var generations = regexp.MustCompile(`msg=assigned generation=(\d+)`)

// verdict prints what the run has seen. Too little is void: of 40 kills, 15 transactions have to be aborted, and 20
// rebalances to happen, and in proportion.
func (c *cluster) verdict(kills int, server bool) {
	rebalances := 0
	for _, m := range generations.FindAllStringSubmatch(c.logs.String(), -1) {
		if n, err := strconv.Atoi(m[1]); err == nil {
			rebalances = max(rebalances, n-1) // the first is no change
		}
	}
	taken := strings.Count(c.logs.String(), `msg="transaction taken back"`)
	if c.server == nil {
		c.t.Logf("%d kills, at least %d rebalances, %d transactions taken back by the living", c.kills, rebalances, taken)
		return
	}
	if err := c.server.stop(); err != nil { // in order: what lies in its WAL alone gets into the segments
		c.t.Errorf("the server: %v\n%s", err, tail(c.server.out.String()))
	}
	aborted := abortedTransactions(c.t, filepath.Join(c.dir, "server"))
	c.t.Logf("%d kills of members, %d of the server, %d aborted transactions (%d by the living), %d rebalances; the server was up again within %v",
		c.kills, c.serverKills, aborted, taken, rebalances, c.slowest.Round(time.Millisecond))
	if aborted < kills*15/40 || rebalances < kills*20/40 || server && c.serverKills < kills/5 {
		c.t.Errorf("void: that is too little for %d kills", kills)
	}
}
