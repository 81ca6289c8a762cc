package wire

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// A shape is the layout of a request's body, written in the text form below and walked before a decoder is let near
// the bytes: a decoder trusts counts and allocates for them, the walk believes only what is there.
//
// The text is a list of fields in their order:
//
//	b h i l u     1, 2, 4, 8 and 16 bytes
//	s y           string, bytes (may be null)
//	[s]           array of plain values
//	( ... )       array of structs
//	< ... >       struct that may be null
//
// A field with @2 exists from version 2 on, with @2-4 from 2 to 4; that of an array stands after its opening.
type shape []field

type field struct {
	kind     byte // one of b h i l u s y [ ( <
	min, max int16
	inner    shape
}

// Limits of the walk.
const (
	maxElements = 64 << 10 // of all arrays of a request (see api.elements)
	maxBulk     = 16 << 10 // of Produce and Fetch
	maxTags     = 64       // of one struct
	maxAllTags  = 4 << 10  // of a request
)

var errShort = errors.New("wire: request ends early")

// mustShape parses the text form; a mistake in it is one of this package.
func mustShape(text string) shape {
	for _, c := range "[](<>)" {
		text = strings.ReplaceAll(text, string(c), " "+string(c)+" ")
	}
	text = strings.NewReplacer("[  @", "[@", "(  @", "(@", "<  @", "<@", "[ @", "[@", "( @", "(@", "< @", "<@").Replace(text)
	s, rest := parseShape(strings.Fields(text))
	if len(rest) > 0 {
		panic("wire: shape ends with " + rest[0])
	}
	return s
}

func parseShape(tokens []string) (s shape, rest []string) {
	for len(tokens) > 0 {
		t := tokens[0]
		if t == "]" || t == ")" || t == ">" {
			return s, tokens
		}
		f := field{kind: t[0], min: 0, max: 1<<15 - 1}
		if len(t) > 1 {
			lo, hi, ranged := strings.Cut(t[2:], "-")
			f.min = mustVersion(lo)
			if ranged {
				f.max = mustVersion(hi)
			}
		}
		tokens = tokens[1:]
		if strings.ContainsRune("[(<", rune(f.kind)) {
			f.inner, tokens = parseShape(tokens)
			tokens = tokens[1:]
		}
		s = append(s, f)
	}
	return s, nil
}

func mustVersion(s string) int16 {
	n, err := strconv.ParseInt(s, 10, 16)
	if err != nil {
		panic("wire: shape has version " + s)
	}
	return int16(n)
}

// walker goes over the bytes of one request.
type walker struct {
	b        []byte
	version  int16
	flexible bool
	elements int // still allowed
	tagged   int // tagged fields met
}

// walk checks that b is laid out as s says, all of it.
func (s shape) walk(b []byte, version int16, flexible bool, elements int) error {
	w := walker{b: b, version: version, flexible: flexible, elements: elements}
	if err := w.fields(s); err != nil {
		return err
	}
	if len(w.b) > 0 {
		return fmt.Errorf("wire: %d bytes after the request", len(w.b))
	}
	return nil
}

// fields walks one struct: the body of a request, or an element.
func (w *walker) fields(s shape) error {
	for i := range s {
		f := &s[i]
		if w.version < f.min || w.version > f.max {
			continue
		}
		if err := w.field(f); err != nil {
			return err
		}
	}
	if w.flexible {
		return w.tags()
	}
	return nil
}

func (w *walker) field(f *field) error {
	switch f.kind {
	case '(', '[':
		return w.array(f)
	case '<':
		if len(w.b) == 0 {
			return errShort
		}
		null := int8(w.b[0]) < 0
		w.b = w.b[1:]
		if null {
			return nil
		}
		return w.fields(f.inner)
	}
	return w.plain(f.kind)
}

func (w *walker) plain(kind byte) error {
	switch kind {
	case 'b':
		return w.skip(1)
	case 'h':
		return w.skip(2)
	case 'i':
		return w.skip(4)
	case 'l':
		return w.skip(8)
	case 'u':
		return w.skip(16)
	case 's':
		n, err := w.length(2)
		if err != nil {
			return err
		}
		return w.skip(max(n, 0))
	case 'y':
		n, err := w.length(4)
		if err != nil {
			return err
		}
		return w.skip(max(n, 0))
	}
	panic("wire: shape has kind " + string(kind))
}

func (w *walker) array(f *field) error {
	n, err := w.length(4)
	if err != nil {
		return err
	}
	if n > w.elements {
		return fmt.Errorf("wire: request has more elements than are taken of its size: %d, with %d left", n, w.elements)
	}
	w.elements -= max(n, 0)
	for range n {
		if f.kind == '(' {
			err = w.fields(f.inner)
		} else {
			err = w.plain(f.inner[0].kind)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// length reads the length of a string, bytes or array: -1 is null. width is that of the classic encoding.
func (w *walker) length(width int) (int, error) {
	n := 0
	switch {
	case w.flexible:
		u, err := w.uvarint()
		if err != nil {
			return 0, err
		}
		n = int(u) - 1
	case len(w.b) < width:
		return 0, errShort
	case width == 2:
		n = int(int16(binary.BigEndian.Uint16(w.b)))
		w.b = w.b[2:]
	default:
		n = int(int32(binary.BigEndian.Uint32(w.b)))
		w.b = w.b[4:]
	}
	if n < -1 {
		return 0, fmt.Errorf("wire: length %d", n)
	}
	return n, nil
}

func (w *walker) uvarint() (uint32, error) {
	u, n := binary.Uvarint(w.b[:min(len(w.b), 5)])
	if n <= 0 || u > 1<<32-1 {
		return 0, errShort
	}
	w.b = w.b[n:]
	return uint32(u), nil
}

// tags walks the tagged fields at the end of a struct.
func (w *walker) tags() error {
	count, err := w.uvarint()
	if err != nil {
		return err
	}
	w.tagged += int(min(count, maxTags+1))
	if count > maxTags || w.tagged > maxAllTags {
		return fmt.Errorf("wire: %d tagged fields", count)
	}
	for range count {
		if _, err := w.uvarint(); err != nil {
			return err
		}
		size, err := w.uvarint()
		if err != nil {
			return err
		}
		if err := w.skip(int(size)); err != nil {
			return err
		}
	}
	return nil
}

func (w *walker) skip(n int) error {
	if n > len(w.b) {
		return errShort
	}
	w.b = w.b[n:]
	return nil
}
