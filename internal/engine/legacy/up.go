package legacy

import (
	"encoding/binary"
	"fmt"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/thalweg/thalweg/internal/batch"
)

// Limits are those of a message set that is taken.
type Limits struct {
	Message  int // most bytes of one message as sent, be it a wrapper of others
	Unpacked int // most bytes to which all of a set may decompress
	Batch    int // most bytes of the batch
}

// Up converts message sets. It holds no more of one than its [batch.Stream] and [batch.Packer] do, and a message. It is for
// one goroutine at a time.
type Up struct {
	In  *batch.Stream
	Out *batch.Packer
}

// messageWork is what a message costs, as [batch.Stream.Work] counts.
const messageWork = 128

// Convert returns one batch with the messages of a set, in their order, compressed as the last wrapper among them is. It lives
// until Out is reset. What is sent as format 0 has no time (-1). Offsets say nothing: producers write there what they like, as
// brokers do not look. work is what it took, as [batch.Stream.Work] counts, without that of Out; also with an error.
//
// Errors, wrapped: [batch.ErrCorrupt] for a set that is damaged, cut off or empty, [batch.ErrTooLarge] for one beyond the
// limits, [batch.ErrCodec] and [batch.ErrMagic] for what no message set can hold, and [ErrInvalid].
func (u Up) Convert(set []byte, most Limits) (b []byte, work int, err error) {
	as, err := lastCodec(set)
	if err != nil {
		return nil, 0, err
	}
	u.Out.Reset(as, most.Batch)
	n, opened := 0, 0
	for len(set) > 0 {
		m, size, err := parse(set)
		if err != nil {
			return nil, work, err
		}
		if size > most.Message {
			return nil, work, fmt.Errorf("%w: message of %d bytes, the most is %d", batch.ErrTooLarge, size, most.Message)
		}
		k, err := u.add(&m, most.Unpacked-opened)
		work += messageWork * max(k, 1)
		if codec(&m) != batch.None {
			opened, work = opened+u.In.Opened(), work+u.In.Work()
			u.In.Release()
		}
		if err != nil {
			return nil, work, err
		}
		n += k
		set = set[size:]
	}
	if n == 0 {
		return nil, work, fmt.Errorf("%w: message set without a message", batch.ErrCorrupt)
	}
	b, err = u.Out.Finish(u.Out.Added())
	if err != nil {
		return nil, work, fmt.Errorf("legacy: %w", err)
	}
	return b, work, nil
}

// lastCodec returns the compression of the last wrapper in a set, None if there is none.
func lastCodec(set []byte) (c batch.Codec, err error) {
	for len(set) > 0 {
		size, err := sizeAt(set)
		if err != nil {
			return c, err
		}
		if in := batch.Codec(set[posAttributes] & attrCodec); in != batch.None {
			c = in
		}
		set = set[size:]
	}
	if c > batch.LZ4 { // zstd came after message sets
		return c, fmt.Errorf("%w %d in a message set", batch.ErrCodec, c)
	}
	return c, nil
}

// add adds a message, or the n that it wraps.
func (u Up) add(m *kmsg.MessageV1, left int) (n int, err error) {
	c := codec(m)
	if c == batch.None {
		return 1, u.append(m)
	}
	switch {
	case c > batch.LZ4:
		return 0, fmt.Errorf("%w %d in a message set", batch.ErrCodec, c)
	case m.Value == nil:
		return 0, fmt.Errorf("%w: wrapper without a value", batch.ErrCorrupt)
	}
	if err := u.In.Reset(m.Value, c, left, nil); err != nil {
		return 0, fmt.Errorf("legacy: %w", err)
	}
	for ; len(u.In.Peek(1)) > 0; n++ {
		in, size, err := u.next()
		if err != nil {
			return n, err
		}
		if in.Magic != m.Magic || codec(&in) != batch.None {
			return n, fmt.Errorf("%w: message of format %d with codec %d in a wrapper of format %d", ErrInvalid, in.Magic, codec(&in), m.Magic)
		}
		if err := u.append(&in); err != nil {
			return n, err
		}
		u.In.Skip(int64(size))
	}
	return n, streamError(u.In)
}

// next returns the message at which the stream is.
func (u Up) next() (m kmsg.MessageV1, size int, err error) {
	b := u.In.Peek(least)
	if len(b) >= posSize+4 {
		if n := int(int32(binary.BigEndian.Uint32(b[posSize:]))); n > 0 {
			b = u.In.Peek(overhead + n)
		}
	}
	if err := streamError(u.In); err != nil {
		return m, 0, err
	}
	return parse(b)
}

func streamError(s *batch.Stream) error {
	if err := s.Err(); err != nil {
		return fmt.Errorf("legacy: %w", err)
	}
	return nil
}

func (u Up) append(m *kmsg.MessageV1) error {
	if err := u.Out.Add(m.Timestamp, m.Key, m.Value, nil); err != nil {
		return fmt.Errorf("legacy: %w", err)
	}
	return nil
}
