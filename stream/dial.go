package stream

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"net"
	"slices"

	"github.com/thalweg/thalweg/internal/ops"
	"github.com/thalweg/thalweg/state"
)

// Dial returns a client of apps that serve queries at the given addresses, each host:port. Of cfg, Token and TLS count: the
// RootCAs of TLS check the apps, its Certificates are shown to them. Any instance of an app answers for all; the addresses
// are tried in their order, and a question that has begun to be answered is not asked again elsewhere.
//
// A query asks by the name of its store and the types of its rows: an app that has others refuses it.
func Dial(cfg Ops, addrs ...string) (state.Client, error) {
	errs := []error{}
	if len(addrs) == 0 {
		errs = append(errs, errors.New("stream: Dial without an address"))
	}
	for _, at := range addrs {
		if _, _, err := net.SplitHostPort(at); err != nil {
			errs = append(errs, fmt.Errorf("stream: Dial: %w", err))
		}
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return &dialed{ops.NewPeer(cfg.Token, cfg.TLS), slices.Clone(addrs)}, nil
}

// dialed is a client of apps elsewhere.
type dialed struct {
	peer  *ops.Peer
	addrs []string
}

// Ask implements state.Client.
func (d *dialed) Ask(ctx context.Context, q state.Question) iter.Seq2[state.Answer, error] {
	return func(yield func(state.Answer, error) bool) {
		for i, addr := range d.addrs {
			if last := i == len(d.addrs)-1; d.askOne(ctx, addr, q, last, yield) {
				return
			}
		}
	}
}

// askOne reports false if nobody answers at addr, unless it is the last.
func (d *dialed) askOne(ctx context.Context, addr string, q state.Question, last bool, yield func(state.Answer, error) bool) bool {
	begun := false
	for a, err := range d.peer.Ask(ctx, addr, q) {
		if unreachable(err) && !begun && !last {
			return false
		}
		begun = true
		if !yield(a, err) {
			return true
		}
	}
	return true
}

func unreachable(err error) bool { return ops.Unreachable(err) }
