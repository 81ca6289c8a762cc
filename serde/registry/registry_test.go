package registry_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/known/structpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/thalweg/thalweg/serde"
	"github.com/thalweg/thalweg/serde/registry"
	"github.com/thalweg/thalweg/serde/registry/registrytest"
	"github.com/thalweg/thalweg/stream"
	"github.com/thalweg/thalweg/stream/streamtest"
	"github.com/thalweg/thalweg/topology"
)

const (
	user1 = `{"type":"record","name":"shop.User","fields":[{"name":"name","type":"string"}]}`
	user2 = `{"type":"record","name":"shop.User","fields":[{"name":"name","type":"string"},{"name":"age","type":"int","default":-1}]}`
)

type (
	userV1 struct{ Name string }
	userV2 struct {
		Name string
		Age  int
	}
)

var orders = serde.Place{Topic: "orders"}

// write encodes v and fails the test if that fails.
func write[T any](t testing.TB, s serde.Serde[T], v T) []byte {
	t.Helper()
	b, err := s.Append([]byte{}, v)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// refused checks that something failed and that the error says all of want.
func refused(t *testing.T, err error, want ...string) {
	t.Helper()
	if err == nil {
		t.Errorf("no error, want one with %q", want)
		return
	}
	for _, w := range want {
		if !strings.Contains(err.Error(), w) {
			t.Errorf("%v: does not say %q", err, w)
		}
	}
}

// TestAvroUnderTheWritersSchema writes with two versions of a schema and reads both with the newer.
func TestAvroUnderTheWritersSchema(t *testing.T) {
	reg := registry.New(registrytest.New(t), registry.Options{AutoRegister: true})
	v1, v2 := serde.At(reg.Avro[userV1](user1), orders), serde.At(reg.Avro[userV2](user2), orders)
	a := write(t, v1, userV1{"ada"})
	if want := []byte("\x00\x00\x00\x00\x01\x06ada"); !bytes.Equal(a, want) {
		t.Errorf("written as %x, want %x", a, want)
	}
	b := write(t, v2, userV2{"bob", 7})
	for data, want := range map[string]userV2{string(a): {"ada", -1}, string(b): {"bob", 7}} {
		if got, err := v2.Decode([]byte(data)); err != nil || got != want {
			t.Errorf("%x is read as %v, %v; want %v", data, got, err, want)
		}
	}
	if got, err := v1.Decode(b); err != nil || got.Name != "bob" {
		t.Errorf("the older program reads %v, %v", got, err)
	}
	if serde.Name(v1) != "registry AVRO shop.User" || serde.Name(v2) != serde.Name(v1) {
		t.Errorf("%q, %q", serde.Name(v1), serde.Name(v2))
	}
}

// TestProtobufOfEveryDepth writes messages that are first, third and nested in their files.
func TestProtobufOfEveryDepth(t *testing.T) {
	reg := registry.New(registrytest.New(t), registry.Options{AutoRegister: true})
	first := serde.At(reg.Protobuf[*timestamppb.Timestamp](), orders)
	at := &timestamppb.Timestamp{Seconds: 5}
	b := write(t, first, at)
	if want := []byte("\x00\x00\x00\x00\x01\x00\x08\x05"); !bytes.Equal(b, want) {
		t.Errorf("written as %x, want %x", b, want)
	}
	if got, err := first.Decode(b); err != nil || !proto.Equal(got, at) {
		t.Errorf("%v, %v", got, err)
	}
	third := serde.At(reg.Protobuf[*structpb.ListValue](), serde.Place{Topic: "lists"})
	b = write(t, third, &structpb.ListValue{})
	if want := []byte("\x00\x00\x00\x00\x02\x02\x04"); !bytes.Equal(b, want) {
		t.Errorf("written as %x, want %x", b, want)
	}
	_, err := serde.At(reg.Protobuf[*structpb.Struct](), orders).Decode(b)
	refused(t, err, `value of topic "orders"`, "schema 2", "of message google.protobuf.ListValue, want google.protobuf.Struct")
	nested := serde.At(reg.Protobuf[*descriptorpb.DescriptorProto_ExtensionRange](), serde.Place{Topic: "ranges"})
	r := &descriptorpb.DescriptorProto_ExtensionRange{Start: proto.Int32(3)}
	b = write(t, nested, r)
	if got, err := nested.Decode(b); err != nil || !proto.Equal(got, r) {
		t.Errorf("%v, %v", got, err)
	}
	if want := []byte{4, 4, 0}; !bytes.Equal(b[5:8], want) { // two: the third message, its first
		t.Errorf("message indexes %x, want %x", b[5:8], want)
	}
}

// TestJSON checks values by a given schema, and infers one where none is given.
func TestJSON(t *testing.T) {
	url := registrytest.New(t)
	reg := registry.New(url, registry.Options{AutoRegister: true})
	type point struct {
		X int `json:"x"`
	}
	checked := serde.At(reg.JSON[point](`{"type":"object","properties":{"x":{"type":"integer","minimum":0}},"required":["x"]}`), orders)
	b := write(t, checked, point{3})
	if string(b[5:]) != `{"x":3}` {
		t.Errorf("%q", b)
	}
	if got, err := checked.Decode(b); err != nil || got.X != 3 {
		t.Errorf("%v, %v", got, err)
	}
	_, err := checked.Append([]byte{}, point{-1})
	refused(t, err, `value of topic "orders"`, "schema 1", "minimum")
	_, err = checked.Decode([]byte("\x00\x00\x00\x00\x01{}"))
	refused(t, err, "required")
	inferred := serde.At(reg.JSON[point](""), serde.Place{Topic: "points", Key: true})
	if got, err := inferred.Decode(write(t, inferred, point{4})); err != nil || got.X != 4 {
		t.Errorf("%v, %v", got, err)
	}
	resp, err := http.Get(url + "/subjects/points-key/versions/1/schema")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var s map[string]any
	if err := json.NewDecoder(resp.Body).Decode(&s); err != nil || s["type"] != "object" || s["title"] != "registry_test.point" {
		t.Errorf("%v, %v", s, err)
	}
	refused(t, serde.Fault(reg.JSON[func()]("")), "give one")
	refused(t, serde.Fault(reg.JSON[int](`{"$ref":"http://example.com/x"}`)), "not fetched")
	refused(t, serde.Fault(reg.JSON[int](`{"$schema":"http://json-schema.org/draft-04/schema#"}`)), "draft-04")
}

// TestSubjects shows what subjects are named after.
func TestSubjects(t *testing.T) {
	for naming, want := range map[registry.Naming]string{
		registry.ByTopic: "orders-key", registry.ByRecord: "shop.User", registry.ByTopicRecord: "orders-shop.User",
	} {
		url := registrytest.New(t)
		s := serde.At(registry.New(url, registry.Options{AutoRegister: true, Naming: naming}).Avro[userV1](user1), serde.Place{Topic: "orders", Key: true})
		write(t, s, userV1{})
		if got := subjects(t, url); got != want {
			t.Errorf("%v: %s, want %s", naming, got, want)
		}
	}
	url := registrytest.New(t)
	own := registry.New(url, registry.Options{AutoRegister: true, Subject: func(topic string, isKey bool) string { return fmt.Sprint(topic, isKey) }})
	write(t, serde.At(own.Avro[userV1](user1), orders), userV1{})
	if got := subjects(t, url); got != "ordersfalse" {
		t.Error(got)
	}
}

func subjects(t *testing.T, url string) string {
	t.Helper()
	resp, err := http.Get(url + "/subjects")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var names []string
	if err := json.NewDecoder(resp.Body).Decode(&names); err != nil {
		t.Fatal(err)
	}
	return strings.Join(names, " ")
}

// TestWithoutAutoRegister refuses a schema that nobody registered, and finds one that somebody did.
func TestWithoutAutoRegister(t *testing.T) {
	url := registrytest.New(t)
	s := serde.At(registry.New(url).Avro[userV1](user1), orders)
	refused(t, serde.Prepare(t.Context(), s), `subject "orders-value"`, "set Options.AutoRegister")
	write(t, serde.At(registry.New(url, registry.Options{AutoRegister: true}).Avro[userV1](user1), orders), userV1{})
	if err := serde.Prepare(t.Context(), serde.At(registry.New(url).Avro[userV1](user1), orders)); err != nil {
		t.Error(err)
	}
}

// TestRegistryAway goes on from memory once every schema has been seen, and says so where one has not.
func TestRegistryAway(t *testing.T) {
	target, err := url.Parse(registrytest.New(t))
	if err != nil {
		t.Fatal(err)
	}
	var asked atomic.Int64
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		asked.Add(1)
		httputil.NewSingleHostReverseProxy(target).ServeHTTP(w, req)
	}))
	reg := registry.New(front.URL, registry.Options{AutoRegister: true})
	s := serde.At(reg.Avro[userV1](user1), orders)
	b := write(t, s, userV1{"ada"})
	if _, err := s.Decode(b); err != nil {
		t.Fatal(err)
	}
	before := asked.Load()
	front.Close()
	for range 100 {
		if got, err := s.Decode(write(t, s, userV1{"bob"})); err != nil || got.Name != "bob" {
			t.Fatal(got, err)
		}
	}
	if asked.Load() != before || before != 2 {
		t.Errorf("asked %d times, then %d", before, asked.Load()-before)
	}
	_, err = s.Decode([]byte("\x00\x00\x00\x00\x63\x00"))
	refused(t, err, `value of topic "orders"`, "schema 99", "no registry answers")
}

