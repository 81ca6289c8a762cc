//go:build slow

package main

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"syscall"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/thalweg/thalweg/examples/enrich/shop"
	"github.com/thalweg/thalweg/serde"
	"github.com/thalweg/thalweg/serde/avro"
	"github.com/thalweg/thalweg/serde/registry"
)

// These tests want other implementations: THALWEG_TEST_PYTHON is a Python with testdata/interop/requirements.txt,
// THALWEG_TEST_CLASSPATH what testdata/interop/pom.xml asks for. .ci/run gets both.

// tool returns what an environment variable says.
func tool(t *testing.T, name string) string {
	t.Helper()
	v := os.Getenv(name)
	if v == "" {
		t.Fatalf("%s is not set: see .ci/run, which sets it", name)
	}
	return v
}

// python runs testdata/interop/interop.py and returns what it printed.
func python(t *testing.T, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), tool(t, "THALWEG_TEST_PYTHON"), append([]string{"testdata/interop/interop.py"}, args...)...)
	out, err := cmd.Output()
	if err != nil {
		stderr := ""
		if e, ok := err.(*exec.ExitError); ok {
			stderr = string(e.Stderr)
		}
		t.Fatalf("interop.py %q: %v\n%s", args, err, stderr)
	}
	return strings.TrimSpace(string(out))
}

// withRegistry starts an engine and a registry on it, both as processes, until stop.
func withRegistry(t *testing.T) (url string, stop func()) {
	t.Helper()
	url, _, stop = withCluster(t)
	return url, stop
}

// withCluster is withRegistry that returns the engine's address too.
func withCluster(t *testing.T) (url, broker string, stop func()) {
	t.Helper()
	dir := t.TempDir()
	s := start(t, dir)
	url, reg, log := startRegistry(t, "-dir", dir)
	return url, s.addr, func() {
		_ = reg.Process.Signal(syscall.SIGTERM)
		if err := reg.Wait(); err != nil || t.Failed() {
			t.Logf("the registry: %v\n%s", err, log)
		}
		s.stop(t, syscall.SIGTERM)
	}
}

type (
	pyItem struct {
		SKU   string
		Count int
	}
	pyOrder struct {
		ID          int64
		Price       *big.Rat
		Placed, Day time.Time
		Trace       [16]byte
		Note        serde.Opt[string]
		State       string
		Hash        [4]byte
		Tags        map[string]float64
		Items       []pyItem
	}
	pyPoint struct {
		X    int    `json:"x"`
		Name string `json:"name,omitempty"`
	}
)

// avroText is the schema within interop.py.
func avroText(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile("testdata/interop/interop.py")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, ok := strings.Cut(string(text), "\n"+name+` = """`)
	schema, _, ok2 := strings.Cut(rest, `"""`)
	if !ok || !ok2 {
		t.Fatalf("no %s in interop.py", name)
	}
	return schema
}

func thePyOrder() pyOrder {
	return pyOrder{
		ID: 1 << 40, Price: big.NewRat(-12345, 100), Placed: time.Date(2026, 5, 1, 12, 0, 0, 7_000_000, time.UTC),
		Day: time.Date(1969, 12, 31, 0, 0, 0, 0, time.UTC), Trace: [16]byte{0x12, 0x3e, 0x45, 0x67, 0xe8, 0x9b, 0x12, 0xd3, 0xa4, 0x56, 0x42, 0x66, 0x14, 0x17, 0x40, 0},
		Note: serde.Some("größe"), State: "PAID", Hash: [4]byte{1, 2, 0xfe, 0xff}, Tags: map[string]float64{"a": 0.5}, Items: []pyItem{{"s", -3}, {"", 4}},
	}
}

func thePyCustomer() *shop.Customer {
	return &shop.Customer{Name: "Ada", Address: &shop.Address{City: "London"}, Since: timestamppb.New(time.Unix(1234567890, 0)), Points: map[string]int32{"x": 3}}
}

// messages makes the Python form of the example's messages in dir.
func messages(t *testing.T, dir string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), tool(t, "THALWEG_TEST_PYTHON"), "-m", "grpc_tools.protoc", "--proto_path=../../examples/enrich", "--python_out="+dir,
		"shop/address.proto", "shop/customer.proto")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
}

// readFile decodes a file that Python wrote.
func readFile[T any](t *testing.T, path string, s serde.Serde[T]) T {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	v, err := s.Decode(b)
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	return v
}

func writeFile[T any](t *testing.T, path string, s serde.Serde[T], v T) {
	t.Helper()
	b, err := s.Append([]byte{}, v)
	if err == nil {
		err = os.WriteFile(path, b, 0o600)
	}
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
}

