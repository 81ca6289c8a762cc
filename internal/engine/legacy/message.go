// Package legacy converts between record batches and message sets, in which clients older than Kafka 0.11 write and read
// records: formats 0 and 1, the second with timestamps (KIP-32).
//
// [Up] makes one batch of a set that a producer has sent; [Down] makes messages of batches that a consumer is to get.
// Nothing else of the engine knows message sets. All of it may be fed hostile bytes: lengths and checksums are checked
// before they are believed, and decompression stops at a limit.
package legacy

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/thalweg/thalweg/internal/batch"
)

// ErrInvalid says that whole and sound messages are put together as no producer may.
var ErrInvalid = errors.New("legacy: invalid message set")

// Positions in a message.
const (
	posSize  = 8
	posCRC   = 12
	posMagic = 16 // the CRC, IEEE's, covers all from here on

	posAttributes = 17
)

// Sizes of messages.
const (
	overhead = posCRC       // bytes of a message that its size does not count
	least    = overhead + 6 // checksum, format and attributes
	fixed    = least + 8    // with the lengths of key and value
	stamp    = 8            // what a timestamp adds in format 1
)

// Bits of the attributes.
const (
	attrCodec      = 0x07
	attrAppendTime = 0x08
)

// noTimestamp is the time of a message in format 0.
const noTimestamp = -1

// parse decodes the message at the start of b in the form of format 1, and returns how many bytes it takes. Key and value
// alias b.
func parse(b []byte) (m kmsg.MessageV1, size int, err error) {
	if size, err = sizeAt(b); err != nil {
		return m, 0, err
	}
	b = b[:size]
	if got, want := crc32.ChecksumIEEE(b[posMagic:]), binary.BigEndian.Uint32(b[posCRC:]); got != want {
		return m, 0, fmt.Errorf("%w: checksum %08x of a message, want %08x", batch.ErrCorrupt, got, want)
	}
	want := fixed
	switch magic := int8(b[posMagic]); magic {
	case 0:
		var v0 kmsg.MessageV0
		err = v0.ReadFrom(b)
		m = kmsg.MessageV1{Offset: v0.Offset, Attributes: v0.Attributes, Timestamp: noTimestamp, Key: v0.Key, Value: v0.Value}
	case 1:
		err = m.ReadFrom(b)
		want += stamp
	default:
		return m, 0, fmt.Errorf("%w %d in a message set", batch.ErrMagic, magic)
	}
	if want += len(m.Key) + len(m.Value); err != nil || want != size {
		return m, 0, fmt.Errorf("%w: message of %d bytes has fields of %d", batch.ErrCorrupt, size, want)
	}
	return m, size, nil
}

// sizeAt returns the size of the message at the start of b, which holds all of it.
func sizeAt(b []byte) (int, error) {
	if len(b) < least {
		return 0, fmt.Errorf("%w: message set ends with %d bytes", batch.ErrCorrupt, len(b))
	}
	n := int32(binary.BigEndian.Uint32(b[posSize:]))
	if n < least-overhead || int64(n) > int64(len(b)-overhead) {
		return 0, fmt.Errorf("%w: message of %d bytes, %d are there", batch.ErrCorrupt, n, len(b)-overhead)
	}
	return overhead + int(n), nil
}

// codec returns the compression of the messages inside of m, None if m is a message itself.
func codec(m *kmsg.MessageV1) batch.Codec { return batch.Codec(m.Attributes & attrCodec) }

// sizeOf returns how many bytes a message takes.
func sizeOf(format int8, key, value []byte) int {
	return fixed + int(format)*stamp + len(key) + len(value)
}

// appendMessage appends m in its format; its size and checksum are filled in.
func appendMessage(dst []byte, m *kmsg.MessageV1) []byte {
	at := len(dst)
	m.MessageSize = int32(sizeOf(m.Magic, m.Key, m.Value) - overhead)
	if m.Magic == 0 {
		v0 := kmsg.MessageV0{Offset: m.Offset, MessageSize: m.MessageSize, Attributes: m.Attributes, Key: m.Key, Value: m.Value}
		dst = v0.AppendTo(dst)
	} else {
		dst = m.AppendTo(dst)
	}
	binary.BigEndian.PutUint32(dst[at+posCRC:], crc32.ChecksumIEEE(dst[at+posMagic:]))
	return dst
}
