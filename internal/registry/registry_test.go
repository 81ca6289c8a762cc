package registry

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"
)

// memory is a log in memory, as a compacted topic is.
type memory struct {
	records []Record
	err     error // of the next write
}

func (m *memory) Read(_ context.Context, f func(key, value []byte) error) error {
	last := map[string]int{}
	for i, r := range m.records {
		last[string(r.Key)] = i
	}
	for i, r := range m.records {
		if last[string(r.Key)] != i {
			continue // compacted
		}
		if err := f(r.Key, r.Value); err != nil {
			return err
		}
	}
	return nil
}

func (m *memory) Append(_ context.Context, rs ...Record) error {
	if m.err != nil {
		return m.err
	}
	m.records = append(m.records, rs...)
	return nil
}

// service is a registry under test, behind its HTTP interface.
type service struct {
	t    *testing.T
	log  *memory
	r    *Registry
	http http.Handler
}

func newService(t *testing.T, log *memory) *service {
	t.Helper()
	r, err := Open(t.Context(), log)
	if err != nil {
		t.Fatal(err)
	}
	return &service{t, log, r, Handler(r, slog.New(slog.DiscardHandler))}
}

// call sends a request and returns the status and the answer.
func (s *service) call(method, path string, in any) (int, any) {
	s.t.Helper()
	body, err := json.Marshal(in)
	if err != nil {
		s.t.Fatal(err)
	}
	if text, ok := in.(string); ok {
		body = []byte(text)
	}
	w := httptest.NewRecorder()
	s.http.ServeHTTP(w, httptest.NewRequestWithContext(s.t.Context(), method, path, bytes.NewReader(body)))
	var out any
	if err := json.Unmarshal(w.Body.Bytes(), &out); err != nil {
		s.t.Fatalf("%s %s: %d %s", method, path, w.Code, w.Body)
	}
	return w.Code, out
}

// want sends a request and compares what comes: JSON for a success, or the code of an error.
func (s *service) want(method, path string, in any, want string) {
	s.t.Helper()
	status, got := s.call(method, path, in)
	if m, ok := got.(map[string]any); ok && m["error_code"] != nil {
		if text := fmt.Sprint(m["error_code"]); text != want {
			s.t.Errorf("%s %s: %v, want %s", method, path, got, want)
		} else if !strings.HasPrefix(want, fmt.Sprint(status)) {
			s.t.Errorf("%s %s: status %d for code %s", method, path, status, want)
		}
		return
	}
	var w any
	if err := json.Unmarshal([]byte(want), &w); err != nil {
		s.t.Fatalf("%s %s: %d %v, want error %s", method, path, status, got, want)
	}
	if status != http.StatusOK || !reflect.DeepEqual(got, w) {
		s.t.Errorf("%s %s: %d %v, want %s", method, path, status, got, want)
	}
}

func schemaOf(text string) map[string]any { return map[string]any{"schema": text} }

const (
	user1 = `{"type":"record","name":"User","fields":[{"name":"name","type":"string"}]}`
	user2 = `{"type":"record","name":"User","fields":[{"name":"name","type":"string"},{"name":"age","type":"int","default":0}]}`
	user3 = `{"type":"record","name":"User","fields":[{"name":"age","type":"int"},{"name":"mail","type":"string"}]}`
)

