package stream

import (
	"fmt"

	"github.com/thalweg/thalweg/internal/edge"
)

// Split parts the stream in two: the records that f takes, and the others.
//
//	in    (a 1) (b 6) (c 7)
//	f     v > 5
//	yes         (b 6) (c 7)
//	no    (a 1)
func (s Stream[K, V]) Split[_ edge.Called](f func(K, V) bool) (yes, no Stream[K, V]) {
	if !s.given("Split", f == nil) {
		return Stream[K, V]{}, Stream[K, V]{}
	}
	sw := s.Switch()
	return sw.Case(f), sw.Default()
}

// Switch parts the stream in as many as are asked of it; each record goes to the first case that takes it.
//
//	sw := orders.Switch()
//	big := sw.Case(func(_ string, o Order) bool { return o.Amount > 1000 })
//	eu := sw.Case(func(_ string, o Order) bool { return o.Region == "eu" })
//	rest := sw.Default()
//
//	in    (a 2000 eu) (b 10 eu) (c 10 us)
//	big   (a 2000 eu)
//	eu                (b 10 eu)
//	rest                        (c 10 us)
func (s Stream[K, V]) Switch[_ edge.Called]() *Switch[K, V] {
	sw := &Switch[K, V]{}
	if !s.given("Switch", false) {
		return sw
	}
	both := edge.Need{Key: true, Val: true}
	sw.s = Stream[K, V]{s.out.Apply[K, V](edge.Op{Kind: "KSTREAM-BRANCH", Reads: both},
		func(at edge.Place, _ edge.Emit[K, V]) (edge.Emit[K, V], error) { return sw.open(at) }), s.rekeyed}
	return sw
}

// Switch is a stream that is being parted. Its cases are asked in the order in which they were made, the default last.
type Switch[K, V any] struct {
	s     Stream[K, V] // of the parting node, which emits to its sides alone
	cases []func(K, V) bool
	rest  Stream[K, V]
}

// Case returns the records that f takes and no earlier case took.
func (s *Switch[K, V]) Case[_ edge.Called](f func(K, V) bool) Stream[K, V] {
	if !s.s.given("Case", f == nil) {
		return Stream[K, V]{}
	}
	s.cases = append(s.cases, f)
	return s.side(caseTag(len(s.cases) - 1))
}

// Default returns the records that no case took. Without it they are dropped.
func (s *Switch[K, V]) Default[_ edge.Called]() Stream[K, V] {
	if s.rest.out.Node() == nil && s.s.given("Default", false) {
		s.rest = s.side(defaultTag)
	}
	return s.rest
}

const defaultTag = "default"

func caseTag(i int) string { return fmt.Sprintf("case-%d", i) }

// side adds the node of one case.
func (s *Switch[K, V]) side(tag string) Stream[K, V] {
	both := edge.Need{Key: true, Val: true}
	return Stream[K, V]{s.s.out.Aside[K, V](edge.Op{Kind: "KSTREAM-BRANCHCHILD", Keeps: both, Passes: both}, tag), s.s.rekeyed}
}

func (s *Switch[K, V]) open(at edge.Place) (edge.Emit[K, V], error) {
	nexts := make([]edge.Emit[K, V], len(s.cases))
	for i := range nexts {
		var err error
		if nexts[i], err = edge.Aside[K, V](at, caseTag(i)); err != nil {
			return nil, err
		}
	}
	rest, err := edge.Aside[K, V](at, defaultTag)
	if err != nil {
		return nil, err
	}
	cases := s.cases
	return func(m *edge.Meta, k K, v V) error {
		for i, takes := range cases {
			if takes(k, v) {
				return nexts[i](m, k, v)
			}
		}
		if rest == nil {
			return nil
		}
		return rest(m, k, v)
	}, nil
}
