// Package windowed encodes windowed keys, byte for byte as Kafka Streams does.
package windowed

import (
	"encoding/binary"
	"fmt"
	"time"

	"github.com/thalweg/thalweg/serde"
	"github.com/thalweg/thalweg/window"
)

// Time is the key followed by the start of its window, 8 bytes big-endian. The end is not written: the size restores
// it. Keys of calendar windows, whose size varies, take [Session].
func Time[K any](k serde.Serde[K], size time.Duration) serde.Serde[window.Key[K]] {
	return timeSerde[K]{k, window.Instant(size.Milliseconds())}
}

type timeSerde[K any] struct {
	of   serde.Serde[K]
	size window.Instant
}

func (s timeSerde[K]) String() string {
	return fmt.Sprintf("windowed %s of %d ms", serde.Name(s.of), s.size)
}

func (s timeSerde[K]) Parts() []any { return []any{s.of} }

func (s timeSerde[K]) At(p serde.Place) serde.Serde[window.Key[K]] {
	return timeSerde[K]{serde.At(s.of, p), s.size}
}

// PartitionKey is the key inside: see serde.PartitionKey.
func (s timeSerde[K]) PartitionKey(key []byte) []byte { return inside(key, 8) }

func (s timeSerde[K]) Append(dst []byte, k window.Key[K]) ([]byte, error) {
	dst, err := appendKey(dst, s.of, k.Key)
	if err != nil {
		return nil, err
	}
	return binary.BigEndian.AppendUint64(dst, uint64(k.Start)), nil
}

func (s timeSerde[K]) Decode(data []byte) (k window.Key[K], err error) {
	key, tail, err := split(data, 8)
	if err != nil {
		return k, err
	}
	k.Start = window.Instant(binary.BigEndian.Uint64(tail))
	k.End = k.Start.Plus(s.size)
	k.Key, err = s.of.Decode(key)
	return k, err
}

// Session is the key followed by the end and the start of its window, 8 bytes each; it serves calendar windows too,
// whose size varies.
func Session[K any](k serde.Serde[K]) serde.Serde[window.Key[K]] { return sessionSerde[K]{k} }

type sessionSerde[K any] struct{ of serde.Serde[K] }

func (s sessionSerde[K]) String() string { return "session " + serde.Name(s.of) }

func (s sessionSerde[K]) Parts() []any { return []any{s.of} }

func (s sessionSerde[K]) At(p serde.Place) serde.Serde[window.Key[K]] {
	return sessionSerde[K]{serde.At(s.of, p)}
}

// PartitionKey is the key inside: see serde.PartitionKey.
func (s sessionSerde[K]) PartitionKey(key []byte) []byte { return inside(key, 16) }

func (s sessionSerde[K]) Append(dst []byte, k window.Key[K]) ([]byte, error) {
	dst, err := appendKey(dst, s.of, k.Key)
	if err != nil {
		return nil, err
	}
	dst = binary.BigEndian.AppendUint64(dst, uint64(k.End))
	return binary.BigEndian.AppendUint64(dst, uint64(k.Start)), nil
}

func (s sessionSerde[K]) Decode(data []byte) (k window.Key[K], err error) {
	key, tail, err := split(data, 16)
	if err != nil {
		return k, err
	}
	k.End = window.Instant(binary.BigEndian.Uint64(tail))
	k.Start = window.Instant(binary.BigEndian.Uint64(tail[8:]))
	k.Key, err = s.of.Decode(key)
	return k, err
}

func appendKey[K any](dst []byte, s serde.Serde[K], k K) ([]byte, error) {
	out, err := s.Append(dst, k)
	if err != nil {
		return nil, err
	}
	if out == nil {
		return nil, fmt.Errorf("windowed: the key %v within a window is null", k)
	}
	return out, nil
}

// inside is the key before the n bytes of its window; what is too short is no windowed key and stays whole.
func inside(key []byte, n int) []byte {
	if len(key) < n {
		return key
	}
	return key[:len(key)-n]
}

// split parts data into the key and the n bytes behind it.
func split(data []byte, n int) (key, tail []byte, err error) {
	if len(data) < n {
		return nil, nil, fmt.Errorf("windowed: key of %d bytes, want at least %d", len(data), n)
	}
	at := len(data) - n
	return data[:at:at], data[at:], nil
}