// TestBadBytes decodes what no serializer of a registry wrote.
func TestBadBytes(t *testing.T) {
	reg := registry.New(registrytest.New(t), registry.Options{AutoRegister: true})
	nowhere := reg.Avro[userV1](user1)
	s := serde.At(nowhere, orders)
	good := write(t, s, userV1{"ada"})
	for data, want := range map[string]string{
		"":                         "begin with 0",
		"\x00\x00\x00\x00":         "begin with 0",
		"\x01\x00\x00\x00\x01\x00": "begin with 0",
		"\x00\xff\xff\xff\xff\x00": "schema -1",
		"\x00\x00\x00\x00\x09\x00": "schema 9: Schema 9 not found",
		string(good[:6]):           "schema 1: avro: shop.User: field name: the bytes end early",
	} {
		_, err := s.Decode([]byte(data))
		refused(t, err, `registry: value of topic "orders"`, want)
	}
	_, err := s.Decode(nil)
	refused(t, err, "null")
	p := serde.At(reg.Protobuf[*timestamppb.Timestamp](), serde.Place{Topic: "times"})
	_, err = p.Decode(good)
	refused(t, err, "schema 1: it is AVRO, want PROTOBUF")
	id := write(t, p, &timestamppb.Timestamp{})[:5]
	for _, indexes := range []string{"", "\x02", "\x03", "\x02\x03", "\x02\x08", "\xff\xff\xff\xff\xff\x0f", "\x00\xff"} {
		if v, err := p.Decode(append(bytes.Clone(id), indexes...)); err == nil {
			t.Errorf("%x is read as %v", indexes, v)
		}
	}
	if _, err := nowhere.Append([]byte{}, userV1{}); err != nil {
		t.Error("an id that is known serves without a topic:", err)
	}
	_, err = reg.Avro[userV2](user2).Append([]byte{}, userV2{})
	refused(t, err, "stands on no topic")
}

