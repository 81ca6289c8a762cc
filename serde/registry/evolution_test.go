package registry_test

import (
	"context"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/thalweg/thalweg/serde"
	"github.com/thalweg/thalweg/serde/avro"
	"github.com/thalweg/thalweg/serde/registry"
	"github.com/thalweg/thalweg/serde/registry/registrytest"
	"github.com/thalweg/thalweg/state"
	"github.com/thalweg/thalweg/stream"
	"github.com/thalweg/thalweg/table"
	"github.com/thalweg/thalweg/topology"
)

// program is one version of a program that keeps the last profile of each user, under an evolving schema.
type program[P any] struct {
	profiles serde.Serde[P]
	of       func(name string) P
	rows     table.Table[string, P]
}

var names = topology.Topic[string, string]{Name: "names", Key: serde.String, Value: serde.String, Partitions: 2}

func (p *program[P]) topology(b *topology.Builder) {
	b.Use(p.profiles)
	p.rows = stream.From(b, names).MapValues(p.of).GroupByKey().Reduce("profiles", func(_, new P) P { return new })
}

// run starts the program on dir, lets user do something, and stops it. It returns what ended it before it was ready.
func (p *program[P]) run(t *testing.T, dir string, use func(ctx context.Context, a *stream.App)) error {
	t.Helper()
	topo, err := topology.Define("users", p.topology)
	if err != nil {
		t.Fatal(err)
	}
	a, err := stream.New(topo, stream.Config{Dir: dir, Workers: 1, Logger: slog.New(slog.NewTextHandler(t.Output(), nil))})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
	defer cancel()
	done := make(chan error, 1)
	running, stop := context.WithCancel(ctx)
	defer stop()
	go func() { done <- a.Run(running) }()
	select {
	case err := <-done:
		return err
	case <-a.Ready():
	}
	use(ctx, a)
	stop()
	return <-done
}

// put writes names and waits until the store has them.
func (p *program[P]) put(t *testing.T, users ...string) func(context.Context, *stream.App) {
	return func(ctx context.Context, a *stream.App) {
		t.Helper()
		w := stream.NewWriter(a, names)
		for _, u := range users {
			if err := w.Put(ctx, u, strings.ToUpper(u)); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		for _, u := range users {
			for {
				_, ok, err := p.rows.Query(a).Get(ctx, u)
				if err != nil {
					t.Fatal(err)
				}
				if ok {
					break
				}
			}
		}
	}
}

const user3 = `{"type":"record","name":"shop.User","fields":[{"name":"mail","type":"string"}]}`

// The versions of the program differ in the type that bears one name in all of them, as it would in its source.

func version1(reg *registry.Client) (run func(t *testing.T, dir string) error) {
	type profile struct{ Name string }
	p := &program[profile]{profiles: reg.Avro[profile](user1), of: func(name string) profile { return profile{name} }}
	return func(t *testing.T, dir string) error { return p.run(t, dir, p.put(t, "ada", "bob")) }
}

func version2(reg *registry.Client) (run func(t *testing.T, dir string) error) {
	type profile struct {
		Name string
		Age  int
	}
	p := &program[profile]{profiles: reg.Avro[profile](user2), of: func(name string) profile { return profile{name, 7} }}
	return func(t *testing.T, dir string) error {
		return p.run(t, dir, func(ctx context.Context, a *stream.App) {
			p.put(t, "cleo")(ctx, a)
			for user, want := range map[string]profile{"ada": {"ADA", -1}, "bob": {"BOB", -1}, "cleo": {"CLEO", 7}} {
				if got, ok, err := p.rows.Query(a).Get(ctx, user); err != nil || !ok || got != want {
					t.Errorf("%s: %v, %v, %v; want %v", user, got, ok, err, want)
				}
			}
		})
	}
}

func version3(reg *registry.Client) (run func(t *testing.T, dir string) error) {
	type profile struct{ Mail string }
	p := &program[profile]{profiles: reg.Avro[profile](user3), of: func(name string) profile { return profile{name} }}
	return func(t *testing.T, dir string) error { return p.run(t, dir, nil) }
}

// TestStoreOutlivesItsSchema writes a store with version 1 of a schema and reads it with version 2, from the disk and,
// the disk lost, from the changelog; and shows that a version that cannot read it is refused at start, with the reason.
func TestStoreOutlivesItsSchema(t *testing.T) {
	url, dir := registrytest.New(t), t.TempDir()
	strict := registry.New(url, registry.Options{AutoRegister: true, RefuseIncompatible: true})
	if err := version1(strict)(t, dir); err != nil {
		t.Fatal(err)
	}
	if err := version2(strict)(t, dir); err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(filepath.Join(dir, "apps")); err != nil {
		t.Fatal(err)
	}
	if err := version2(strict)(t, dir); err != nil {
		t.Fatal(err)
	}
	refused(t, version3(strict)(t, dir), "evolution_test.go:", `value of topic "users-profiles-changelog"`,
		"the store holds rows of version 1 (schema 1), which this program cannot read", "field mail: it was not written and has no default")

	// Without the client's own look it is the registry's level that refuses.
	lax := registry.New(url, registry.Options{AutoRegister: true})
	refused(t, version3(lax)(t, dir), `subject "users-profiles-changelog-value" refuses this schema`, "BACKWARD", "field mail")

	// And with everything allowed there, the client's own look again.
	allow(t, url)
	refused(t, version3(strict)(t, dir), "which this program cannot read", "field mail")
}

func allow(t *testing.T, url string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPut, url+"/config", strings.NewReader(`{"compatibility":"NONE"}`))
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
}

// TestStoreWithoutARegistryIsRefused opens a store of plain Avro, which has no schema beside its bytes, under another one.
func TestStoreWithoutARegistryIsRefused(t *testing.T) {
	dir := t.TempDir()
	type profile struct{ Name string }
	one := &program[profile]{profiles: avro.Of[profile](user1), of: func(n string) profile { return profile{n} }}
	if err := one.run(t, dir, one.put(t, "ada")); err != nil {
		t.Fatal(err)
	}
	other := strings.Replace(user1, `"string"`, `["string"]`, 1)
	two := &program[profile]{profiles: avro.Of[profile](other), of: one.of}
	refused(t, two.run(t, dir, nil), `"profiles"`, "avro shop.User", "give the store a new name")
}

// TestFaultsAreReportedAtBuild shows where an unfit schema is met.
func TestFaultsAreReportedAtBuild(t *testing.T) {
	bad := registry.New("http://localhost").Avro[userV1](`{"type":"record","name":"User","fields":[{"name":"name","type":"int"}]}`)
	topic := topology.NewTopic("users", serde.String, bad)
	_, err := topology.Define("app", func(b *topology.Builder) {
		stream.From(b, topic).To(topology.NewTopic("copies", serde.String, bad))
		b.Use(bad)
		topology.Source(b, names).Sink(names)
		_ = state.NewKeyValue("store", serde.String, bad)
	})
	refused(t, err, "evolution_test.go:", `topic "users": value: avro: User: field name: string does not fit int`, "Use of a serde for registry_test.userV1")
}