// TestPythonSerializers lets confluent-kafka write through thalweg registry what this library reads, and the other way
// round, in all three formats.
func TestPythonSerializers(t *testing.T) {
	url, stop := withRegistry(t)
	defer stop()
	dir := t.TempDir()
	messages(t, dir)
	python(t, "write", url, dir)
	reg := registry.New(url, registry.Options{AutoRegister: true})
	orders, customers, points := reg.Avro[pyOrder](avroText(t, "AVRO")), reg.Protobuf[*shop.Customer](), reg.JSON[pyPoint](avroText(t, "JSON"))

	got, want := readFile(t, filepath.Join(dir, "avro.bin"), orders), thePyOrder()
	if got.Price.Cmp(want.Price) != 0 {
		t.Errorf("price %v, want %v", got.Price, want.Price)
	}
	got.Price = want.Price
	if !reflect.DeepEqual(got, want) {
		t.Errorf("Python's order is read as\n%+v, want\n%+v", got, want)
	}
	if got := readFile(t, filepath.Join(dir, "protobuf.bin"), customers); !proto.Equal(got, thePyCustomer()) {
		t.Errorf("Python's customer is read as %v", got)
	}
	if got := readFile(t, filepath.Join(dir, "json.bin"), points); got != (pyPoint{7, "größe"}) {
		t.Errorf("Python's point is read as %v", got)
	}

	at := func(topic string) serde.Place { return serde.Place{Topic: topic} }
	writeFile(t, filepath.Join(dir, "go-avro.bin"), serde.At(orders, at("go-avro")), want)
	writeFile(t, filepath.Join(dir, "go-protobuf.bin"), serde.At(customers, at("go-protobuf")), thePyCustomer())
	writeFile(t, filepath.Join(dir, "go-json.bin"), serde.At(points, at("go-json")), pyPoint{8, "ä"})
	if got, want := python(t, "read", url, dir), `{"avro": true, "json": {"name": "ä", "x": 8}, "protobuf": true}`; got != want {
		t.Errorf("Python reads %s, want %s", got, want)
	}

	// The same schema is one schema, whoever registered it.
	for _, pair := range [][2]string{{"py-avro-value", "go-avro-value"}, {"py-protobuf-value", "go-protobuf-value"}, {"py-json-value", "go-json-value"}} {
		if a, b := idOf(t, url, pair[0]), idOf(t, url, pair[1]); a != b {
			t.Errorf("%s has schema %v, %s %v", pair[0], a, pair[1], b)
		}
	}
}

func idOf(t *testing.T, url, subject string) float64 {
	t.Helper()
	var s map[string]any
	if err := json.Unmarshal([]byte(get(t, url+"/subjects/"+subject+"/versions/latest")), &s); err != nil {
		t.Fatal(err)
	}
	id, _ := s["id"].(float64)
	return id
}

// TestPythonClient lets confluent_kafka.schema_registry work on thalweg registry as it is.
func TestPythonClient(t *testing.T) {
	url, stop := withRegistry(t)
	defer stop()
	want := `{"again": 1, "compatible": [true, false], "deleted": [[1], [1, 2]], "deleted version": 2, "global": "BACKWARD", "latest": 2, "level": "FULL", ` +
		`"level again": "FULL", "lookup": 1, "of id": ["py"], "refused": [409, true], "register": [1, 2], "subjects": true, "text": "R", ` +
		`"types": ["AVRO", "JSON", "PROTOBUF"], "versions": [1, 2]}`
	if got := python(t, "client", url); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// TestPythonAroundAProgram lets Python write the orders (under a schema that has a field more) and the customers that
// examples/enrich joins, and read its shipments, all through the engine and the registry.
func TestPythonAroundAProgram(t *testing.T) {
	url, broker, stop := withCluster(t)
	defer stop()
	dir := t.TempDir()
	messages(t, dir)
	python(t, "topics", broker)
	binary := filepath.Join(dir, "enrich")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", binary, "../../examples/enrich").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	app := exec.CommandContext(t.Context(), binary)
	var log bytes.Buffer
	app.Dir, app.Env, app.Stderr = dir, append(os.Environ(), "SCHEMA_REGISTRY="+url, "BROKERS="+broker), &log
	if err := app.Start(); err != nil {
		t.Fatal(err)
	}
	got := python(t, "enrich", url, broker, dir)
	shipment := `{"city": "London", "customer": "%s", "order": %d, "placed": "2026-05-01T12:00:00Z", "price": "19.99"}`
	if want := fmt.Sprintf("["+shipment+", "+shipment+", "+shipment+"]", "Ada", 0, "Grace", 1, "Ada", 3); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	_ = app.Process.Signal(syscall.SIGTERM)
	if err := app.Wait(); err != nil || t.Failed() {
		t.Errorf("enrich ended with %v\n%s", err, log.Bytes())
	}
}

// TestJavaClient lets the Java client of the Confluent Schema Registry work on thalweg registry as it is.
func TestJavaClient(t *testing.T) {
	url, stop := withRegistry(t)
	defer stop()
	cmd := exec.CommandContext(t.Context(), "java", "-cp", tool(t, "THALWEG_TEST_CLASSPATH"), "testdata/interop/RegistryClient.java", url)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v\n%s%s", err, out, stderr.Bytes())
	}
	want := `distinct true
same id true
same schema true
version 2
versions [1, 2]
latest 2
subjects true
compatible true false
level FULL_TRANSITIVE FULL_TRANSITIVE
refused 409 409
deleted 1 [2]
`
	if string(out) != want {
		t.Errorf("got\n%swant\n%s", out, want)
	}
}

