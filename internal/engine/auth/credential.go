// Package auth says who a client is: SASL PLAIN and SCRAM (RFC 4616, 5802, 7677) against salted credentials, and what
// failed logins cost.
package auth

import (
	"crypto/hmac"
	"crypto/pbkdf2"
	"crypto/sha256"
	"crypto/sha512"
	"hash"
)

// Mechanism is a kind of SCRAM credential, by its number in the protocol (KIP-554).
type Mechanism int8

// The mechanisms.
const (
	ScramSHA256 Mechanism = 1
	ScramSHA512 Mechanism = 2
)

// Names of SASL mechanisms.
const (
	NamePlain       = "PLAIN"
	NameScramSHA256 = "SCRAM-SHA-256"
	NameScramSHA512 = "SCRAM-SHA-512"
)

// Iterations a credential may have; the least is RFC 7677's, the most keeps a login by PLAIN from costing more than
// some milliseconds. Both are Kafka's.
const (
	MinIterations = 4096
	MaxIterations = 16384
)

// Known reports whether m is one of the mechanisms.
func (m Mechanism) Known() bool { return m == ScramSHA256 || m == ScramSHA512 }

// String returns the name of m in SASL.
func (m Mechanism) String() string {
	switch m {
	case ScramSHA256:
		return NameScramSHA256
	case ScramSHA512:
		return NameScramSHA512
	}
	return "unknown"
}

func (m Mechanism) hash() func() hash.Hash {
	if m == ScramSHA512 {
		return sha512.New
	}
	return sha256.New
}

// Size is how many bytes the mechanism's hash has.
func (m Mechanism) Size() int { return m.hash()().Size() }

// Credential is what a server keeps of a password (RFC 5802, section 3): it can check a login and cannot make one.
type Credential struct {
	Salt       []byte `json:"salt"`
	StoredKey  []byte `json:"stored_key"`
	ServerKey  []byte `json:"server_key"`
	Iterations int    `json:"iterations"`
}

// FromSalted returns the credential of a salted password.
func FromSalted(m Mechanism, salted, salt []byte, iterations int) Credential {
	h := m.hash()
	stored := h()
	stored.Write(sum(h, salted, "Client Key"))
	return Credential{Salt: salt, StoredKey: stored.Sum(nil), ServerKey: sum(h, salted, "Server Key"), Iterations: iterations}
}

func sum(h func() hash.Hash, key []byte, text string) []byte {
	mac := hmac.New(h, key)
	mac.Write([]byte(text))
	return mac.Sum(nil)
}

// matches reports whether password is that of c.
func (c *Credential) matches(m Mechanism, password string) bool {
	salted, err := pbkdf2.Key(m.hash(), password, c.Salt, c.Iterations, m.Size())
	return err == nil && hmac.Equal(FromSalted(m, salted, c.Salt, c.Iterations).StoredKey, c.StoredKey)
}

// Decoy returns the credential of a user who has none: no password matches it, and it is the same every time, so that a
// client cannot tell such a user from another. secret must not be known to clients.
func Decoy(secret []byte, user string, m Mechanism, saltSize, iterations int) Credential {
	h := m.hash()
	salt := sum(h, secret, "salt "+user)
	for len(salt) < saltSize {
		salt = append(salt, sum(h, secret, string(salt))...)
	}
	return Credential{Salt: salt[:saltSize], StoredKey: sum(h, secret, "stored "+user), ServerKey: sum(h, secret, "server "+user), Iterations: iterations}
}
