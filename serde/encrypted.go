package serde

import (
	"crypto/aes"
	"crypto/cipher"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
)

// Keys are where [Encrypted] gets its keys. Both functions may be called by many goroutines at once.
type Keys struct {
	// Current returns the id of the key to write with, 1 to 255 bytes. It is asked for every value, so it should answer
	// from memory; a new answer is a rotation.
	Current func() (id string, err error)
	// Key returns the AES key of an id: 16, 24 or 32 bytes. It is asked once for an id, and again when many others have
	// come between. An id that comes with a record may be anybody's: an unknown one is an error.
	Key func(id string) ([]byte, error)
}

// Encrypted wraps s: what it writes is sealed with AES-GCM (NIST SP 800-38D) under a random nonce.
//
//	version 1 (1) | length of id (1) | id | nonce (12) | ciphertext | tag (16)
//
// What stands before the nonce is authenticated too. The same value is sealed differently each time, so it is not for
// keys of records. By the bound of SP 800-38D for random nonces, a key must not seal more than 2^32 values. Null stays
// null, and how long a value is can be seen.
func Encrypted[T any](s Serde[T], keys Keys) Serde[T] {
	e := &encrypted[T]{of: s, sealer: &sealer{keys: keys}}
	return e
}

type encrypted[T any] struct {
	of Serde[T]
	*sealer
}

const (
	sealVersion  = 1
	sealOverhead = 12 + 16 // nonce and tag
	sealCiphers  = 64      // ciphers remembered
)

// sealer has the ciphers.
type sealer struct {
	keys    Keys
	last    atomic.Pointer[keyed] // nearly all values have one key
	mu      sync.Mutex            // protects ciphers
	ciphers map[string]*keyed
}

// keyed is the cipher of a key.
type keyed struct {
	id string
	cipher.AEAD
}

func (s *encrypted[T]) String() string      { return "encrypted " + Name(s.of) }
func (s *encrypted[T]) Parts() []any        { return []any{s.of} }
func (s *encrypted[T]) At(p Place) Serde[T] { return s.with(At(s.of, p)) }
func (s *encrypted[T]) nullable() bool      { return TakesNull(s.of) }

func (s *encrypted[T]) with(of Serde[T]) Serde[T] {
	if Same(of, s.of) {
		return s
	}
	return &encrypted[T]{of, s.sealer}
}

// Fault says which function is missing.
func (s *sealer) Fault() error {
	if s.keys.Current == nil || s.keys.Key == nil {
		return errors.New("serde: Encrypted without both functions of its Keys: set Current and Key")
	}
	return nil
}

// plains are buffers for what is not encrypted: before it is, or after.
var plains = sync.Pool{New: func() any {
	b := make([]byte, 0, 512)
	return &b
}}

func (s *encrypted[T]) Append(dst []byte, v T) ([]byte, error) {
	buf := plains.Get().(*[]byte)
	defer plains.Put(buf)
	plain, err := s.of.Append((*buf)[:0], v)
	if err != nil || plain == nil {
		return nil, err
	}
	*buf = plain
	id, err := s.keys.Current()
	if err != nil {
		return nil, fmt.Errorf("serde: current key: %w", err)
	}
	if id == "" || len(id) > 255 {
		return nil, fmt.Errorf("serde: id of a key has %d bytes, want 1 to 255", len(id))
	}
	c, err := s.cipher(id)
	if err != nil {
		return nil, err
	}
	at := len(dst)
	dst = append(append(dst, sealVersion, byte(len(id))), id...)
	return c.Seal(dst, nil, plain, dst[at:]), nil
}

func (s *encrypted[T]) Decode(data []byte) (v T, err error) {
	if data == nil {
		return s.of.Decode(nil)
	}
	if len(data) < 2 || len(data) < 2+int(data[1])+sealOverhead {
		return v, fmt.Errorf("serde: encrypted value of %d bytes ends early", len(data))
	}
	if data[0] != sealVersion {
		return v, fmt.Errorf("serde: encrypted value of version %d, want %d", data[0], sealVersion)
	}
	head, sealed := data[:2+int(data[1])], data[2+int(data[1]):]
	id := string(head[2:])
	c, err := s.cipher(id)
	if err != nil {
		return v, err
	}
	buf := plains.Get().(*[]byte)
	defer plains.Put(buf)
	plain, err := c.Open((*buf)[:0], nil, sealed, head)
	if err != nil {
		return v, fmt.Errorf("serde: key %q: %w", id, err)
	}
	*buf = plain
	return s.of.Decode(plain)
}

func (s *sealer) cipher(id string) (cipher.AEAD, error) {
	if c := s.last.Load(); c != nil && c.id == id {
		return c.AEAD, nil
	}
	s.mu.Lock()
	c := s.ciphers[id]
	s.mu.Unlock()
	if c == nil {
		var err error
		if c, err = s.learn(id); err != nil {
			return nil, err
		}
	}
	s.last.Store(c)
	return c.AEAD, nil
}

// learn makes the cipher of a key and remembers it.
func (s *sealer) learn(id string) (*keyed, error) {
	key, err := s.keys.Key(id)
	if err != nil {
		return nil, fmt.Errorf("serde: key %q: %w", id, err)
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("serde: key %q: %w", id, err)
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		return nil, fmt.Errorf("serde: key %q: %w", id, err)
	}
	c := &keyed{id, aead}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ciphers == nil || len(s.ciphers) >= sealCiphers {
		s.ciphers = map[string]*keyed{}
	}
	s.ciphers[id] = c
	return c, nil
}