// TestVersions registers, looks up, refuses and deletes, and reads it all from the log again.
func TestVersions(t *testing.T) {
	s := newService(t, &memory{})
	s.want("GET", "/subjects", nil, `[]`)
	s.want("GET", "/subjects/users-value/versions", nil, "40401")
	s.want("POST", "/subjects/users-value", schemaOf(user1), "40401")
	s.want("POST", "/subjects/users-value/versions", schemaOf(user1), `{"id":1}`)
	s.want("POST", "/subjects/users-value/versions", schemaOf(" "+user1), `{"id":1}`)
	s.want("POST", "/subjects/users-value", schemaOf(user2), "40403")
	s.want("POST", "/subjects/users-value/versions", schemaOf(user2), `{"id":2}`)
	s.want("POST", "/subjects/others%2Fvalue/versions", schemaOf(user1), `{"id":1}`)
	s.want("POST", "/subjects/users-value/versions", schemaOf(user3), "409")
	s.want("POST", "/subjects/users-value/versions", schemaOf(`{"type":"nothing"}`), "42201")
	s.want("POST", "/subjects/users-value/versions", map[string]any{"schema": `"int"`, "schemaType": "XML"}, "42201")
	s.want("POST", "/subjects/users-value/versions", `{`, "400")
	s.want("POST", "/subjects/%00/versions", schemaOf(user1), "42208")
	s.want("POST", "/subjects/x/versions", strings.Repeat(" ", bodyMost+1), "413")
	s.want("GET", "/subjects/users-value/versions/7", nil, "40402")
	s.want("GET", "/subjects/users-value/versions/x", nil, "42202")
	s.want("GET", "/schemas/ids/9", nil, "40403")
	s.want("GET", "/nothing", nil, "404")
	for range 2 {
		s.want("GET", "/subjects", nil, `["others/value","users-value"]`)
		s.want("GET", "/subjects?subjectPrefix=u", nil, `["users-value"]`)
		s.want("GET", "/subjects?offset=1&limit=5", nil, `["users-value"]`)
		s.want("GET", "/subjects/users-value/versions", nil, `[1,2]`)
		s.want("GET", "/subjects/users-value/versions/latest", nil, `{"subject":"users-value","version":2,"id":2,"schema":`+quoted(user2)+`}`)
		s.want("GET", "/subjects/users-value/versions/1/schema", nil, user1)
		s.want("GET", "/schemas/ids/1", nil, `{"schema":`+quoted(user1)+`}`)
		s.want("GET", "/schemas/ids/1/subjects", nil, `["others/value","users-value"]`)
		s.want("GET", "/schemas/ids/1/versions", nil, `[{"subject":"others/value","version":1},{"subject":"users-value","version":1}]`)
		s.want("POST", "/subjects/users-value", schemaOf(user1), `{"subject":"users-value","version":1,"id":1,"schema":`+quoted(user1)+`}`)
		s = newService(t, s.log)
	}
	s.want("DELETE", "/subjects/users-value/versions/2?permanent=true", nil, "40407")
	s.want("DELETE", "/subjects/users-value/versions/2", nil, `2`)
	s.want("DELETE", "/subjects/users-value/versions/2", nil, "40406")
	s.want("GET", "/subjects/users-value/versions", nil, `[1]`)
	s.want("GET", "/subjects/users-value/versions?deleted=true", nil, `[1,2]`)
	s.want("GET", "/schemas/ids/2", nil, `{"schema":`+quoted(user2)+`}`)
	s = newService(t, s.log)
	s.want("POST", "/subjects/users-value/versions", schemaOf(user2), `{"id":2}`)
	s.want("GET", "/subjects/users-value/versions", nil, `[1,3]`)
	s.want("DELETE", "/subjects/users-value", nil, `[1,3]`)
	s.want("DELETE", "/subjects/users-value", nil, "40404")
	s.want("GET", "/subjects", nil, `["others/value"]`)
	s.want("DELETE", "/subjects/users-value?permanent=true", nil, `[1,2,3]`)
	s = newService(t, s.log)
	s.want("GET", "/subjects?deleted=true", nil, `["others/value"]`)
	s.want("POST", "/subjects/new/versions", schemaOf(`"long"`), `{"id":3}`)
}

func quoted(s string) string {
	b, _ := json.Marshal(s)
	return string(b)
}

