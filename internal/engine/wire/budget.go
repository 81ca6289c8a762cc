package wire

import (
	"context"
	"sync"
)

// budget bounds the bytes of all requests in memory: who asks for more waits, and so stops reading its connection.
type budget struct {
	limit int64

	mu     sync.Mutex // protects following fields
	used   int64
	queued []*claim // oldest first
}

type claim struct {
	bytes   int64
	granted chan struct{}
}

func newBudget(limit int64) *budget { return &budget{limit: limit} }

// take waits for room. A request larger than the whole budget is let in when it is alone.
func (b *budget) take(ctx context.Context, n int64) error {
	b.mu.Lock()
	if len(b.queued) == 0 && b.fits(n) {
		b.used += n
		b.mu.Unlock()
		return nil
	}
	c := &claim{bytes: n, granted: make(chan struct{})}
	b.queued = append(b.queued, c)
	b.mu.Unlock()
	select {
	case <-c.granted:
		return nil
	case <-ctx.Done():
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	select {
	case <-c.granted: // both happened
		b.used -= n
	default:
		for i, q := range b.queued {
			if q == c {
				b.queued = append(b.queued[:i], b.queued[i+1:]...)
				break
			}
		}
	}
	b.grant()
	return ctx.Err()
}

func (b *budget) fits(n int64) bool { return b.used == 0 || b.used+n <= b.limit }

func (b *budget) give(n int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.used -= n
	b.grant()
}

// grant lets in as many as fit, oldest first. mu must be held.
func (b *budget) grant() {
	for len(b.queued) > 0 && b.fits(b.queued[0].bytes) {
		c := b.queued[0]
		b.queued = b.queued[1:]
		b.used += c.bytes
		close(c.granted)
	}
}
