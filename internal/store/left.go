package store

import "sync"

// Left is what tiers of the caller's own stand for that were closed: nobody has to open them to know. It is safe for concurrent
// use; nil notes nothing.
type Left struct {
	mu sync.Mutex
	at map[partitionOf]int64
}

// partitionOf is a partition of a store.
type partitionOf struct {
	store     string
	partition int32
}

// Offset returns the offset of the changelog that the tier of a store partition stands for: 0 if it is open, or not known.
func (l *Left) Offset(store string, partition int32) int64 {
	if l == nil {
		return 0
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.at[partitionOf{store, partition}]
}

// closed notes what a tier stands for.
func (l *Left) closed(p partitionOf, offset int64) {
	if l == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.at == nil {
		l.at = map[partitionOf]int64{}
	}
	l.at[p] = offset
}

// opened forgets what was noted.
func (l *Left) opened(p partitionOf) {
	if l == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.at, p)
}
