package ops

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"net"
	"net/http"
	"time"

	"github.com/thalweg/thalweg/state"
)

// Peer asks apps over HTTP. It may be used by many goroutines.
type Peer struct {
	http   *http.Client
	scheme string
	token  string
}

// Bounds of a peer's patience.
const (
	dialMost = 3 * time.Second
	silence  = 4 * pingEvery // after which the other side counts as dead
)

// NewPeer returns a peer that bears token and, where t is not nil, speaks TLS with it: its RootCAs check the other side,
// its Certificates are shown to it.
func NewPeer(token string, t *tls.Config) *Peer {
	p := &Peer{scheme: "http", token: token}
	transport := &http.Transport{DialContext: (&net.Dialer{Timeout: dialMost}).DialContext, MaxIdleConnsPerHost: 8, IdleConnTimeout: time.Minute}
	if t != nil {
		p.scheme = "https"
		transport.TLSClientConfig = &tls.Config{Certificates: t.Certificates, RootCAs: t.RootCAs, ServerName: t.ServerName, MinVersion: tls.VersionTLS12}
	}
	p.http = &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	return p
}

// Close lets idle connections go.
func (p *Peer) Close() { p.http.CloseIdleConnections() }

// errUnreachable is of an address where nobody answers.
var errUnreachable = errors.New("ops: nobody answers")

// Unreachable reports whether err says that nothing came of a question: another address may be asked.
func Unreachable(err error) bool { return errors.Is(err, errUnreachable) }

// Ask passes on what the app at addr answers, in as many requests as that takes.
func (p *Peer) Ask(ctx context.Context, addr string, q state.Question) iter.Seq2[state.Answer, error] {
	return func(yield func(state.Answer, error) bool) {
		for {
			m, err := p.once(ctx, addr, q, func(a state.Answer) bool { return yield(a, nil) })
			if err != nil {
				yield(state.Answer{}, err)
				return
			}
			if m == nil {
				return
			}
			q.Past, q.PastIn = m.Past, m.Partition
		}
	}
}

// once is one request. What it returns is where to go on.
func (p *Peer) once(ctx context.Context, addr string, q state.Question, yield func(state.Answer) bool) (*more, error) {
	body, err := json.Marshal(q)
	if err != nil {
		return nil, fmt.Errorf("ops: %w", err)
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	alive := time.AfterFunc(silence, func() { cancel(fmt.Errorf("ops: %s has said nothing for %v", addr, silence)) })
	defer alive.Stop()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, p.scheme+"://"+addr+"/query", bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("ops: %w", err)
	}
	req.Header.Set("Content-Type", "application/json")
	if p.token != "" {
		req.Header.Set("Authorization", "Bearer "+p.token)
	}
	resp, err := p.http.Do(req)
	if err != nil {
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		return nil, fmt.Errorf("%w: %w", errUnreachable, err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(io.LimitReader(resp.Body, 1<<10))
		return nil, fmt.Errorf("ops: %s answers %s: %s", addr, resp.Status, bytes.TrimSpace(text))
	}
	for d := json.NewDecoder(resp.Body); ; {
		var l line
		if err := d.Decode(&l); err != nil {
			if ctx.Err() != nil {
				return nil, context.Cause(ctx)
			}
			return nil, fmt.Errorf("%w (the answer of %s broke off: %w)", state.ErrRebalancing, addr, err)
		}
		alive.Reset(silence)
		switch {
		case l.Row != nil:
			if !yield(*l.Row) {
				return nil, nil
			}
		case l.Error != nil:
			return nil, l.Error.err()
		case l.More != nil || l.Done:
			return l.More, nil
		}
	}
}
