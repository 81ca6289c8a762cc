package legacy

import (
	"errors"
	"fmt"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/thalweg/thalweg/internal/batch"
)

// Limits are those of a message set that is taken.
type Limits struct {
	Message  int // most bytes of one message as sent, be it a wrapper of others
	Unpacked int // most bytes to which all of a set may decompress
}

// Up returns one batch with the messages of a set, in their order, compressed as the last wrapper among them was. What is
// sent as format 0 has no time (-1). Offsets say nothing: producers write there what they like, as brokers do not look.
//
// Errors, wrapped: [batch.ErrCorrupt] for a set that is damaged, cut off or empty, [batch.ErrTooLarge] for one beyond the
// limits, [batch.ErrCodec] and [batch.ErrMagic] for what no message set can hold, and [ErrInvalid].
func Up(set []byte, most Limits) ([]byte, error) {
	u := upward{left: most.Unpacked}
	for len(set) > 0 {
		m, size, err := parse(set)
		if err != nil {
			return nil, err
		}
		if size > most.Message {
			return nil, fmt.Errorf("%w: message of %d bytes, the most is %d", batch.ErrTooLarge, size, most.Message)
		}
		if err := u.add(&m); err != nil {
			return nil, err
		}
		set = set[size:]
	}
	b, err := u.builder.Finish(batch.Seal{ProducerID: -1, ProducerEpoch: -1, BaseSequence: -1, Codec: u.codec})
	if errors.Is(err, batch.ErrEmpty) {
		return nil, fmt.Errorf("%w: message set without a message", batch.ErrCorrupt)
	}
	if err != nil {
		return nil, fmt.Errorf("legacy: %w", err)
	}
	return b, nil
}

// upward is a message set on its way to a batch.
type upward struct {
	builder batch.Builder
	codec   batch.Codec
	left    int    // bytes that may still be decompressed to
	buf     []byte // decompression
}

// add adds a message, or those that it wraps.
func (u *upward) add(m *kmsg.MessageV1) error {
	if codec(m) == batch.None {
		u.builder.Append(m.Timestamp, m.Key, m.Value, nil)
		return nil
	}
	inner, err := u.unpack(m)
	if err != nil {
		return err
	}
	u.codec = codec(m)
	for len(inner) > 0 {
		in, size, err := parse(inner)
		if err != nil {
			return err
		}
		if in.Magic != m.Magic || codec(&in) != batch.None {
			return fmt.Errorf("%w: message of format %d with codec %d in a wrapper of format %d", ErrInvalid, in.Magic, codec(&in), m.Magic)
		}
		u.builder.Append(in.Timestamp, in.Key, in.Value, nil)
		inner = inner[size:]
	}
	return nil
}

// unpack returns the message set in a wrapper.
func (u *upward) unpack(m *kmsg.MessageV1) ([]byte, error) {
	c, packed := codec(m), m.Value
	switch {
	case c > batch.LZ4: // zstd came after message sets
		return nil, fmt.Errorf("%w %d in a message set", batch.ErrCodec, c)
	case packed == nil:
		return nil, fmt.Errorf("%w: wrapper without a value", batch.ErrCorrupt)
	}
	out, err := batch.Decompress(u.buf[:0], packed, c, u.left)
	if err != nil {
		return nil, fmt.Errorf("legacy: %w", err)
	}
	u.buf, u.left = out, u.left-len(out)
	return out, nil
}
