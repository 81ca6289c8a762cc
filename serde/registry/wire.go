package registry

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// The wire format: a zero byte, the schema's id, big-endian; for protobuf then the way to the message within its file;
// then the payload.
const (
	magic      = 0
	headerSize = 5
	// indexesMost is how deep messages may be declared within each other.
	indexesMost = 64
)

var errNotFramed = errors.New("the bytes are not of a registry's serializer, which begin with 0 and a schema id")

func appendHeader(dst []byte, id int) []byte {
	return binary.BigEndian.AppendUint32(append(dst, magic), uint32(id))
}

// header returns the schema id and what is behind it.
func header(data []byte) (id int, payload []byte, err error) {
	if len(data) < headerSize || data[0] != magic {
		return 0, nil, errNotFramed
	}
	return int(int32(binary.BigEndian.Uint32(data[1:]))), data[headerSize:len(data):len(data)], nil
}

// appendIndexes writes the way to a message: the number of indexes and the indexes, each a zigzag varint; the first
// message of a file, which most are, is a single zero.
func appendIndexes(dst []byte, indexes []int) []byte {
	if len(indexes) == 1 && indexes[0] == 0 {
		return append(dst, 0)
	}
	dst = binary.AppendVarint(dst, int64(len(indexes)))
	for _, i := range indexes {
		dst = binary.AppendVarint(dst, int64(i))
	}
	return dst
}

func readIndexes(data []byte) (indexes []int, rest []byte, err error) {
	next := func() (v int64) {
		v, n := binary.Varint(data)
		if n <= 0 {
			err = errors.New("the message indexes end early")
			return 0
		}
		data = data[n:]
		return v
	}
	count := next()
	if err != nil {
		return nil, nil, err
	}
	if count == 0 {
		return []int{0}, data, nil
	}
	if count < 0 || count > indexesMost {
		return nil, nil, fmt.Errorf("%d message indexes", count)
	}
	for range count {
		i := next()
		if err != nil {
			return nil, nil, err
		}
		if i < 0 || i > 1<<20 {
			return nil, nil, fmt.Errorf("message index %d", i)
		}
		indexes = append(indexes, int(i))
	}
	return indexes, data, nil
}
