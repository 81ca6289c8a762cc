package batch

import "encoding/binary"

// refill takes what fits into bits: 56 of them and more, or all there are.
func (u *inflater) refill() {
	if len(u.src)-u.pos >= 8 {
		u.bits |= binary.LittleEndian.Uint64(u.src[u.pos:]) << (u.n & 63)
		u.pos += int(63-u.n) >> 3
		u.n |= 56
		return
	}
	for u.n < 56 && u.pos < len(u.src) {
		u.bits |= uint64(u.src[u.pos]) << (u.n & 63)
		u.pos++
		u.n += 8
	}
}

func (u *inflater) drop(n uint) {
	u.bits >>= n & 63
	u.n -= n
}

// align passes over what is left of a byte, and gives back the others.
func (u *inflater) align() {
	u.pos -= int(u.n / 8)
	u.bits, u.n = 0, 0
}

// sub returns where the entry is that e, of a code that goes on, and the bits behind it lead to.
func sub(e uint32, b uint64) uint32 { return e>>16 + uint32(b)&(1<<(e>>8&15)-1) }

// value returns the value of e with its extra bits, which stand in b behind the code.
func value(e uint32, b uint64) int { return int(e>>16) + int(b&(1<<(e&63)-1)>>(e>>8&15)) }

// fast decodes while there is so much to read, and so much room, that no step has to look. It returns where it came to.
func (u *inflater) fast(out []byte, at, low int) (_ int, err error) {
	src, pos, b, n, lit, dist := u.src, u.pos, u.bits, u.n, &u.codes.lit, &u.codes.dist
	lastPos, lastAt := len(src)-fastSrc, len(out)-fastRoom
	for pos <= lastPos && at <= lastAt {
		b |= binary.LittleEndian.Uint64(src[pos:]) << (n & 63)
		pos += int(63-n) >> 3
		n |= 56
		e := lit[b&litMask]
		if e&entryLiteral != 0 {
			out[at] = byte(e >> 16)
			at++
			b >>= e & 63
			n -= uint(e & 63)
			if e = lit[b&litMask]; e&entryLiteral != 0 {
				out[at] = byte(e >> 16)
				at++
				b >>= e & 63
				n -= uint(e & 63)
				e = lit[b&litMask]
			}
			b |= binary.LittleEndian.Uint64(src[pos:]) << (n & 63)
			pos += int(63-n) >> 3
			n |= 56
		}
		if e&entrySub != 0 {
			b >>= litBits
			n -= litBits
			e = lit[sub(e, b)&(uint32(len(lit))-1)]
		}
		used := b
		b >>= e & 63
		n -= uint(e & 63)
		if e&(entryLiteral|entryOdd) != 0 {
			if e&entryLiteral != 0 {
				out[at] = byte(e >> 16)
				at++
				continue
			}
			if err = errGzipCode; e&entryEnd != 0 {
				err = nil
				u.endBlock()
			}
			break
		}
		length := value(e, used)
		if e = dist[b&distMask]; e&entrySub != 0 {
			b >>= distBits
			n -= distBits
			e = dist[sub(e, b)&(uint32(len(dist))-1)]
		}
		back := value(e, b)
		b >>= e & 63
		n -= uint(e & 63)
		if e&entryOdd != 0 || back > at-low {
			err = errGzipFar
			break
		}
		if back >= 8 && length <= 16 { // most are
			w := out[at-back : at+16 : len(out)]
			binary.LittleEndian.PutUint64(w[back:], binary.LittleEndian.Uint64(w))
			binary.LittleEndian.PutUint64(w[back+8:], binary.LittleEndian.Uint64(w[8:]))
		} else {
			repeat(out[at-back:at+length], back)
		}
		at += length
	}
	u.pos, u.bits, u.n = pos, b, n
	return at, err
}

// repeat continues b, of which the first n bytes are there, with copies of them.
func repeat(b []byte, n int) {
	for n < len(b) {
		n += copy(b[n:], b[:n])
	}
}

// careful decodes until out is full or the block ends, or until the fast loop can.
func (u *inflater) careful(out []byte, at, low int) (int, error) {
	for first := true; ; first = false {
		if u.length > 0 {
			if u.dist > at-low {
				return at, errGzipFar
			}
			n := min(u.length, len(out)-at)
			repeat(out[at-u.dist:at+n], u.dist)
			u.length -= n
			at += n
		}
		if at == len(out) || !first && len(u.src)-u.pos >= fastSrc && len(out)-at >= fastRoom {
			return at, nil
		}
		e, err := u.symbol(u.codes.lit[:], litBits)
		if err != nil {
			return at, err
		}
		switch {
		case e&entryLiteral != 0:
			out[at] = byte(e >> 16)
			at++
			continue
		case e&entryEnd != 0:
			u.endBlock()
			return at, nil
		}
		length := int(e >> 16)
		if e, err = u.symbol(u.codes.dist[:], distBits); err != nil {
			return at, err
		}
		u.length, u.dist = length, int(e>>16)
	}
}

// symbol decodes a symbol, with its extra bits. It returns its entry, with the value they make.
func (u *inflater) symbol(table []uint32, width uint) (uint32, error) {
	u.refill()
	e := table[u.bits&(1<<width-1)]
	if e&entrySub != 0 && u.n >= width {
		u.drop(width)
		e = table[sub(e, u.bits)]
	}
	used := uint(e & 63)
	if u.n < used || e&entrySub != 0 {
		return 0, errGzipShort
	}
	if e&entryOdd != 0 && e&entryEnd == 0 {
		return 0, errGzipCode
	}
	kind, v := e&(entryLiteral|entryEnd), e>>16
	if kind == 0 {
		v = uint32(value(e, u.bits))
	}
	u.drop(used)
	return v<<16 | kind, nil
}
