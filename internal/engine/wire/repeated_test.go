package wire

import (
	"bytes"
	"flag"
	"fmt"
	"reflect"
	"sort"
	"strconv"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// crowd puts n elements into an array of structs or plain values, wherever it is in a request, and one into those around and
// inside of it. name is what strings in it are.
func crowd(v reflect.Value, path []int, n int, name func(i int) string) {
	t := v.Type()
	if t.Kind() == reflect.Slice && t.Elem().Kind() != reflect.Uint8 {
		k := 1
		if len(path) == 0 {
			k = n
		}
		v.Set(reflect.MakeSlice(t, k, k))
		for i := range k {
			e := v.Index(i)
			if d := e.Addr().MethodByName("Default"); d.IsValid() {
				d.Call(nil)
			}
			named(e, func() string { return name(i) })
			if e.Kind() == reflect.Struct && len(path) > 0 {
				crowd(e.Field(path[0]), path[1:], n, name)
			}
		}
	}
}

// named sets the strings of a struct, or a string.
func named(v reflect.Value, name func() string) {
	switch v.Kind() {
	case reflect.String:
		v.SetString(name())
	case reflect.Pointer:
		if v.Type().Elem().Kind() == reflect.String {
			s := name()
			v.Set(reflect.ValueOf(&s))
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() && v.Type().Field(i).Name != "Version" {
				named(v.Field(i), name)
			}
		}
	}
}

// arrays returns the paths to all arrays of a request.
func arrays(t reflect.Type) (paths [][]int) {
	for i := range t.NumField() {
		f := t.Field(i)
		if !f.IsExported() || f.Type.Kind() != reflect.Slice || f.Type.Elem().Kind() == reflect.Uint8 {
			continue
		}
		paths = append(paths, []int{i})
		if f.Type.Elem().Kind() == reflect.Struct {
			for _, p := range arrays(f.Type.Elem()) {
				paths = append(paths, append([]int{i}, p...))
			}
		}
	}
	return paths
}

var everyVersion = flag.Bool("every", false, "all versions of requests, and not the newest alone")

// TestManyElementsCostLittle fills each array of each request with as many elements as are taken, with the name of the same
// thing, and with names of nothing.
func TestManyElementsCostLittle(t *testing.T) {
	if testing.Short() {
		t.Skip("short tests say nothing of costs")
	}
	s := newTestServer(t, withLegacy)
	warmUp(t, s)
	names := map[string]func(int) string{
		"that are the same": func(int) string { return "t" },
		"that are nothing":  strconv.Itoa,
	}
	for key, a := range apis {
		first := a.max
		if *everyVersion {
			first = a.min
		}
		for version := first; version <= a.max; version++ {
			typ := reflect.TypeOf(kmsg.RequestForKey(key)).Elem()
			for _, path := range arrays(typ) {
				for kind, name := range names {
					make := func(n int) []byte {
						req := kmsg.RequestForKey(key)
						req.SetVersion(version)
						crowd(reflect.ValueOf(req).Elem().Field(path[0]), path[1:], n, name)
						return frameOf(req, 0)
					}
					n := sort.Search(32<<10, func(n int) bool { return opened(s, make(n+1)) == nil })
					frame := make(n)
					what := fmt.Sprintf("%s %d %s (%d deep) %s", a.name, version, typ.Field(path[0]).Name, len(path), kind)
					checkCost(t, s, what, func() []byte { return bytes.Clone(frame) })
				}
			}
		}
	}
}
