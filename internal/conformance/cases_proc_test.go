package conformance_test

import (
	"fmt"
	"iter"
	"strings"

	"github.com/thalweg/thalweg/serde"
	"github.com/thalweg/thalweg/state"
	"github.com/thalweg/thalweg/topology"
	"github.com/thalweg/thalweg/window"
)

// The stores of the processors: kv, tkv, win and versioned, whose values may be null.
var (
	optional     = serde.Optional(serde.String)
	seenStore    = state.NewKeyValue("seen", serde.String, optional)
	kvStore      = state.NewKeyValue("kv", serde.String, optional)
	tsStore      = state.NewTimestamped("ts", serde.String, optional)
	sessionStore = state.NewSession("ss", ms(60), serde.String, optional)
	winStore     = state.NewWindow("w", ms(10), ms(60), serde.String, optional)
)

type (
	taskContext = topology.Context[string, opt]
	processor   = topology.Processor[string, opt]
)

// keyedOnly is a processor that passes records without a key over.
func keyedOnly(f func(record) error) (processor, error) {
	return topology.ProcessorFunc[string, opt](func(r record) error {
		if r.NoKey {
			return nil
		}
		return f(r)
	}), nil
}

// process is source → processor → sink.
func process(open func(*taskContext) (processor, error), stores ...state.AnySpec) build {
	return func(b *topology.Builder) { source(b, "in").Process("process", open, stores...).To(nullable("out")) }
}

func openDedup(ctx *taskContext) (processor, error) {
	s := ctx.Store(seenStore)
	return keyedOnly(func(r record) error {
		k := fmt.Sprint(r.Key, num(r.Value)%7)
		if _, again, err := s.Get(k); again || err != nil {
			return err
		}
		if err := s.Put(k, some(str(r.Value))); err != nil {
			return err
		}
		return ctx.Forward(r)
	})
}

func openScan(ctx *taskContext) (processor, error) {
	s := ctx.Store(kvStore)
	return keyedOnly(func(r record) error {
		k, n := fmt.Sprint(r.Key, num(r.Value)%5), num(r.Value)%6
		old, had, err := s.Get(k)
		o := ""
		switch {
		case n == 0:
			o, err = "del "+str(old), s.Delete(k)
		case n == 1:
			o = "pia " + str(old)
			if !had {
				err = s.Put(k, r.Value)
			}
		default:
			err = s.Put(k, r.Value)
		}
		if err != nil {
			return err
		}
		o += " range"
		for k, v := range s.Range("A1", "B3") {
			o += " " + k + "=" + str(v)
		}
		list := func(what string, rows iter.Seq2[string, opt], most int) {
			o += " " + what
			for k := range rows {
				if most--; most < 0 {
					break
				}
				o += " " + k
			}
		}
		list("reverse", s.Descend("A3", "C1"), 1000)
		list("prefix", s.Prefix([]byte(r.Key)), 1000)
		list("last", s.Descend("", "~"), 1)
		return ctx.Forward(r.With(some(o)))
	})
}

func openTimestamped(ctx *taskContext) (processor, error) {
	s := ctx.Store(tsStore)
	return keyedOnly(func(r record) error {
		old, at, had, err := s.Get(r.Key)
		if err != nil || had && at > r.Time {
			return err
		}
		if err := s.Put(r.Key, r.Value, r.Time); err != nil {
			return err
		}
		was := "none"
		if had {
			was = fmt.Sprintf("%s@%d", str(old), at)
		}
		return ctx.Forward(r.With(some(was + ">" + str(r.Value))))
	})
}

func openWindowStore(ctx *taskContext) (processor, error) {
	s := ctx.Store(winStore)
	return keyedOnly(func(r record) error {
		if err := s.Put(r.Key, r.Time, r.Value); err != nil {
			return err
		}
		var o strings.Builder
		list := func(rows iter.Seq2[window.Key[string], opt]) {
			for k, v := range rows {
				fmt.Fprintf(&o, "%d=%s ", k.Start, str(v))
			}
		}
		list(s.Fetch(r.Key, max(0, r.Time-20), r.Time))
		o.WriteString("< ")
		list(s.Descend(r.Key, max(0, r.Time-10), r.Time+5))
		a, _, err := s.Get(r.Key, max(0, r.Time-60))
		if err != nil {
			return err
		}
		b, _, err := s.Get(r.Key, max(0, r.Time-59))
		if err != nil {
			return err
		}
		return ctx.Forward(r.With(some(o.String() + "one " + str(a) + " " + str(b))))
	})
}

func openSessionStore(ctx *taskContext) (processor, error) {
	s := ctx.Store(sessionStore)
	return keyedOnly(func(r record) error {
		o := ""
		for k, v := range s.Find(r.Key, max(0, r.Time-20), r.Time+20) {
			o += fmt.Sprintf("%d-%d=%s ", k.Start, k.End, str(v))
		}
		length := window.Instant(num(r.Value) % 4)
		if err := s.Put(window.Key[string]{Key: r.Key, Start: max(0, r.Time-length), End: r.Time}, r.Value); err != nil {
			return err
		}
		return ctx.Forward(r.With(some(o)))
	})
}

// version shows a version as the cases do. Kafka Streams' stores lose on the way to a processor until when it holds.
func version(v state.Version[opt], ok bool) string {
	if !ok {
		return "none"
	}
	return fmt.Sprintf("%s@%d-", str(v.Value), v.From)
}

