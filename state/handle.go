package state

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/thalweg/thalweg/internal/hashed"
	"github.com/thalweg/thalweg/internal/store"
	"github.com/thalweg/thalweg/serde"
)

// handle is what all kinds have in common: keys in bytes, and errors of iterations.
type handle[K any] struct {
	name   string
	env    store.Env
	key    serde.Serde[K]
	buf    []byte // of the key at hand
	failed error
}

var errNullKey = errors.New("state: a null key")

func newHandle[K any](name string, env store.Env, k serde.Serde[K]) handle[K] {
	return handle[K]{name: name, env: env, key: serde.Single(k), buf: make([]byte, 0, 64)}
}

// of returns the store's key of k. It lives until the next call.
func (h *handle[K]) of(k K) (hashed.Key, error) {
	b, err := h.key.Append(h.buf[:0], k)
	if err != nil {
		return hashed.Key{}, fmt.Errorf("state: %s: encode key: %w", h.name, err)
	}
	if b == nil {
		return hashed.Key{}, fmt.Errorf("%w: %s", errNullKey, h.name)
	}
	h.buf = b
	return h.env.Hasher.Key(b), nil
}

// kept returns the store's key of k, which lives on. The error is noted.
func (h *handle[K]) kept(k K) (key hashed.Key, ok bool) {
	key, err := h.of(k)
	if err != nil {
		h.fail(err)
		return key, false
	}
	return h.env.Hasher.Key(bytes.Clone(key.Bytes)), true
}

// decode returns the key that b encodes. The error is noted.
func (h *handle[K]) decode(b []byte) (k K, ok bool) {
	k, err := h.key.Decode(b)
	if err != nil {
		h.fail(fmt.Errorf("state: %s: decode key: %w", h.name, err))
		return k, false
	}
	return k, true
}

// now is the time of the record at hand.
func (h *handle[K]) now() int64 {
	if h.env.Time == nil {
		return 0
	}
	return h.env.Time()
}

// fail notes the error of an iteration.
func (h *handle[K]) fail(err error) {
	if h.failed == nil {
		h.failed = err
	}
}

// Failed returns the first error that an iteration has met since the last call.
func (h *handle[K]) Failed() error {
	err := h.failed
	h.failed = nil
	return err
}