// TestLevels sets levels and modes, and tests schemas by them.
func TestLevels(t *testing.T) {
	s := newService(t, &memory{})
	s.want("GET", "/config", nil, `{"compatibilityLevel":"BACKWARD"}`)
	s.want("PUT", "/config", map[string]string{"compatibility": "sideways"}, "42203")
	s.want("PUT", "/config", map[string]string{"compatibility": "FORWARD"}, `{"compatibility":"FORWARD"}`)
	s.want("GET", "/config/a", nil, "40408")
	s.want("GET", "/config/a?defaultToGlobal=true", nil, `{"compatibilityLevel":"FORWARD"}`)
	s.want("PUT", "/config/a", map[string]string{"compatibility": "full_transitive"}, `{"compatibility":"FULL_TRANSITIVE"}`)
	s = newService(t, s.log)
	s.want("GET", "/config/a", nil, `{"compatibilityLevel":"FULL_TRANSITIVE"}`)
	s.want("POST", "/subjects/a/versions", schemaOf(`"int"`), `{"id":1}`)
	s.want("POST", "/subjects/a/versions", schemaOf(`"long"`), "409")
	s.want("POST", "/compatibility/subjects/a/versions/latest", schemaOf(`"long"`), `{"is_compatible":false}`)
	s.want("POST", "/compatibility/subjects/a/versions?verbose=true", schemaOf(`"long"`),
		`{"is_compatible":false,"messages":["version 1: the old schema cannot read the new: long was written, int is read"]}`)
	s.want("POST", "/compatibility/subjects/b/versions", schemaOf(`"long"`), `{"is_compatible":true}`)
	s.want("POST", "/compatibility/subjects/b/versions/1", schemaOf(`"long"`), "40401")
	s.want("PUT", "/config/a", map[string]string{"compatibility": "BACKWARD"}, `{"compatibility":"BACKWARD"}`)
	s.want("POST", "/subjects/a/versions", schemaOf(`"long"`), `{"id":2}`)
	s.want("POST", "/subjects/a/versions", schemaOf(`"double"`), `{"id":3}`)
	s.want("POST", "/subjects/a/versions", schemaOf(`["double","string"]`), `{"id":4}`)
	s.want("PUT", "/config/a", map[string]string{"compatibility": "BACKWARD_TRANSITIVE"}, `{"compatibility":"BACKWARD_TRANSITIVE"}`)
	s.want("POST", "/compatibility/subjects/a/versions", schemaOf(`["bytes","double"]`), `{"is_compatible":true}`)
	s.want("POST", "/compatibility/subjects/a/versions", schemaOf(`["string","float"]`), `{"is_compatible":false}`)
	s.want("DELETE", "/config/a", nil, `{"compatibilityLevel":"BACKWARD_TRANSITIVE"}`)
	s.want("DELETE", "/config/a", nil, "40408")
	s.want("GET", "/mode", nil, `{"mode":"READWRITE"}`)
	s.want("PUT", "/mode/a", map[string]string{"mode": "READONLY"}, `{"mode":"READONLY"}`)
	s.want("PUT", "/mode/a", map[string]string{"mode": "IMPORT"}, "42204")
	s.want("POST", "/subjects/a/versions", schemaOf(`"boolean"`), "42205")
	s.want("POST", "/subjects/a/versions", schemaOf(`"int"`), `{"id":1}`)
	s.want("DELETE", "/mode/a", nil, `{"mode":"READONLY"}`)
	s.want("GET", "/mode/a", nil, "40409")
}

// TestReferences registers schemas that use others, of all three types.
func TestReferences(t *testing.T) {
	s := newService(t, &memory{})
	using := func(kind, text, name, subject string) map[string]any {
		return map[string]any{"schemaType": kind, "schema": text, "references": []map[string]any{{"name": name, "subject": subject, "version": 1}}}
	}
	proto := map[string]any{"schemaType": "PROTOBUF", "schema": `syntax = "proto3"; package p; message In { int32 a = 1; }`}
	outer := using("PROTOBUF", `syntax = "proto3"; package p; import "in.proto"; message Out { In in = 1; }`, "in.proto", "in.proto")
	s.want("POST", "/subjects/out/versions", outer, "42201")
	s.want("POST", "/subjects/in.proto/versions", proto, `{"id":1}`)
	s.want("POST", "/subjects/out/versions", outer, `{"id":2}`)
	s.want("POST", "/subjects/item/versions", schemaOf(`{"type":"record","name":"a.Item","fields":[]}`), `{"id":3}`)
	s.want("POST", "/subjects/order/versions", using("AVRO", `{"type":"record","name":"a.Order","fields":[{"name":"i","type":"Item"}]}`, "a.Item", "item"), `{"id":4}`)
	s.want("POST", "/subjects/point/versions", map[string]any{"schemaType": "JSON", "schema": `{"type":"integer"}`}, `{"id":5}`)
	line := using("JSON", `{"type":"object","properties":{"p":{"$ref":"point.json"}}}`, "point.json", "point")
	s.want("POST", "/subjects/line/versions", line, `{"id":6}`)
	s.want("POST", "/subjects/line/versions", using("JSON", `{"$ref":"other.json"}`, "point.json", "point"), "42201")
	s.want("GET", "/subjects/item/versions/1/referencedby", nil, `[4]`)
	s.want("DELETE", "/subjects/item/versions/1", nil, "42206")
	s.want("DELETE", "/subjects/order", nil, `[1]`)
	s.want("DELETE", "/subjects/item/versions/1", nil, `1`)
	s = newService(t, s.log)
	if _, got := s.call("GET", "/schemas/ids/2?format=serialized", nil); !strings.HasPrefix(fmt.Sprint(got.(map[string]any)["schema"]), "C") {
		t.Errorf("%v is no descriptor", got)
	}
	s.want("POST", "/subjects/out", outer, `{"subject":"out","version":1,"id":2,"schemaType":"PROTOBUF","references":[{"name":"in.proto","subject":"in.proto","version":1}],`+
		`"schema":`+quoted(outer["schema"].(string))+`}`)
}

