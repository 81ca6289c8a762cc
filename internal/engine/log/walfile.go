package log

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// A WAL file begins with a header in a block of its own, then come frames without gaps:
//
//	length int32   of the payload
//	crc    uint32  of all that follows and of the file's salt
//	lsn    uint64  one more than the frame before
//	synced uint64  an lsn that was durable when the frame was queued
//	time   int64   ms
//	kind   uint8
//	check  uint24  of length, lsn, synced, time, kind and the file's salt
//	partition int32, topic 16 bytes
//	payload, padded with zeros to 8 bytes
//
// Files are used again without being cleared. The salt is a new random number each time, so that neither a frame of an
// earlier use nor one that a client wrote into its records passes; the first frame that does not pass is the end. The
// check tells at a glance where no frame begins: what comes after the end is searched at each 8 bytes, and a checksum
// over as many bytes as any of them happens to say takes minutes.
const (
	walHeaderSize = 4096
	frameHeader   = 56
	frameKind     = 32 // where kind and check are
	walMagic      = "thalwegWAL2\n"
	walExt        = ".wal"
	walStep       = 4 << 20 // a new file grows by so many zeroed bytes at a time, up to its size
)

// Kinds of frames.
const (
	frameAppend = 1 + iota // a batch
	frameStart             // new log start, int64
)

// walFile is one file of the WAL.
type walFile struct {
	slot   int    // its name
	num    uint64 // of this use; grows by one with each
	salt   uint64 // of this use
	oldest uint64 // number of the oldest file needed when this use began
	first  uint64 // lsn of its first frame
	last   uint64 // lsn of its last frame; first-1: none
	pos    int64  // end of the frames
	alloc  int64  // size of the file
	f      vfs.File
}

func walName(slot int) string { return fmt.Sprintf("%06d%s", slot, walExt) }

// encodeHeader returns the block at the start of the file.
func (w *walFile) encodeHeader() []byte {
	b := make([]byte, 0, walHeaderSize)
	b = append(b, walMagic...)
	b = binary.BigEndian.AppendUint64(b, w.num)
	b = binary.BigEndian.AppendUint64(b, w.oldest)
	b = binary.BigEndian.AppendUint64(b, w.first)
	b = binary.BigEndian.AppendUint64(b, w.salt)
	return seal(b)[:walHeaderSize]
}

const walHeaderUsed = len(walMagic) + 4*8 + 4

// decodeHeader fills w from the block at the start of its file; false if there is no valid header.
func (w *walFile) decodeHeader(b []byte) bool {
	if len(b) < walHeaderUsed {
		return false
	}
	body, err := unseal(b[:walHeaderUsed])
	if err != nil || string(body[:len(walMagic)]) != walMagic {
		return false
	}
	d := decoder{b: body[len(walMagic):]}
	w.num, w.oldest, w.first, w.salt = uint64(d.i64()), uint64(d.i64()), uint64(d.i64()), uint64(d.i64())
	w.last = w.first - 1
	return !d.bad
}

// frame is one decoded frame; payload aliases the buffer it was decoded from.
type frame struct {
	lsn, synced uint64
	time        int64
	kind        byte
	id          ID
	payload     []byte
	size        int
}

// appendFrame appends a frame whose checksum is still open.
func appendFrame(dst []byte, f *frame) []byte {
	be := binary.BigEndian
	dst = be.AppendUint32(dst, uint32(len(f.payload)))
	dst = append(dst, 0, 0, 0, 0)
	dst = be.AppendUint64(dst, f.lsn)
	dst = be.AppendUint64(dst, f.synced)
	dst = be.AppendUint64(dst, uint64(f.time))
	dst = append(dst, f.kind, 0, 0, 0)
	dst = be.AppendUint32(dst, uint32(f.id.Partition))
	dst = append(dst, f.id.Topic[:]...)
	dst = append(dst, f.payload...)
	return append(dst, zeros[:frameSize(len(f.payload))-frameHeader-len(f.payload)]...)
}

// frameSize returns the bytes of a frame with a payload of n.
func frameSize(n int) int { return (frameHeader + n + 7) &^ 7 }

// frameCRC returns the checksum of the frame at the start of b under salt.
func frameCRC(b []byte, salt uint64) uint32 {
	n := frameHeader + int(binary.BigEndian.Uint32(b))
	return salted(crc32.Checksum(b[8:n], castagnoli), salt)
}

// frameCheck returns the low 24 bits of the checksum of a frame's fixed fields under salt.
func frameCheck(b []byte, salt uint64) uint32 {
	crc := crc32.Checksum(b[:4], castagnoli)
	return salted(crc32.Update(crc, castagnoli, b[8:frameKind+1]), salt) & 0xffffff
}

func salted(crc uint32, salt uint64) uint32 {
	var b [8]byte
	binary.BigEndian.PutUint64(b[:], salt)
	return crc32.Update(crc, castagnoli, b[:])
}

// sealFrames fills in the checksums of all frames of b.
func sealFrames(b []byte, salt uint64) {
	for len(b) > 0 {
		check := frameCheck(b, salt)
		b[frameKind+1], b[frameKind+2], b[frameKind+3] = byte(check>>16), byte(check>>8), byte(check)
		binary.BigEndian.PutUint32(b[4:], frameCRC(b, salt))
		b = b[frameSize(int(binary.BigEndian.Uint32(b))):]
	}
}

// decodeFrame decodes the frame at the start of b, false if there is none that passes under salt.
func decodeFrame(b []byte, salt uint64) (f frame, ok bool) {
	if len(b) < frameHeader || binary.BigEndian.Uint32(b[frameKind:])&0xffffff != frameCheck(b, salt) {
		return f, false
	}
	n := binary.BigEndian.Uint32(b)
	if uint64(n) > uint64(len(b)-frameHeader) || binary.BigEndian.Uint32(b[4:]) != frameCRC(b, salt) {
		return f, false
	}
	d := decoder{b: b[8:frameHeader]}
	f.lsn, f.synced, f.time = uint64(d.i64()), uint64(d.i64()), d.i64()
	f.kind = d.u8()
	d.take(3)
	f.id.Partition = d.i32()
	copy(f.id.Topic[:], d.take(16))
	f.payload = b[frameHeader : frameHeader+int(n)]
	f.size = frameSize(int(n))
	return f, f.size <= len(b)
}

// readFrames calls fn for each frame of the file and sets last and pos. It returns ErrCorrupt if a later frame shows
// that one which does not pass any more was durable once.
func (w *walFile) readFrames(b []byte, fn func(*frame) error) error {
	w.last, w.pos = w.first-1, walHeaderSize
	for int(w.pos) < len(b) {
		f, ok := decodeFrame(b[w.pos:], w.salt)
		if !ok || f.lsn != w.last+1 {
			break
		}
		if err := fn(&f); err != nil {
			return err
		}
		w.last = f.lsn
		w.pos += int64(f.size)
	}
	for at := w.pos + 8; at+frameHeader <= int64(len(b)); at += 8 {
		lsn := binary.BigEndian.Uint64(b[at+8:])
		if lsn <= w.last+1 || lsn > w.last+1<<24 || binary.BigEndian.Uint64(b[at+16:]) <= w.last {
			continue
		}
		if f, ok := decodeFrame(b[at:], w.salt); ok {
			return fmt.Errorf("%w: %s is damaged at byte %d: entry %d was durable, as entry %d at byte %d says", ErrCorrupt, walName(w.slot), w.pos, w.last+1, f.lsn, at)
		}
	}
	return nil
}

// nowMs is the clock's time in Kafka's unit.
func nowMs(c Clock) int64 { return c.Now().UnixMilli() }
