package registry

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/thalweg/thalweg/internal/registry/rest"
	"github.com/thalweg/thalweg/serde"
)

// answers is a transport that gives out prepared answers, and notes who was asked when.
type answers struct {
	list  []string // "status body", or "" for no connection
	asked []string
	began time.Time
}

func (a *answers) RoundTrip(req *http.Request) (*http.Response, error) {
	user, _, _ := req.BasicAuth()
	a.asked = append(a.asked, fmt.Sprintf("%s %s%s after %v", user, req.URL.Host, req.URL.Path, time.Since(a.began)))
	next := a.list[0]
	a.list = a.list[1:]
	if next == "" {
		return nil, errors.New("refused")
	}
	var status int
	_, _ = fmt.Sscan(next, &status)
	return &http.Response{StatusCode: status, Status: next[:3], Body: io.NopCloser(strings.NewReader(next[4:])), Header: http.Header{}}, nil
}

// TestBusyRegistriesAreAskedAgain goes from one address to the next, with pauses, and gives up on a refusal.
func TestBusyRegistriesAreAskedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := &answers{list: []string{"", `503 {"error_code":50002,"message":"busy"}`, `200 {"id":7}`}, began: time.Now()}
		c := New("http://one/, http://two", Options{HTTP: &http.Client{Transport: a}, User: "u", Password: "p"})
		var got rest.Schema
		if err := c.ask(t.Context(), "GET", "/x", nil, &got); err != nil || got.ID != 7 {
			t.Errorf("%v, %v", got, err)
		}
		want := "[u one/x after 0s u two/x after 100ms u one/x after 500ms]"
		if s := fmt.Sprint(a.asked); s != want {
			t.Errorf("asked %s, want %s", s, want)
		}
		a.list, a.asked = []string{`409 {"error_code":409,"message":"no"}`, `200 {}`}, nil
		var e *rest.Error
		if err := c.ask(t.Context(), "GET", "/x", nil, &got); !errors.As(err, &e) || e.Message != "no" || len(a.asked) != 1 {
			t.Errorf("%v, %v", err, a.asked)
		}
		a.list = []string{"", "", "", ""}
		if err := c.ask(t.Context(), "GET", "/x", nil, &got); err == nil || !strings.Contains(err.Error(), "no registry answers") {
			t.Error(err)
		}
		a.list = []string{"200 [", "404 <html>"}
		if err := c.ask(t.Context(), "GET", "/x", nil, &got); err == nil {
			t.Error("half an answer is taken")
		}
		if err := c.ask(t.Context(), "GET", "/x", nil, &got); !missing(err) {
			t.Error(err)
		}
	})
}

// TestCacheIsBounded fills a cache beyond its size, and asks once for what many want.
func TestCacheIsBounded(t *testing.T) {
	now := time.Unix(0, 0)
	c := cache[int, int]{most: 10, now: func() time.Time { return now }}
	asked := 0
	get := func(k int, err error) (int, error) {
		return c.get(k, func() (int, error) { asked++; return k * k, err })
	}
	for i := range 100 {
		if v, err := get(i, nil); v != i*i || err != nil || len(c.entries) > 10 {
			t.Fatalf("%d, %v, %d entries", v, err, len(c.entries))
		}
	}
	asked = 0
	_, _ = get(99, nil)
	if asked != 0 {
		t.Error("asked again for what is remembered")
	}
	gone := &rest.Error{Code: rest.CodeSchemaNotFound}
	_, _ = get(200, gone)
	_, _ = get(200, gone)
	_, _ = get(201, errors.New("down"))
	_, _ = get(201, errors.New("down"))
	if asked != 3 {
		t.Errorf("asked %d times, want once for what is missing and twice for what failed", asked)
	}
	now = now.Add(missingFor)
	if v, err := get(200, nil); v != 200*200 || err != nil {
		t.Errorf("what was missing stays so: %d, %v", v, err)
	}
	synctest.Test(t, func(t *testing.T) {
		c := cache[int, int]{most: 10, now: time.Now}
		asked := 0
		release := make(chan struct{})
		var wg sync.WaitGroup
		for range 10 {
			wg.Go(func() {
				if v, _ := c.get(1, func() (int, error) { asked++; <-release; return 5, nil }); v != 5 {
					t.Error(v)
				}
			})
		}
		synctest.Wait()
		close(release)
		wg.Wait()
		if asked != 1 {
			t.Errorf("asked %d times", asked)
		}
	})
}

// TestManySchemasKeepFewReaders reads records of more schemas than are remembered.
func TestManySchemasKeepFewReaders(t *testing.T) {
	a := &answers{}
	for i := range 50 {
		a.list = append(a.list, fmt.Sprintf(`200 {"schema":"{\"type\":\"record\",\"name\":\"R\",\"fields\":[{\"name\":\"f%d\",\"type\":\"int\"}]}"}`, i))
	}
	c := New("http://r", Options{HTTP: &http.Client{Transport: a}, Cache: 5})
	s := serde.At(c.Avro[struct{}](`{"type":"record","name":"R","fields":[]}`), serde.Place{Topic: "t"}).(placed[struct{}])
	for id := 1; id <= 50; id++ {
		if _, err := s.Decode(append(appendHeader(nil, id), 2)); err != nil {
			t.Fatal(err)
		}
	}
	if n, m := len(s.of.readers.entries), len(c.schemas.entries); n > 5 || m > 5 {
		t.Errorf("%d readers and %d schemas are kept", n, m)
	}
}

// TestMessageIndexes goes through the forms of the way to a message.
func TestMessageIndexes(t *testing.T) {
	for want, indexes := range map[string][]int{"\x00": {0}, "\x02\x02": {1}, "\x04\x00\x00": {0, 0}, "\x06\x04\x00\x80\x01": {2, 0, 64}} {
		b := appendIndexes(nil, indexes)
		if string(b) != want {
			t.Errorf("%v is written as %x, want %x", indexes, b, want)
		}
		got, rest, err := readIndexes(append(b, 9))
		if err != nil || fmt.Sprint(got) != fmt.Sprint(indexes) || len(rest) != 1 {
			t.Errorf("%x is read as %v, %x, %v", b, got, rest, err)
		}
	}
	if got, _, err := readIndexes([]byte{2, 0}); err != nil || fmt.Sprint(got) != "[0]" { // the long form of the first
		t.Errorf("%v, %v", got, err)
	}
}
