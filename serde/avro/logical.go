package avro

import (
	"fmt"
	"math"
	"math/big"
	"strings"
	"time"
)

// setLogical notes a logical type that is known and fits; the specification has others ignored, and so are these.
func (n *node) setLogical(x map[string]any) (err error) {
	name, _ := x["logicalType"].(string)
	fits := map[string][]kind{
		"decimal": {kindBytes, kindFixed}, "uuid": {kindString}, "date": {kindInt},
		"time-millis": {kindInt}, "time-micros": {kindLong},
		"timestamp-millis": {kindLong}, "timestamp-micros": {kindLong}, "timestamp-nanos": {kindLong},
		"local-timestamp-millis": {kindLong}, "local-timestamp-micros": {kindLong}, "local-timestamp-nanos": {kindLong},
	}[name]
	known := false
	for _, k := range fits {
		known = known || k == n.kind
	}
	if !known {
		return nil
	}
	if name == "decimal" {
		if n.precision, err = wholeOf(x, "precision", 0); err == nil {
			n.scale, err = wholeOf(x, "scale", 0)
		}
		if err != nil || n.precision < 1 || n.scale > n.precision {
			n.precision, n.scale = 0, 0
			return nil // "the logical type is ignored"
		}
	}
	n.logical = name
	return nil
}

// unit is the unit of a time or timestamp.
func unit(logical string) time.Duration {
	switch {
	case strings.HasSuffix(logical, "millis"):
		return time.Millisecond
	case strings.HasSuffix(logical, "micros"):
		return time.Microsecond
	}
	return time.Nanosecond
}

// day is the length of a day as the specification counts them.
const day = 86400

// timeOf reads a date or timestamp.
func timeOf(logical string, v int64) time.Time {
	switch {
	case logical == "date":
		return time.Unix(v*day, 0).UTC()
	case strings.HasSuffix(logical, "millis"):
		return time.UnixMilli(v).UTC()
	case strings.HasSuffix(logical, "micros"):
		return time.UnixMicro(v).UTC()
	}
	return time.Unix(0, v).UTC()
}

// numberOf writes a date or timestamp; what is finer than its unit is cut off. Local timestamps take the clock's hands
// as they stand in t's location, and so does a date.
func numberOf(logical string, t time.Time) (int64, error) {
	if logical == "date" || strings.HasPrefix(logical, "local-") {
		_, offset := t.Zone()
		t = t.Add(time.Duration(offset) * time.Second)
	}
	switch {
	case logical == "date":
		s := t.Unix()
		d := s / day
		if s%day < 0 {
			d--
		}
		return d, nil
	case strings.HasSuffix(logical, "millis"):
		return t.UnixMilli(), nil
	case strings.HasSuffix(logical, "micros"):
		return t.UnixMicro(), nil
	}
	if t.Before(time.Unix(0, math.MinInt64)) || t.After(time.Unix(0, math.MaxInt64)) {
		return 0, fmt.Errorf("%v is beyond a timestamp in nanoseconds", t)
	}
	return t.UnixNano(), nil
}

// decimalMost is how many bytes of a decimal are read: more digits than anybody counts in.
const decimalMost = 1 << 10

var ten = big.NewInt(10)

// decimalOf reads a decimal: an unscaled number in two's complement, big-endian.
func (n *node) decimalOf(b []byte) (*big.Rat, error) {
	if len(b) > decimalMost {
		return nil, fmt.Errorf("decimal of %d bytes", len(b))
	}
	num := new(big.Int).SetBytes(b)
	if len(b) > 0 && b[0]&0x80 != 0 {
		num.Sub(num, new(big.Int).Lsh(big.NewInt(1), uint(len(b))*8))
	}
	return new(big.Rat).SetFrac(num, new(big.Int).Exp(ten, big.NewInt(int64(n.scale)), nil)), nil
}

// bytesOf writes a decimal. A value that needs more digits than the schema has is refused, not rounded.
func (n *node) bytesOf(r *big.Rat) ([]byte, error) {
	scaled := new(big.Rat).Mul(r, new(big.Rat).SetInt(new(big.Int).Exp(ten, big.NewInt(int64(n.scale)), nil)))
	if !scaled.IsInt() {
		return nil, fmt.Errorf("%s has more than %d decimal places", r.RatString(), n.scale)
	}
	num := scaled.Num()
	if digits := len(strings.TrimPrefix(num.String(), "-")); digits > n.precision {
		return nil, fmt.Errorf("%s has more than %d digits", r.RatString(), n.precision)
	}
	size := num.BitLen()/8 + 1 // with the sign
	if n.kind == kindFixed {
		if size > n.size && !(num.Sign() < 0 && fitsNegative(num, n.size)) {
			return nil, fmt.Errorf("%s does not fit into %d bytes", r.RatString(), n.size)
		}
		size = n.size
	} else if num.Sign() < 0 && fitsNegative(num, size-1) {
		size--
	}
	if num.Sign() < 0 {
		num = new(big.Int).Add(num, new(big.Int).Lsh(big.NewInt(1), uint(size)*8))
	}
	return num.FillBytes(make([]byte, size)), nil
}

// fitsNegative reports whether num is the least number of size bytes: -2^(8·size-1) has a bit less than its size says.
func fitsNegative(num *big.Int, size int) bool {
	if size < 1 {
		return false
	}
	least := new(big.Int).Lsh(big.NewInt(1), uint(size)*8-1)
	return num.Cmp(least.Neg(least)) >= 0
}
