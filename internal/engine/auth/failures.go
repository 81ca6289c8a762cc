package auth

import (
	"sync"
	"time"
)

// Delays of the answer to a failed login, by how many of the same host have failed lately.
const (
	firstDelay = 250 * time.Millisecond
	lastDelay  = 8 * time.Second
	forget     = 5 * time.Minute // after the last failure
	maxHosts   = 4096            // remembered
)

// Failures remembers which hosts have failed to log in. Its methods may be called concurrently.
type Failures struct {
	mu    sync.Mutex // protects hosts
	hosts map[string]*failed
}

type failed struct {
	delay time.Duration
	last  time.Time
}

// Add counts a failure of host and returns how long its answer has to wait.
func (f *Failures) Add(host string, now time.Time) time.Duration {
	f.mu.Lock()
	defer f.mu.Unlock()
	h := f.hosts[host]
	if h == nil || now.Sub(h.last) > forget {
		f.room(now)
		h = &failed{delay: firstDelay}
		f.hosts[host] = h
	} else {
		h.delay = min(2*h.delay, lastDelay)
	}
	h.last = now
	return h.delay
}

// room makes room for one more host: those that may be forgotten go, else the one that has failed longest ago.
func (f *Failures) room(now time.Time) {
	if f.hosts == nil {
		f.hosts = map[string]*failed{}
	}
	if len(f.hosts) < maxHosts {
		return
	}
	oldest := ""
	for host, h := range f.hosts {
		if now.Sub(h.last) > forget {
			delete(f.hosts, host)
		} else if oldest == "" || h.last.Before(f.hosts[oldest].last) {
			oldest = host
		}
	}
	if len(f.hosts) >= maxHosts {
		delete(f.hosts, oldest)
	}
}