// TestFastavroResolves compares the resolution of schemas with fastavro's.
func TestFastavroResolves(t *testing.T) {
	record := func(fields string) string { return `{"type":"record","name":"R","fields":[` + fields + `]}` }
	type c struct {
		Writer string `json:"writer"`
		Reader string `json:"reader"`
		Data   string `json:"data"`
		value  any
	}
	cases := []c{
		{Writer: `"int"`, Reader: `"double"`, value: 7},
		{Writer: `"int"`, Reader: `["null","long"]`, value: -7},
		{Writer: `["null","int"]`, Reader: `"long"`, value: 5},
		{Writer: `"string"`, Reader: `"bytes"`, value: "ab"},
		{Writer: `{"type":"array","items":"int"}`, Reader: `{"type":"array","items":"float"}`, value: []int{1, 2}},
		{Writer: `{"type":"map","values":["null","string"]}`, Reader: `{"type":"map","values":["string","null"]}`, value: map[string]any{"a": nil, "b": "x"}},
		{Writer: record(`{"name":"a","type":"int"},{"name":"b","type":"string"}`), Reader: record(`{"name":"b","type":"string"},{"name":"c","type":["null","int"],"default":null}`),
			value: map[string]any{"a": 1, "b": "x"}},
		{Writer: record(`{"name":"old","type":"int"}`), Reader: record(`{"name":"new","type":"long","aliases":["old"]}`), value: map[string]any{"old": 3}},
		{Writer: `{"type":"enum","name":"E","symbols":["A","B"]}`, Reader: `{"type":"enum","name":"E","symbols":["A"],"default":"A"}`, value: "B"},
		{Writer: `"string"`, Reader: `"int"`, value: "x"},
		{Writer: record(``), Reader: record(`{"name":"a","type":"int"}`), value: map[string]any{}},
	}
	var ours []any
	for i := range cases {
		x := &cases[i]
		w, err := avro.Parse(x.Writer)
		if err != nil {
			t.Fatal(err)
		}
		r, err := avro.Parse(x.Reader)
		if err != nil {
			t.Fatal(err)
		}
		wc, err := avro.New[any](w)
		if err != nil {
			t.Fatal(err)
		}
		rc, err := avro.New[any](r)
		if err != nil {
			t.Fatal(err)
		}
		b, err := wc.Append([]byte{}, x.value)
		if err != nil {
			t.Fatal(err)
		}
		x.Data = base64.StdEncoding.EncodeToString(b)
		read, err := rc.Reader(w)
		var v any
		if err == nil {
			v, err = read(b)
		}
		if err != nil {
			v = "refused"
		}
		ours = append(ours, unwrapped(v))
	}
	text, err := json.Marshal(cases)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "cases.json")
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	var theirs []any
	if err := json.Unmarshal([]byte(python(t, "fastavro", path)), &theirs); err != nil {
		t.Fatal(err)
	}
	for i := range cases {
		if m, ok := theirs[i].(map[string]any); ok && m["error"] != nil {
			theirs[i] = "refused"
		}
		a, _ := json.Marshal(ours[i])
		b, _ := json.Marshal(theirs[i])
		if string(a) != string(b) {
			t.Errorf("%s read as %s: %s, fastavro has %s", cases[i].Writer, cases[i].Reader, a, b)
		}
	}
}

// unwrapped takes values out of their unions, as fastavro does, and bytes as interop.py prints them.
func unwrapped(v any) any {
	switch v := v.(type) {
	case []byte:
		return map[string]any{"base64": base64.StdEncoding.EncodeToString(v)}
	case map[string]any:
		if len(v) == 1 {
			for k, x := range v {
				if k == "long" || k == "string" || k == "int" {
					return unwrapped(x)
				}
			}
		}
		out := map[string]any{}
		for k := range v {
			out[k] = unwrapped(v[k])
		}
		return out
	case []any:
		out := []any{}
		for _, x := range v {
			out = append(out, unwrapped(x))
		}
		return out
	}
	return v
}
