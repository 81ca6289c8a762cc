package legacy

import (
	"bytes"
	"encoding/binary"
	"math/bits"
)

// lz4Magic begins a frame of LZ4.
var lz4Magic = []byte{0x04, 0x22, 0x4d, 0x18}

// Bits of the first byte of a frame's descriptor, and the bytes of the fields they announce.
const (
	lz4ContentSize, lz4ContentSizeBytes = 0x08, 8
	lz4DictID, lz4DictIDBytes           = 0x01, 4
)

// repairLZ4 returns a frame with the checksum of its descriptor as it has to be. In format 0 everybody takes the checksum
// over the frame's magic, too, as Kafka's first implementation did (KAFKA-3160). What is no frame is returned as it is.
func repairLZ4(frame []byte) []byte {
	if !bytes.HasPrefix(frame, lz4Magic) || len(frame) < len(lz4Magic)+3 {
		return frame
	}
	end := len(lz4Magic) + 2
	if frame[len(lz4Magic)]&lz4ContentSize != 0 {
		end += lz4ContentSizeBytes
	}
	if frame[len(lz4Magic)]&lz4DictID != 0 {
		end += lz4DictIDBytes
	}
	if end >= len(frame) {
		return frame
	}
	fixed := bytes.Clone(frame)
	fixed[end] = byte(shortXXH32(frame[len(lz4Magic):end]) >> 8)
	return fixed
}

// shortXXH32 is XXH32 with seed 0 of less than 16 bytes, which need none of its lanes.
func shortXXH32(b []byte) uint32 {
	const p1, p2, p3, p4, p5 = 2654435761, 2246822519, 3266489917, 668265263, 374761393
	h := uint32(p5) + uint32(len(b))
	for ; len(b) >= 4; b = b[4:] {
		h = bits.RotateLeft32(h+binary.LittleEndian.Uint32(b)*p3, 17) * p4
	}
	for _, c := range b {
		h = bits.RotateLeft32(h+uint32(c)*p5, 11) * p1
	}
	h = (h ^ h>>15) * p2
	h = (h ^ h>>13) * p3
	return h ^ h>>16
}
