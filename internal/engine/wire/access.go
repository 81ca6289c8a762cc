package wire

import (
	"slices"
	"sync"

	"github.com/thalweg/thalweg/internal/engine/auth"
	"github.com/thalweg/thalweg/internal/engine/code"
	"github.com/thalweg/thalweg/internal/engine/meta"
)

// need is an operation on a kind of resource.
type need struct {
	op auth.Operation
	on auth.Resource
}

// needs is the one table of what clients must be allowed for an API, as Apache Kafka has it. Of several operations on a
// kind of resource the first is asked for the resources that a request names; the others bear on a part of it. An API
// that is served has a line here, be it an empty one.
var needs = map[int16][]need{
	0:  {{auth.Write, auth.Topic}, {auth.Write, auth.TransactionalID}},
	1:  {{auth.Read, auth.Topic}},
	2:  {{auth.Describe, auth.Topic}},
	3:  {{auth.Describe, auth.Topic}, {auth.Create, auth.Topic}, {auth.Describe, auth.Cluster}, {auth.Create, auth.Cluster}},
	8:  {{auth.Read, auth.Group}, {auth.Read, auth.Topic}},
	9:  {{auth.Describe, auth.Group}, {auth.Describe, auth.Topic}},
	10: {{auth.Describe, auth.Group}, {auth.Describe, auth.TransactionalID}},
	11: {{auth.Read, auth.Group}},
	12: {{auth.Read, auth.Group}},
	13: {{auth.Read, auth.Group}},
	14: {{auth.Read, auth.Group}},
	15: {{auth.Describe, auth.Group}},
	16: {{auth.Describe, auth.Cluster}, {auth.Describe, auth.Group}}, // one of them
	17: {},
	18: {},
	19: {{auth.Create, auth.Cluster}, {auth.Create, auth.Topic}, {auth.DescribeConfigs, auth.Topic}}, // one of the first two
	20: {{auth.Delete, auth.Topic}, {auth.Describe, auth.Topic}},
	21: {{auth.Delete, auth.Topic}},
	22: {{auth.Write, auth.TransactionalID}, {auth.IdempotentWrite, auth.Cluster}, {auth.Write, auth.Topic}}, // without an id one of the last two
	23: {{auth.Describe, auth.Topic}},
	24: {{auth.Write, auth.TransactionalID}, {auth.Write, auth.Topic}},
	25: {{auth.Write, auth.TransactionalID}, {auth.Read, auth.Group}},
	26: {{auth.Write, auth.TransactionalID}},
	28: {{auth.Write, auth.TransactionalID}, {auth.Read, auth.Group}, {auth.Read, auth.Topic}},
	29: {{auth.Describe, auth.Cluster}},
	30: {{auth.Alter, auth.Cluster}},
	31: {{auth.Alter, auth.Cluster}},
	32: {{auth.DescribeConfigs, auth.Topic}, {auth.DescribeConfigs, auth.Cluster}},
	33: {{auth.AlterConfigs, auth.Topic}, {auth.AlterConfigs, auth.Cluster}},
	35: {{auth.Describe, auth.Cluster}},
	36: {},
	37: {{auth.Alter, auth.Topic}},
	42: {{auth.Delete, auth.Group}},
	43: {{auth.Alter, auth.Cluster}},
	44: {{auth.AlterConfigs, auth.Topic}, {auth.AlterConfigs, auth.Cluster}},
	45: {{auth.Alter, auth.Cluster}},
	46: {{auth.Describe, auth.Cluster}},
	47: {{auth.Delete, auth.Group}, {auth.Read, auth.Topic}},
	48: {{auth.DescribeConfigs, auth.Cluster}},
	49: {{auth.AlterConfigs, auth.Cluster}},
	50: {{auth.Describe, auth.Cluster}},
	51: {{auth.Alter, auth.Cluster}},
	57: {{auth.Alter, auth.Cluster}},
	60: {{auth.Describe, auth.Cluster}},
	61: {{auth.Read, auth.Topic}},
	65: {{auth.Describe, auth.TransactionalID}, {auth.Describe, auth.Topic}},
	66: {{auth.Describe, auth.TransactionalID}},
	74: {{auth.DescribeConfigs, auth.Cluster}},
	75: {{auth.Describe, auth.Topic}},
}

// refusals are how requests are answered that a client may not make.
var refusals = map[auth.Resource]code.Code{
	auth.Topic: code.TopicAuthorizationFailed, auth.Group: code.GroupAuthorizationFailed,
	auth.Cluster: code.ClusterAuthorizationFailed, auth.TransactionalID: code.TransactionalIDAuthorizationFailed,
}