// TestFencedRegistryEnds shows what a registry does whose log somebody else writes: it answers, and says that it must end.
func TestFencedRegistryEnds(t *testing.T) {
	s := newService(t, &memory{})
	s.log.err = fmt.Errorf("disk full")
	s.want("POST", "/subjects/a/versions", schemaOf(`"int"`), "50001")
	for why, text := range map[error]string{ErrFenced: "taken over", ErrUnknown: "start the registry again"} {
		s.log.err = fmt.Errorf("%w: yes", why)
		s.want("POST", "/subjects/a/versions", schemaOf(`"int"`), "50003")
		s.want("GET", "/subjects", nil, `[]`)
		select {
		case err := <-s.r.Failed():
			if !strings.Contains(err.Error(), text) {
				t.Error(err)
			}
		default:
			t.Errorf("it goes on after %v", why)
		}
	}
}

// TestLogOfTheConfluentRegistry reads records as that one writes them, with those that say nothing to this one.
func TestLogOfTheConfluentRegistry(t *testing.T) {
	log := &memory{}
	for _, kv := range [][2]string{
		{`{"keytype":"NOOP","magic":0}`, ``},
		{`{"keytype":"CONFIG","subject":null,"magic":0}`, `{"subject":null,"compatibilityLevel":"FULL"}`},
		{`{"keytype":"SCHEMA","subject":"a-value","version":1,"magic":1}`, `{"subject":"a-value","version":1,"id":7,"md5":"x","schema":"\"int\"","deleted":false}`},
		{`{"keytype":"SCHEMA","subject":"a-value","version":2,"magic":1}`, `{"subject":"a-value","version":2,"id":9,"schemaType":"THRIFT","schema":"struct","deleted":false}`},
		{`{"keytype":"SCHEMA","subject":"b-value","version":1,"magic":1}`, `{"subject":"b-value","version":1,"id":7,"schema":"\"int\"","deleted":false}`},
		{`{"keytype":"DELETE_SUBJECT","subject":"b-value","magic":0}`, `{"subject":"b-value","version":1}`},
	} {
		r := Record{Key: []byte(kv[0])}
		if kv[1] != "" {
			r.Value = []byte(kv[1])
		}
		log.records = append(log.records, r)
	}
	s := newService(t, log)
	s.want("GET", "/subjects", nil, `["a-value"]`)
	s.want("GET", "/config", nil, `{"compatibilityLevel":"FULL"}`)
	s.want("GET", "/schemas/ids/9", nil, `{"schemaType":"THRIFT","schema":"struct"}`)
	s.want("POST", "/subjects/a-value/versions", schemaOf(`"int"`), `{"id":7}`)
	s.want("POST", "/subjects/c/versions", schemaOf(`"string"`), `{"id":10}`)
	log.records = append(log.records, Record{Key: []byte("{")})
	if _, err := Open(t.Context(), log); err == nil {
		t.Error("a broken log is read")
	}
}

// FuzzLog hands any records to the state.
func FuzzLog(f *testing.F) {
	f.Add([]byte(`{"keytype":"SCHEMA","subject":"a","version":1,"magic":1}`), []byte(`{"subject":"a","version":1,"id":7,"schema":"\"int\"","deleted":false}`))
	f.Add([]byte(`{"keytype":"DELETE_SUBJECT","subject":"a"}`), []byte(`{"version":3}`))
	f.Add([]byte(`{"keytype":"MODE","subject":null}`), []byte(`{"mode":"READONLY"}`))
	f.Fuzz(func(t *testing.T, key, value []byte) {
		s := state{subjects: map[string]*subject{}, byID: map[int]*stored{}, ids: map[string]int{}}
		for range 2 {
			if s.apply(key, value) != nil {
				return
			}
		}
		s.names("", true)
	})
}
