package kafka

import (
	"context"
	"errors"
	"fmt"

	"github.com/twmb/franz-go/pkg/sasl"
	"github.com/twmb/franz-go/pkg/sasl/oauth"
	"github.com/twmb/franz-go/pkg/sasl/plain"
	"github.com/twmb/franz-go/pkg/sasl/scram"
)

// SASL are credentials; the zero value is none.
type SASL struct {
	Mechanism, User, Password string
	Token                     func() (string, error)
}

// String returns the mechanism and user alone.
func (s SASL) String() string { return s.Mechanism + " " + s.User }

// GoString hides the password from %#v as well.
func (s SASL) GoString() string { return "kafka.SASL{" + s.String() + "}" }

// Check returns what is missing for a login, or why there is no such mechanism.
func (s SASL) Check() error {
	switch s.Mechanism {
	case "":
		if s.User != "" || s.Password != "" || s.Token != nil {
			return errors.New("SASL has credentials and no Mechanism")
		}
	case "PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512":
		if s.User == "" || s.Password == "" {
			return fmt.Errorf("SASL %s needs User and Password", s.Mechanism)
		}
	case "OAUTHBEARER":
		if s.Token == nil {
			return errors.New("SASL OAUTHBEARER needs Token")
		}
	default:
		return fmt.Errorf("SASL mechanism %q is none of PLAIN, SCRAM-SHA-256, SCRAM-SHA-512 and OAUTHBEARER", s.Mechanism)
	}
	return nil
}

// mechanism returns what speaks for the credentials, nil for none.
func (s SASL) mechanism() sasl.Mechanism {
	switch s.Mechanism {
	case "PLAIN":
		return plain.Auth{User: s.User, Pass: s.Password}.AsMechanism()
	case "SCRAM-SHA-256":
		return scram.Auth{User: s.User, Pass: s.Password}.AsSha256Mechanism()
	case "SCRAM-SHA-512":
		return scram.Auth{User: s.User, Pass: s.Password}.AsSha512Mechanism()
	case "OAUTHBEARER":
		return oauth.Oauth(func(context.Context) (oauth.Auth, error) {
			t, err := s.Token()
			return oauth.Auth{Token: t}, err
		})
	}
	return nil
}
