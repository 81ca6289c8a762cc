package wire

import (
	"bytes"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/thalweg/thalweg/internal/engine/auth"
	"github.com/thalweg/thalweg/internal/engine/code"
	"github.com/thalweg/thalweg/internal/engine/meta"
)

// AlterUserSCRAMCredentials: v0
//
// Behavior:
//   - Sets and deletes credentials, all or none of a user. They come salted: the password itself is never sent. Durable
//     before it is answered.
//   - A user and mechanism named twice is DUPLICATE_RESOURCE for the user.
//   - The connections of a user who has no credential left end.
const alterUserScramCredentialsShape = "(s b) (s b i y y)"

func alterUserScramCredentials(r *request) kmsg.Response {
	req := r.body.(*kmsg.AlterUserSCRAMCredentialsRequest)
	resp := req.ResponseKind().(*kmsg.AlterUserSCRAMCredentialsResponse)
	type key struct {
		user      string
		mechanism auth.Mechanism
	}
	changes := map[string][]meta.UserChange{}
	refused := map[string]error{}
	seen := once[key]{}
	var names []string
	add := func(c meta.UserChange) {
		if changes[c.User] == nil {
			names = append(names, c.User)
		}
		if seen.first(key{c.User, c.Mechanism}) {
			changes[c.User] = append(changes[c.User], c)
		} else if refused[c.User] == nil {
			refused[c.User] = &meta.Failure{Code: code.DuplicateResource, Text: "the request names the user and mechanism more than once"}
		}
	}
	for _, d := range req.Deletions {
		add(meta.UserChange{User: d.Name, Mechanism: auth.Mechanism(d.Mechanism)})
	}
	for _, u := range req.Upsertions {
		m := auth.Mechanism(u.Mechanism)
		if m.Known() && len(u.SaltedPassword) != m.Size() {
			refused[u.Name] = &meta.Failure{Code: code.UnacceptableCredential, Text: "the salted password has the wrong size for " + m.String()}
		}
		c := auth.FromSalted(m, u.SaltedPassword, bytes.Clone(u.Salt), int(u.Iterations))
		add(meta.UserChange{User: u.Name, Mechanism: m, Credential: &c})
	}
	for _, name := range names {
		err := r.refused(auth.Cluster, auth.ClusterName)
		if err == nil {
			err = refused[name]
		}
		if err == nil {
			err = r.meta.ChangeUser(name, changes[name]...)
		}
		if err == nil && r.meta.User(name) == nil {
			r.dismiss(name)
		}
		sr := kmsg.NewAlterUserSCRAMCredentialsResponseResult()
		sr.User = name
		sr.ErrorCode, sr.ErrorMessage = topicError(err)
		resp.Results = append(resp.Results, sr)
	}
	return resp
}
