package wire

import (
	"fmt"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/thalweg/thalweg/internal/engine/code"
)

// SASLAuthenticate: v0-2
//
// Behavior:
//   - Carries the tokens of the mechanism that SASLHandshake has agreed on.
//   - A failed login is answered late, the later the more of the host have failed, and with the same words whether there
//     is such a user or not. The connection ends with the answer.
//
// Version notes:
//   - v1: how long the login lasts; 0 is for as long as the connection
const saslAuthenticateShape = "y"

func saslAuthenticate(r *request) kmsg.Response {
	req := r.body.(*kmsg.SASLAuthenticateRequest)
	resp := req.ResponseKind().(*kmsg.SASLAuthenticateResponse)
	l := &r.conn.login
	refuse := func(c code.Code, text string) {
		resp.ErrorCode, resp.ErrorMessage = int16(c), &text
	}
	switch {
	case !l.needed:
		refuse(code.IllegalSASLState, "this connection asks for no login, or has had one")
		return resp
	case l.exchange == nil:
		refuse(code.IllegalSASLState, "SASLHandshake comes first")
		r.final = fmt.Errorf("wire: client %q sends a token before SASLHandshake", r.client)
		return resp
	}
	mechanism := l.name
	answer, ok := r.step(req.SASLAuthBytes)
	if !ok {
		refuse(code.SASLAuthenticationFailed, "authentication failed: invalid credentials for SASL mechanism "+mechanism)
		return resp
	}
	resp.SASLAuthBytes = answer
	return resp
}

// saslToken is SASLAuthenticate as it was before there was one. What fails has no answer but the connection's end.
func saslToken(r *request) kmsg.Response {
	if answer, ok := r.step(r.frame); ok {
		r.token = answer
	}
	return nil
}
