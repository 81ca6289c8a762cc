package wire

import (
	"fmt"
	"slices"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/thalweg/thalweg/internal/engine/auth"
	"github.com/thalweg/thalweg/internal/engine/code"
)

// SASLHandshake: v0-1
//
// Behavior:
//   - Agrees on the mechanism of the login. One that is not offered is answered with those that are, and the connection ends.
//   - Where no login is asked for, or one is under way or over, it is ILLEGAL_SASL_STATE.
//
// Version notes:
//   - v0: the tokens follow as bare frames
//   - v1: the tokens follow in SASLAuthenticate
const saslHandshakeShape = "s"

func saslHandshake(r *request) kmsg.Response {
	req := r.body.(*kmsg.SASLHandshakeRequest)
	resp := req.ResponseKind().(*kmsg.SASLHandshakeResponse)
	l := &r.conn.login
	switch {
	case !l.needed:
		resp.ErrorCode = int16(code.IllegalSASLState)
		return resp
	case l.exchange != nil:
		resp.ErrorCode = int16(code.IllegalSASLState)
		r.final = fmt.Errorf("wire: client %q asks for another mechanism in a login by %s", r.client, l.name)
		return resp
	}
	resp.SupportedMechanisms = r.conn.mechanisms()
	if !slices.Contains(resp.SupportedMechanisms, req.Mechanism) {
		resp.ErrorCode = int16(code.UnsupportedSASLMechanism)
		r.final = fmt.Errorf("wire: client %q asks for mechanism %q", r.client, req.Mechanism)
		return resp
	}
	l.name, l.exchange, l.raw = req.Mechanism, auth.NewExchange(req.Mechanism, r.meta), req.Version == 0
	return resp
}