// TestSameInTheSamePlace shows that bytes of one topic are not taken for those of another.
func TestSameInTheSamePlace(t *testing.T) {
	s := registry.New("http://localhost").Avro[userV1](user1)
	if !serde.Same(serde.At(s, orders), serde.At(serde.At(s, serde.Place{Topic: "x"}), orders)) {
		t.Error("the same place gives two serdes")
	}
	if serde.Same(serde.At(s, orders), serde.At(s, serde.Place{Topic: "orders", Key: true})) {
		t.Error("key and value are the same")
	}
}

// TestRecordsAllocateNothingOfTheirOwn compares with Avro and protobuf without a registry.
func TestRecordsAllocateNothingOfTheirOwn(t *testing.T) {
	reg := registry.New(registrytest.New(t), registry.Options{AutoRegister: true})
	s, m, buf := serde.At(reg.Protobuf[*timestamppb.Timestamp](), orders), &timestamppb.Timestamp{Seconds: 5}, make([]byte, 0, 64)
	data := write(t, s, m)
	if n := testing.AllocsPerRun(100, func() { _, _ = s.Append(buf, m) }); n != 0 {
		t.Errorf("%v allocations to write", n)
	}
	if n := testing.AllocsPerRun(100, func() { _, _ = s.Decode(data) }); n > 2 {
		t.Errorf("%v allocations to read, want the message and at most one more", n)
	}
}

