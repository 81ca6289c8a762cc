package sim

import (
	"fmt"
	"math/rand/v2"
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
func TestKilledMembersCountExactly(t *testing.T) { killMembers(t, 0, 0) }

// TestKilledMembersWithStandbysCountExactly is the same, and every count has a copy that takes over.
func TestKilledMembersWithStandbysCountExactly(t *testing.T) { killMembers(t, 0, 1) }

// TestKilledServerCountsExactly is the same, and the server dies every fifteen seconds on average. Its next life gives
// members their whole session time again, the dead too: if it died more often, hardly a rebalance would come to its end.
func TestKilledServerCountsExactly(t *testing.T) { killMembers(t, 15*time.Second, 0) }

// TestBrokerMembersCountExactly is the first on the brokers of THALWEG_TEST_BROKERS.
func TestBrokerMembersCountExactly(t *testing.T) {
	if brokers() == "" {
		t.Skip("THALWEG_TEST_BROKERS is not set")
	}
	killMembers(t, 0, 0)
}

// brokers are those that a test is to use, "" for a server of its own.
func brokers() string { return os.Getenv("THALWEG_TEST_BROKERS") }

const (
	members     = 3
	session     = 6 * time.Second
	killEvery   = 2 * time.Second
	awayLonger  = session + 2*time.Second
	finishLimit = 4 * time.Minute
	blockEvery  = 200 * time.Millisecond // so fast comes the text: about 5 MB/s
)

// cluster is three members of one app and their server.
type cluster struct {
	t        *testing.T
	r        *rand.Rand
	dir      string
	addr     string
	app      string
	launch   func(i int) *process
	text     *text
	counts   string
	kills    int           // wanted
	pause    time.Duration // between two of them
	standbys int
	server   *process           // nil: the brokers are others'
	member   [members]*process  // the first feeds
	back     [members]time.Time // when a dead member comes again
	logs     strings.Builder    // of the dead

	nextKill, nextServerKill time.Time
	killed, serverKilled     int
	slowest                  time.Duration // start of the server
}

func killMembers(t *testing.T, serverEvery time.Duration, standbys int) {
	kills := defaultMemberKills
	if *flagKills > 0 {
		kills = *flagKills
	}
	if kills == 0 {
		t.Skip("a minute and more: -tags slow, or -kills")
	}
	r := seeded(t)
	c := &cluster{t: t, r: r, dir: t.TempDir(), app: fmt.Sprintf("wordcount-%x", r.Uint32()), kills: kills, pause: killEvery, standbys: standbys}
	c.launch = c.wordcount
	c.counts = filepath.Join(c.dir, "counts.tsv")
	c.startServer("127.0.0.1:0")
	c.text = newText(r, blockEvery)
	for i := range c.member {
		c.start(i)
	}
	now := time.Now()
	c.nextKill, c.nextServerKill = now.Add(killEvery), now.Add(serverEvery)
	c.torment(kills, serverEvery)
	// Whether a kill meets an open transaction, and is followed by a rebalance, is chance: a run goes on until it has met enough.
	for more := kills; !c.enough() && more < 4*kills; {
		more += (kills + 3) / 4
		c.torment(more, serverEvery)
	}
	megabytes := c.text.close()
	c.settle()
	c.text.compare(t, c.counts)
	for i := range c.member {
		c.end(i)
	}
	t.Logf("%d MB of text, %d kills of members, %d of the server, %d aborted transactions (%d by the living), %d rebalances; the server was up again within %v",
		megabytes, c.killed, c.serverKilled, abortedTransactions(t, c.addr, c.app), strings.Count(c.logs.String(), `msg="transaction taken back"`),
		c.rebalances(), c.slowest.Round(time.Millisecond))
	if !c.enough() {
		t.Errorf("void: that is too little for %d kills", kills)
	}
	if c.server != nil {
		if err := c.server.stop(); err != nil {
			t.Errorf("the server: %v\n%s", err, tail(c.server.out.String()))
		}
	}
}

// startServer starts the server, or takes the brokers there are.
func (c *cluster) startServer(listen string) {
	if b := brokers(); b != "" && strings.Contains(c.t.Name(), "Broker") {
		c.addr = b
		return
	}
	var took time.Duration
	c.server, c.addr, took = serve(c.t, filepath.Join(c.dir, "server"), listen)
	c.slowest = max(c.slowest, took)
}

func (c *cluster) start(i int) { c.member[i] = c.launch(i) }

// wordcount begins a word count as a member: the first feeds.
func (c *cluster) wordcount(i int) *process {
	args := []string{"-v", "-name", c.app, "-brokers", c.addr, "-session", session.String(), "-workers", "2", "-standbys", strconv.Itoa(c.standbys), "-dir", filepath.Join(c.dir, strconv.Itoa(i))}
	if i == 0 {
		return beginReading(c.t, c.text.reader(), program(c.t, "examples/wordcount"), append(args, "-feed", "-counts", c.counts, "-")...)
	}
	return begin(c.t, nil, program(c.t, "examples/wordcount"), append(args, "-")...)
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

// torment kills members, and the server, until there were so many kills.
func (c *cluster) torment(kills int, serverEvery time.Duration) {
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for c.killed < kills {
		select {
		case <-tick.C:
		case <-c.t.Context().Done():
			return
		}
		now := time.Now()
		c.revive(now)
		if serverEvery > 0 && now.After(c.nextServerKill) {
			c.nextServerKill = now.Add(serverEvery*2/5 + time.Duration(c.r.Int64N(int64(serverEvery*6/5))))
			c.server.kill()
			c.serverKilled++
			c.startServer(c.addr)
		}
		if now.After(c.nextKill) {
			c.nextKill = now.Add(c.pause)
			c.killOne(now)
		}
	}
}

// revive brings back the dead whose time has come. The text has no end yet, so a member that ended by itself has failed.
func (c *cluster) revive(now time.Time) {
	for i, p := range c.member {
		switch {
		case p == nil && now.After(c.back[i]):
			c.start(i)
		case p != nil && !p.alive():
			c.t.Fatalf("after %d kills member %d ended by itself: %v\n%s", c.killed, i, p.err, tail(p.out.String()))
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
	c.killed++
	c.back[i] = now
	if c.killed%3 == 1 {
		c.back[i] = now.Add(awayLonger)
	}
}

// bringBack starts the dead, each in its time.
func (c *cluster) bringBack() {
	for i, p := range c.member {
		if p == nil {
			time.Sleep(time.Until(c.back[i])) // the others go on meanwhile
			c.start(i)
		}
	}
}

// settle brings everybody back in their time and waits until the feeding member has ended by itself.
func (c *cluster) settle() {
	began := time.Now()
	c.bringBack()
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

// rebalances is how often the members were given other tasks.
func (c *cluster) rebalances() (n int) {
	all := c.logs.String()
	for _, p := range c.member {
		if p != nil {
			all += p.out.String()
		}
	}
	for _, m := range generations.FindAllStringSubmatch(all, -1) {
		if g, err := strconv.Atoi(m[1]); err == nil {
			n = max(n, g-1) // the first is no change
		}
	}
	return n
}

// enough reports whether the run means something: of 40 kills, 15 transactions have to be aborted, and 20 rebalances to
// happen, and in proportion.
func (c *cluster) enough() bool {
	return c.rebalances() >= c.kills*20/40 && abortedTransactions(c.t, c.addr, c.app) >= c.kills*15/40
}
