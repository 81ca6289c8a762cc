package wire

import (
	"cmp"
	"reflect"
	"slices"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/thalweg/thalweg/internal/engine/code"
	"github.com/thalweg/thalweg/internal/engine/times"
)

// Stats are what a server has done since it was made.
type Stats struct {
	Requests       []Outcome // by API and error; those of which there were none are left out
	Times          []Timing  // by API, of those that were answered
	Received, Sent int64     // bytes of requests and responses
	Accepted       int64     // connections
	Refused        int64     // connections that were closed at once: too many are open
	FailedLogins   int64
}

// Outcome is how many requests of an API were answered with an error, which is the first in the answer.
type Outcome struct {
	API   string
	Error code.Code
	Count uint64
}

// Timing is how long the requests of an API took; see request.began and request.idle for what counts.
type Timing struct {
	API string
	times.Counts
}

// maxCode is the highest code that is counted by itself.
const maxCode = 159

// tally is what is counted of the requests of one API.
type tally struct {
	codes [maxCode + 2]atomic.Uint64 // from -1 on; what is beyond counts as -1
	times times.Histogram
}

// counters are Stats as they grow.
type counters struct {
	requests                        map[int16]*tally // the map is not changed
	received, sent                  atomic.Int64
	accepted, refused, failedLogins atomic.Int64
}

func newCounters() *counters {
	c := &counters{requests: map[int16]*tally{}}
	for key := range apis {
		c.requests[key] = new(tally)
	}
	return c
}

// answered counts a request of which the answer is known. One without an answer, as of acks=0, has no error.
func (c *counters) answered(r *request) {
	of := c.of(r)
	if of == nil {
		return
	}
	e := code.None
	if r.failed != nil {
		e = code.Unknown
	} else if r.resp != nil {
		e = errorIn(r.resp)
	}
	if e < -1 || e > maxCode {
		e = code.Unknown
	}
	of.codes[e+1].Add(1)
}

// of returns where r is counted; nil: nowhere.
func (c *counters) of(r *request) *tally {
	if r.api == tokenAPI {
		return nil
	}
	return c.requests[r.api.key]
}

// took counts the time of a request that is answered now.
func (c *counters) took(r *request, now time.Time) {
	if of := c.of(r); of != nil {
		of.times.Add(now.Sub(r.began) - r.idle)
	}
}

// Stats returns the numbers now.
func (s *Server) Stats() Stats {
	c := s.counters
	st := Stats{Received: c.received.Load(), Sent: c.sent.Load(), Accepted: c.accepted.Load(), Refused: c.refused.Load(), FailedLogins: c.failedLogins.Load()}
	for key, of := range c.requests {
		seen := false
		for i := range of.codes {
			if n := of.codes[i].Load(); n > 0 {
				st.Requests, seen = append(st.Requests, Outcome{apis[key].name, code.Code(i - 1), n}), true
			}
		}
		if seen {
			st.Times = append(st.Times, Timing{apis[key].name, of.times.Counts()})
		}
	}
	slices.SortFunc(st.Requests, func(a, b Outcome) int {
		return cmp.Or(cmp.Compare(a.API, b.API), cmp.Compare(a.Error, b.Error))
	})
	return st
}

// errorIn returns the first error code in a response that is not None.
func errorIn(resp kmsg.Response) code.Code {
	switch resp := resp.(type) {
	case *kmsg.ProduceResponse: // the two of which there are many are gone through without reflection
		for i := range resp.Topics {
			for j := range resp.Topics[i].Partitions {
				if c := resp.Topics[i].Partitions[j].ErrorCode; c != 0 {
					return code.Code(c)
				}
			}
		}
		return code.None
	case *kmsg.FetchResponse:
		for i := range resp.Topics {
			for j := range resp.Topics[i].Partitions {
				if c := resp.Topics[i].Partitions[j].ErrorCode; c != 0 {
					return code.Code(c)
				}
			}
		}
		return code.Code(resp.ErrorCode)
	}
	v := reflect.ValueOf(resp).Elem()
	p := paths[v.Type()]
	if p == nil {
		return code.None
	}
	return p.first(v)
}

// path is where in a struct error codes are.
type path struct {
	codes []int // fields
	lists []list
}

// list is a field that is a slice of structs with codes in them.
type list struct {
	field int
	path  *path
}

// paths are those of the responses of the table.
var paths = map[reflect.Type]*path{}

func init() {
	for _, a := range table() {
		t := reflect.TypeOf(kmsg.ResponseForKey(a.key)).Elem()
		paths[t] = pathOf(t)
	}
}

// pathOf returns the path of a struct, nil if there is no code in it.
func pathOf(t reflect.Type) *path {
	var p path
	for i := range t.NumField() {
		switch f := t.Field(i); {
		case f.Name == "ErrorCode":
			p.codes = append(p.codes, i)
		case f.Type.Kind() == reflect.Slice && f.Type.Elem().Kind() == reflect.Struct:
			if inner := pathOf(f.Type.Elem()); inner != nil {
				p.lists = append(p.lists, list{i, inner})
			}
		}
	}
	if p.codes == nil && p.lists == nil {
		return nil
	}
	return &p
}

func (p *path) first(v reflect.Value) code.Code {
	for _, i := range p.codes {
		if c := v.Field(i).Int(); c != 0 {
			return code.Code(c)
		}
	}
	for _, l := range p.lists {
		s := v.Field(l.field)
		for i := range s.Len() {
			if c := l.path.first(s.Index(i)); c != code.None {
				return c
			}
		}
	}
	return code.None
}