// access is what a connection's client may do. The reader and the writer ask.
type access struct {
	all bool // the listener's clients may do everything

	mu    sync.Mutex // protects following fields, which are those of set and user
	set   *auth.ACLs
	user  *string
	who   auth.Who
	super bool
	known map[question]bool
}

// question is one that was decided.
type question struct {
	need
	name string
}

// maxKnown is how many decisions a connection remembers.
const maxKnown = 1024

// guarded reports whether anything has to be asked about the client of c.
func (c *conn) guarded() bool { return c.server.cfg.ACLs && !c.access.all }

// allowed decides whether the client may do op to a resource; what was decided stands until the ACLs change.
func (c *conn) allowed(op auth.Operation, on auth.Resource, name string) bool {
	if !c.guarded() {
		return true
	}
	a := &c.access
	a.mu.Lock()
	defer a.mu.Unlock()
	a.refresh(c)
	if a.super {
		return true
	}
	q := question{need{op, on}, name}
	ok, decided := a.known[q]
	if !decided {
		ok = a.set.Allowed(a.who, op, on, name)
		if len(a.known) >= maxKnown {
			clear(a.known)
		}
		a.known[q] = ok
	}
	return ok
}

// refresh forgets what was decided for another user or by other ACLs. mu must be held.
func (a *access) refresh(c *conn) {
	set, user := c.server.meta.ACLs(), c.user.Load()
	if set == a.set && user == a.user {
		return
	}
	a.set, a.user, a.who = set, user, auth.Who{Principal: auth.Anonymous, Host: c.host}
	if user != nil {
		a.who.Principal = auth.Principal(*user)
	}
	a.super = slices.Contains(c.server.cfg.SuperUsers, a.who.Principal)
	a.known = map[question]bool{}
}

// may reports whether the client may do to a resource what r does to those of its kind.
func (r *request) may(on auth.Resource, name string) bool {
	return r.conn.allowed(r.does(on), on, name)
}

// does returns the operation of r on resources of a kind.
func (r *request) does(on auth.Resource) auth.Operation {
	for _, n := range r.api.needs {
		if n.on == on {
			return n.op
		}
	}
	panic("wire: " + r.api.name + " asks for what is not in the table of needs")
}

// mayAlso is may for an operation that is not the first of its kind in the table.
func (r *request) mayAlso(op auth.Operation, on auth.Resource, name string) bool {
	if !slices.Contains(r.api.needs, need{op, on}) {
		panic("wire: " + r.api.name + " asks for what is not in the table of needs")
	}
	return r.conn.allowed(op, on, name)
}

// maySome reports whether there may be a resource that the client may do to what r does to those of its kind (KIP-679).
func (r *request) maySome(on auth.Resource) bool {
	op, c := r.does(on), r.conn
	if !c.guarded() {
		return true
	}
	a := &c.access
	a.mu.Lock()
	defer a.mu.Unlock()
	a.refresh(c)
	return a.super || a.set.AllowedSome(a.who, op, on)
}

// refusal is None if the client may do to a resource what r does to those of its kind, else what is answered.
func (r *request) refusal(on auth.Resource, name string) code.Code {
	if r.may(on, name) {
		return code.None
	}
	return refusals[on]
}

// refused is refusal as an error.
func (r *request) refused(on auth.Resource, name string) error {
	c := r.refusal(on, name)
	if c == code.None {
		return nil
	}
	return &meta.Failure{Code: c, Text: "the client may not do this"}
}

// reach returns the topic with a name, or an id, or what is answered if there is none or the client may not do to it
// what r does.
func (r *request) reach(name string, id [16]byte, byID bool) (*meta.Topic, code.Code) {
	var t *meta.Topic
	if byID {
		if t = r.meta.TopicByID(id); t == nil {
			return nil, code.UnknownTopicID
		}
		name = t.Name
	} else {
		t = r.meta.Topic(name)
	}
	if c := r.refusal(auth.Topic, name); c != code.None {
		return nil, c
	}
	if t == nil {
		return nil, code.UnknownTopicOrPartition
	}
	return t, code.None
}

// noOperations is the value of authorized operations nobody asked for.
const noOperations = -1 << 31

// authorized returns the operations the client may do to a resource, as a set of bits (KIP-430), if it asked for them.
func (r *request) authorized(asked bool, on auth.Resource, name string) int32 {
	if !asked {
		return noOperations
	}
	var bits int32
	on.Supported().Each(func(op auth.Operation) {
		if r.conn.allowed(op, on, name) {
			bits |= 1 << op
		}
	})
	return bits
}

// authorizedCluster is authorized for the cluster, which says nothing to those who may not describe it.
func (r *request) authorizedCluster(asked bool) int32 {
	if asked && !r.may(auth.Cluster, auth.ClusterName) {
		return 0
	}
	return r.authorized(asked, auth.Cluster, auth.ClusterName)
}
