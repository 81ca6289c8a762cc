package conformance_test

import (
	"fmt"

	"github.com/thalweg/thalweg/serde"
	"github.com/thalweg/thalweg/state"
	"github.com/thalweg/thalweg/table"
	"github.com/thalweg/thalweg/topology"
)

// refToGlobal names a row by the number's class, and none where the number is divisible by 7.
func refToGlobal(_ string, v opt) (string, bool) {
	n := num(v)
	return fmt.Sprint("k", n%4), n%7 != 0
}

// withKey is a value with the record's key.
type withKey struct {
	key string
	v   opt
}

// globalStore is the store gs.
var globalStore = state.NewKeyValue("gs", serde.String, serde.String)

var _ = register(map[string]build{
	"sgj-inner": func(b *topology.Builder) {
		source(b, "in").JoinGlobal(table.GlobalFrom(b, texts("gt")), refToGlobal, withRow).To(texts("out"))
	},
	"sgj-left": func(b *topology.Builder) {
		source(b, "in").LeftJoinGlobal(table.GlobalFrom(b, texts("gt")), refToGlobal, withRowLeft).To(texts("out"))
	},
	"sgj-left-by-key": func(b *topology.Builder) {
		g := table.GlobalFrom(b, texts("gt"))
		source(b, "in").
			MapRecord(func(r record) topology.Record[string, serde.Opt[withKey]] {
				return r.With(serde.Opt[withKey]{Value: withKey{keyOf(r), r.Value}, OK: r.Value.OK})
			}).
			LeftJoinGlobal(g, func(k string, _ serde.Opt[withKey]) (string, bool) { return k, k != "" },
				func(l serde.Opt[withKey], r opt) string { return l.Value.key + ":" + str(l.Value.v) + "/" + str(r) }).
			To(texts("out"))
	},
	"proc-global": func(b *topology.Builder) {
		topology.GlobalStore(b, nullable("g"), globalStore, func(s state.KeyValue[string, string], r record) error {
			switch {
			case !r.Value.OK:
				return s.Delete(r.Key)
			case even(r.Value):
				return s.Put(r.Key, r.Value.Value+"g")
			}
			return nil
		})
		process(func(ctx *taskContext) (processor, error) {
			s := ctx.Store(globalStore)
			return keyedOnly(func(r record) error {
				v, ok, err := s.Get(r.Key)
				if err != nil {
					return err
				}
				return ctx.Forward(r.With(some(str(r.Value) + "/" + str(opt{Value: v, OK: ok}))))
			})
		}, globalStore)(b)
	},
})