// put puts a version, and shows the answer as Kafka Streams gives it.
func put(s state.Versioned[string, opt], r record) (string, error) {
	until, accepted, err := s.Put(r.Key, r.Value, r.Time)
	switch {
	case !accepted:
		return "put -9223372036854775808", err
	case until == window.Forever:
		return "put -1", err
	}
	return fmt.Sprintf("put %d", until), err
}

func openVersioned(spec state.Spec[state.Versioned[string, opt]], at func(t window.Instant) []window.Instant, names []string, deletes bool) func(*taskContext) (processor, error) {
	return func(ctx *taskContext) (processor, error) {
		s := ctx.Store(spec)
		return keyedOnly(func(r record) (err error) {
			o := ""
			if deletes && num(r.Value)%11 == 5 {
				was, ok, e := s.Delete(r.Key, r.Time)
				o, err = "deleted "+version(was, ok), e
			} else {
				o, err = put(s, r)
			}
			if err != nil {
				return err
			}
			now, ok, err := s.Get(r.Key)
			o += " now " + version(now, ok)
			for i, t := range at(r.Time) {
				v, ok, e := s.AsOf(r.Key, t)
				if e != nil {
					return e
				}
				o += " " + names[i] + version(v, ok)
			}
			if err != nil {
				return err
			}
			return ctx.Forward(r.With(some(o)))
		})
	}
}

func versionedCase(history int, at func(t window.Instant) []window.Instant, names []string, deletes bool) build {
	spec := state.NewVersioned("v", ms(history), serde.String, optional)
	return process(openVersioned(spec, at, names, deletes), spec)
}

func openPunctuated(ctx *taskContext) (processor, error) {
	seen := 0
	ctx.Schedule(ms(10), topology.StreamTime, func(now window.Instant) error {
		n := seen
		seen = 0
		return ctx.Forward(record{Key: "tick", Value: some(fmt.Sprint(n)), Time: now})
	})
	return topology.ProcessorFunc[string, opt](func(r record) error { seen++; return ctx.Forward(r) }), nil
}

func openBothPunctuated(ctx *taskContext) (processor, error) {
	walls := 0
	var stop func()
	stop = ctx.Schedule(ms(10), topology.WallTime, func(now window.Instant) error {
		walls++
		err := ctx.Forward(record{Key: "wall", Value: some(fmt.Sprint(walls)), Time: now})
		if walls == 5 {
			stop()
		}
		return err
	})
	ctx.Schedule(ms(7), topology.StreamTime, func(now window.Instant) error {
		return ctx.Forward(record{Key: "stream", Value: some(fmt.Sprint(int64(ctx.StreamTime()))), Time: now})
	})
	return topology.ProcessorFunc[string, opt](func(r record) error {
		return ctx.Forward(r.With(some(fmt.Sprintf("%s@%d", str(r.Value), ctx.Now()))))
	}), nil
}

var _ = register(map[string]build{
	"proc-dedup":             process(openDedup, seenStore),
	"proc-scan":              process(openScan, kvStore),
	"proc-timestamped-store": process(openTimestamped, tsStore),
	"proc-window-store":      process(openWindowStore, winStore),
	"proc-session-store":     process(openSessionStore, sessionStore),
	"proc-stream-punct":      process(openPunctuated),
	"proc-wall-punct":        process(openBothPunctuated),
	"proc-versioned-store": versionedCase(50, func(t window.Instant) []window.Instant {
		return []window.Instant{t - 7, t - 50, t + 3}
	}, []string{"at-7 ", "at-50 ", "at+3 "}, true),
	"proc-shared-store": func(b *topology.Builder) {
		source(b, "in").Process("p1", func(ctx *taskContext) (processor, error) {
			s := ctx.Store(kvStore)
			return keyedOnly(func(r record) error { return s.Put(r.Key, r.Value) })
		}, kvStore)
		source(b, "in2").Process("p2", func(ctx *taskContext) (processor, error) {
			s := ctx.Store(kvStore)
			return keyedOnly(func(r record) error {
				v, _, err := s.Get(r.Key)
				if err != nil {
					return err
				}
				return ctx.Forward(r.With(some(str(r.Value) + "/" + str(v))))
			})
		}, kvStore).To(nullable("out"))
	},
	"proc-named-forward": func(b *topology.Builder) {
		c1, c2 := topology.Tag[string, opt]{Name: "c1"}, topology.Tag[string, opt]{Name: "c2"}
		p := source(b, "in").Process("p", func(ctx *taskContext) (processor, error) {
			to1, to2 := ctx.Side(c1), ctx.Side(c2)
			return topology.ProcessorFunc[string, opt](func(r record) error {
				switch num(r.Value) % 3 {
				case 0:
					return to2(r.With(some(str(r.Value) + "x")))
				case 1:
					return to1(r)
				}
				r = r.With(some(str(r.Value) + "all"))
				if err := to1(r); err != nil {
					return err
				}
				return to2(r)
			}), nil
		})
		mark := func(m string) func(opt) opt { return func(v opt) opt { return some(str(v) + m) } }
		p.Side(c1).MapValues(mark("-1")).To(nullable("out"))
		p.Side(c2).MapValues(mark("-2")).To(nullable("out"))
	},

	"trace-versioned": versionedCase(100, func(window.Instant) []window.Instant {
		return []window.Instant{0, 1, 2, 3, 4, 5}
	}, []string{"0:", "1:", "2:", "3:", "4:", "5:"}, false),
})
