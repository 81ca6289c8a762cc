package auth

import (
	"errors"
	"fmt"
	"strings"

	"github.com/xdg-go/scram"
)

// Users knows the credentials.
type Users interface {
	// Credential returns that of a user, false with one that nothing matches if the user has none.
	Credential(user string, m Mechanism) (Credential, bool)
}

// Exchange is one login: the client's messages go in, the server's come out.
type Exchange interface {
	// Step takes the client's next message. An error ends the exchange; it is for the log, not for the client.
	Step(message []byte) (answer []byte, err error)
	// User returns who has logged in, "" before that.
	User() string
}

// Errors of an exchange, wrapped with the user's name.
var (
	ErrUnknownUser = errors.New("auth: unknown user")
	ErrPassword    = errors.New("auth: wrong password")
)

// NewExchange begins a login by the named mechanism, nil if it is not one of this package's.
func NewExchange(name string, users Users) Exchange {
	switch name {
	case NamePlain:
		return &plain{users: users}
	case NameScramSHA256:
		return newScram(ScramSHA256, scram.SHA256, users)
	case NameScramSHA512:
		return newScram(ScramSHA512, scram.SHA512, users)
	}
	return nil
}

// plain is PLAIN (RFC 4616), checked against the SCRAM credentials.
type plain struct {
	users Users
	user  string
	tried bool
}

func (p *plain) User() string { return p.user }

func (p *plain) Step(message []byte) ([]byte, error) {
	parts := strings.Split(string(message), "\x00")
	if p.tried || len(parts) != 3 || parts[1] == "" || parts[2] == "" {
		return nil, errors.New("auth: malformed message of PLAIN")
	}
	p.tried = true
	if parts[0] != "" && parts[0] != parts[1] {
		return nil, fmt.Errorf("auth: user %q asks to act as %q", parts[1], parts[0])
	}
	// Both kinds are tried, whichever the user has: what a login costs says nothing about who exists.
	known, matched := false, false
	for _, m := range []Mechanism{ScramSHA256, ScramSHA512} {
		c, ok := p.users.Credential(parts[1], m)
		same := c.matches(m, parts[2])
		known, matched = known || ok, matched || ok && same
	}
	switch {
	case !known:
		return nil, fmt.Errorf("%w %q", ErrUnknownUser, parts[1])
	case !matched:
		return nil, fmt.Errorf("%w of user %q", ErrPassword, parts[1])
	}
	p.user = parts[1]
	return []byte{}, nil
}

// scramExchange is SCRAM (RFC 5802) without channel binding, which Kafka's clients do not do.
type scramExchange struct {
	talk  *scram.ServerConversation
	name  string // as the client says it, not yet proved
	known bool   // there is such a user
}

func newScram(m Mechanism, hash scram.HashGeneratorFcn, users Users) Exchange {
	e := &scramExchange{}
	server, err := hash.NewServer(func(escaped string) (scram.StoredCredentials, error) {
		var err error
		if e.name, err = unescape(escaped); err != nil {
			return scram.StoredCredentials{}, err
		}
		var c Credential
		c, e.known = users.Credential(e.name, m)
		return scram.StoredCredentials{
			KeyFactors: scram.KeyFactors{Salt: string(c.Salt), Iters: c.Iterations}, StoredKey: c.StoredKey, ServerKey: c.ServerKey,
		}, nil
	})
	if err != nil {
		return nil
	}
	e.talk = server.NewConversation()
	return e
}

// unescape returns a name as it was before the client wrote its commas and equals signs as "=2C" and "=3D".
func unescape(s string) (string, error) {
	name := strings.NewReplacer("=2C", ",", "=3D", "=").Replace(s)
	if s == "" || strings.Count(s, "=") != strings.Count(s, "=2C")+strings.Count(s, "=3D") {
		return "", fmt.Errorf("auth: malformed user name %q", s)
	}
	return name, nil
}

func (e *scramExchange) User() string {
	if e.talk.Valid() && e.known {
		return e.name
	}
	return ""
}

func (e *scramExchange) Step(message []byte) ([]byte, error) {
	answer, err := e.talk.Step(string(message))
	switch {
	case err != nil && e.name != "" && !e.known, err == nil && e.talk.Done() && !e.known:
		return nil, fmt.Errorf("%w %q", ErrUnknownUser, e.name)
	case err != nil:
		return nil, fmt.Errorf("auth: SCRAM of user %q: %w", e.name, err)
	case e.talk.AuthzID() != "" && e.talk.AuthzID() != e.talk.Username(): // both escaped
		return nil, fmt.Errorf("auth: user %q asks to act as %q", e.name, e.talk.AuthzID())
	}
	return []byte(answer), nil
}
