// Package serde turns values into bytes and back.
//
// There are few types: a [Serde] encodes and decodes one type, an [Opt] is a value that may be absent. Topics carry
// serdes; operators never take one. What the library must encode on its own (changelogs, repartition topics) follows
// the type: see [For].
//
// # Nulls
//
// A Kafka record may have a null key or value. A serde writes null by returning a nil slice from Append, and is given
// nil by Decode. Only [None] and [Optional] take nulls; to any other serde a null is a malformed value.
//
// The encodings of the scalars are those of Java's serializers, byte for byte, so that other programs can read them.
// Numbers are big-endian two's complement: their bytes order like the numbers only as long as none is negative.
package serde

// Serde encodes and decodes one type. It is used by many goroutines at once and keeps nothing it is given.
type Serde[T any] interface {
	// Append appends the encoding of v to dst and returns the extended slice, or a nil slice where v is null.
	// dst is never nil.
	Append(dst []byte, v T) ([]byte, error)
	// Decode reads one value from data, which it must not retain. data is nil for null.
	Decode(data []byte) (T, error)
}

// Opt is a value that may be absent. The zero Opt is.
type Opt[T any] struct {
	Value T
	OK    bool
}

// Some returns a present value.
func Some[T any](v T) Opt[T] { return Opt[T]{v, true} }

// Or returns the value, or d where it is absent.
func (o Opt[T]) Or(d T) T {
	if o.OK {
		return o.Value
	}
	return d
}

// Void is the type of a key or value that does not matter.
type Void struct{}

// nullable is a serde that takes and writes nulls.
type nullable interface{ nullable() bool }

// TakesNull reports whether s decodes null. Sources of other serdes treat a null as a malformed value.
func TakesNull[T any](s Serde[T]) bool {
	n, ok := s.(nullable)
	return ok && n.nullable()
}

// partitioned is a serde of keys of which a part alone says where a record goes.
type partitioned interface{ PartitionKey(key []byte) []byte }

// PartitionKey returns the part of an encoded key that says to which partition a record goes: all of it, but of a windowed
// key the key inside, as in Kafka Streams, so that all windows of a key are in one partition.
func PartitionKey[T any](s Serde[T], key []byte) []byte {
	if p, ok := s.(partitioned); ok && key != nil {
		return p.PartitionKey(key)
	}
	return key
}

// single is a serde with a cheaper form for the use of one goroutine.
type single[T any] interface{ single() Serde[T] }

// Single returns a form of s for the use of one goroutine, which may be faster: strings share blocks of memory.
// It returns s itself where there is none.
func Single[T any](s Serde[T]) Serde[T] {
	if x, ok := s.(single[T]); ok {
		return x.single()
	}
	return s
}

// Same reports whether a and b are the same serde, so that bytes one has written need no re-encoding for the other.
// Serdes of uncomparable types never are.
func Same[T any](a, b Serde[T]) (same bool) {
	defer func() {
		if recover() != nil {
			same = false
		}
	}()
	return a == b
}

// Absent returns what tells an absent T, nil where T is no [Opt] and so never is.
func Absent[T any]() func(T) bool {
	if o, ok := any(*new(T)).(interface{ absent() any }); ok {
		return o.absent().(func(T) bool)
	}
	return nil
}

// absent returns the func(Opt[T]) bool for Absent, which cannot name the T within.
func (Opt[T]) absent() any { return func(o Opt[T]) bool { return !o.OK } }
