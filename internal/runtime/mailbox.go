package runtime

import (
	"sync"

	"github.com/thalweg/thalweg/internal/kafka"
)

// mailbox is what reaches a goroutine from others: fetched batches, and functions to run.
type mailbox struct {
	mu    sync.Mutex // protects following fields
	inbox []kafka.Fetched
	calls []func()

	wake chan struct{}
	done chan struct{} // closed when the goroutine ends
}

func newMailbox() mailbox {
	return mailbox{wake: make(chan struct{}, 1), done: make(chan struct{})}
}

// poke wakes the goroutine.
func (b *mailbox) poke() {
	select {
	case b.wake <- struct{}{}:
	default:
	}
}

// post puts fetched batches into the inbox.
func (b *mailbox) post(f kafka.Fetched) {
	b.mu.Lock()
	b.inbox = append(b.inbox, f)
	b.mu.Unlock()
	b.poke()
}

// posted empties the inbox.
func (b *mailbox) posted() []kafka.Fetched {
	b.mu.Lock()
	defer b.mu.Unlock()
	fs := b.inbox
	b.inbox = nil
	return fs
}

// call has f run on the goroutine, between groups of records. It reports whether it will be.
func (b *mailbox) call(f func()) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	select {
	case <-b.done:
		return false
	default:
	}
	b.calls = append(b.calls, f)
	b.poke()
	return true
}

// wait is call, and waits until f has run. It reports whether it has.
func (b *mailbox) wait(f func()) bool {
	ran := make(chan struct{})
	if !b.call(func() { defer close(ran); f() }) {
		return false
	}
	select {
	case <-ran:
		return true
	case <-b.done:
		select {
		case <-ran:
			return true
		default:
			return false
		}
	}
}

// runCalls runs what was called, on the goroutine.
func (b *mailbox) runCalls() {
	b.mu.Lock()
	calls := b.calls
	b.calls = nil
	b.mu.Unlock()
	for _, f := range calls {
		f()
	}
}

// close ends the mailbox: what was not run never will be.
func (b *mailbox) close() {
	b.mu.Lock()
	defer b.mu.Unlock()
	close(b.done)
}