// FuzzDecode puts any payload behind the ids of three schemas.
func FuzzDecode(f *testing.F) {
	reg := registry.New(registrytest.New(f), registry.Options{AutoRegister: true})
	a := serde.At(reg.Avro[userV2](user2), orders)
	p := serde.At(reg.Protobuf[*structpb.Struct](), serde.Place{Topic: "p"})
	j := serde.At(reg.JSON[map[string]any](`{"type":"object","maxProperties":3}`), serde.Place{Topic: "j"})
	f.Add(write(f, a, userV2{"ada", 3}))
	f.Add(write(f, p, &structpb.Struct{}))
	f.Add(write(f, j, map[string]any{"a": 1}))
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) >= 5 {
			data[1], data[2], data[3], data[4] = 0, 0, 0, data[4]%4
		}
		for _, err := range []error{second(a.Decode(data)), second(p.Decode(data)), second(j.Decode(data))} {
			if err != nil && !strings.HasPrefix(err.Error(), "registry: ") {
				t.Error(err)
			}
		}
	})
}

func second[T any](_ T, err error) error { return err }

// TestOverTLS asks with the certificates of the caller's own client, and not without.
func TestOverTLS(t *testing.T) {
	target, err := url.Parse(registrytest.New(t))
	if err != nil {
		t.Fatal(err)
	}
	front := httptest.NewTLSServer(httputil.NewSingleHostReverseProxy(target))
	front.Config.ErrorLog = log.New(io.Discard, "", 0)
	defer front.Close()
	trusting := registry.New(front.URL, registry.Options{AutoRegister: true, HTTP: front.Client()})
	write(t, serde.At(trusting.Avro[userV1](user1), orders), userV1{})
	refused(t, serde.Prepare(t.Context(), serde.At(registry.New(front.URL).Avro[userV1](user1), orders)), "certificate")
}

// TestErrorsSayWhere reads a broken record in a topology: its error names topic, schema and field. The task adds partition
// and offset.
func TestErrorsSayWhere(t *testing.T) {
	reg := registry.New(registrytest.New(t), registry.Options{AutoRegister: true})
	users := topology.NewTopic("users", serde.String, reg.Avro[userV1](user1))
	raw := topology.NewTopic("users", serde.String, serde.Bytes)
	var got error
	d := streamtest.New(t, func(b *topology.Builder) {
		stream.From(b, users).MapValues(func(u userV1) string { return u.Name }).To(topology.NewTopic("names", serde.String, serde.String))
	}, streamtest.Options{Partitions: 1, Errors: func(_ string, err error) bool { got = err; return true }})
	d.Topic(users).Put("a", userV1{"ada"})
	d.Topic(raw).Put("b", []byte("\x00\x00\x00\x00\x01\x09"))
	refused(t, got, `value of topic "users"`, "schema 1", "field name: the bytes end early")
}

// TestPasswordsAreNotPrinted prints options as people do.
func TestPasswordsAreNotPrinted(t *testing.T) {
	o := registry.Options{User: "ada", Password: "secret"}
	for _, s := range []string{fmt.Sprint(o), fmt.Sprintf("%+v", o), fmt.Sprintf("%#v", o)} {
		if strings.Contains(s, "secret") || !strings.Contains(s, "ada") {
			t.Error(s)
		}
	}
}

// TestPrepareEnds stops asking when the start is called off.
func TestPrepareEnds(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	s := serde.At(registry.New("http://127.0.0.1:1").Avro[userV1](user1), orders)
	if err := serde.Prepare(ctx, s); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}
