package wire

import (
	"bytes"
	"flag"
	"fmt"
	"math/rand/v2"
	"reflect"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

var seed = flag.Uint64("seed", uint64(time.Now().UnixNano()), "seed of the random requests")

// fill puts random values into a request, with arrays of up to three elements.
func fill(r *rand.Rand, v reflect.Value) {
	switch v.Kind() {
	case reflect.Bool:
		v.SetBool(r.IntN(2) == 0)
	case reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		v.SetInt(int64(int8(r.Uint32())))
	case reflect.String:
		v.SetString(string(bytes.Repeat([]byte{'x'}, r.IntN(5))))
	case reflect.Pointer:
		if v.Type().Elem().Kind() == reflect.Struct || r.IntN(2) == 0 {
			v.Set(reflect.New(v.Type().Elem()))
			fill(r, v.Elem())
		}
	case reflect.Array:
		for i := range v.Len() {
			v.Index(i).SetUint(uint64(r.Uint32N(256)))
		}
	case reflect.Slice:
		if v.Type().Elem().Kind() == reflect.Uint8 {
			v.SetBytes(bytes.Repeat([]byte{7}, r.IntN(5)))
			return
		}
		v.Set(reflect.MakeSlice(v.Type(), r.IntN(4), 4))
		for i := range v.Len() {
			fill(r, v.Index(i))
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if name := v.Type().Field(i).Name; name != "Version" && name != "UnknownTags" {
				fill(r, v.Field(i))
			}
		}
	}
}

// TestShapesMatchTheProtocol encodes random requests in every version served: the walk must accept each, to its last
// byte, and refuse each that is cut.
func TestShapesMatchTheProtocol(t *testing.T) {
	t.Logf("-seed %d", *seed)
	r := rand.New(rand.NewPCG(*seed, 1))
	for key, a := range apis {
		for version := a.min; version <= a.max; version++ {
			t.Run(fmt.Sprintf("%s-v%d", a.name, version), func(t *testing.T) {
				for range 20 {
					req := kmsg.RequestForKey(key)
					fill(r, reflect.ValueOf(req).Elem())
					req.SetVersion(version)
					b := req.AppendTo(nil)
					if err := a.shape.walk(b, version, req.IsFlexible(), a.elements(len(b))); err != nil {
						t.Fatalf("%v\n%+v", err, req)
					}
					if len(b) > 0 {
						if err := a.shape.walk(b[:len(b)-1], version, req.IsFlexible(), a.elements(len(b))); err == nil {
							t.Fatalf("the walk accepts a request without its last byte\n%+v", req)
						}
					}
					if err := a.shape.walk(append(b, 0), version, req.IsFlexible(), a.elements(len(b))); err == nil {
						t.Fatalf("the walk accepts a byte too many\n%+v", req)
					}
				}
			})
		}
	}
}

// TestTableIsWithinTheCodec checks that no version is advertised that the codec does not know.
func TestTableIsWithinTheCodec(t *testing.T) {
	for key, a := range apis {
		req := kmsg.RequestForKey(key)
		if req == nil || a.max > req.MaxVersion() || a.min > a.max || a.serve < a.min || a.handle == nil {
			t.Errorf("%s (%d): min %d, serve %d, max %d", a.name, key, a.min, a.serve, a.max)
		}
		if got := kmsg.NameForKey(key); got != a.name {
			t.Errorf("key %d is called %s, not %s", key, a.name, got)
		}
	}
}

// TestWalkRefusesHostileCounts gives claims far above what is there: none may cost more than looking at it.
func TestWalkRefusesHostileCounts(t *testing.T) {
	for _, c := range []struct {
		name     string
		key      int16
		version  int16
		flexible bool
		body     []byte
	}{
		{"metadata with 2^31-1 topics", 3, 1, false, []byte{0x7f, 0xff, 0xff, 0xff}},
		{"metadata with 10 topics of which none is there", 3, 1, false, []byte{0, 0, 0, 10}},
		{"metadata with -2 topics", 3, 1, false, []byte{0xff, 0xff, 0xff, 0xfe}},
		{"metadata with 2^32-2 compact topics", 3, 9, true, []byte{0xff, 0xff, 0xff, 0xff, 0x0f}},
		{"metadata with a varint that never ends", 3, 9, true, []byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}},
		{"metadata with 65 tagged fields", 3, 9, true, append([]byte{1, 0, 0, 0, 65}, make([]byte, 130)...)},
		{"metadata with 65537 empty names", 3, 1, false, append([]byte{0, 1, 0, 1}, make([]byte, 2*65537)...)},
		{"produce with 2^31-1 topics", 0, 3, false, []byte{0xff, 0xff, 0, 1, 0, 0, 0, 0, 0x7f, 0xff, 0xff, 0xff}},
	} {
		a := apis[c.key]
		if err := a.shape.walk(c.body, c.version, c.flexible, a.elements(len(c.body))); err == nil {
			t.Errorf("%s: accepted", c.name)
		}
	}
}
