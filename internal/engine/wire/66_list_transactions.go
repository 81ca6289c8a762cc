package wire

import (
	"regexp"
	"slices"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/thalweg/thalweg/internal/engine/auth"
	"github.com/thalweg/thalweg/internal/engine/code"
	"github.com/thalweg/thalweg/internal/engine/coord"
)

// ListTransactions: v0-2
//
// Behavior:
//   - All transactional ids that the client may describe and the filters let through. States that do not exist are named in the answer.
//
// Version notes:
//   - v1: open for longer than a duration
//   - v2: a pattern (RE2) the id must match
const listTransactionsShape = "[s] [l] l@1 s@2"

func listTransactions(r *request) kmsg.Response {
	req := r.body.(*kmsg.ListTransactionsRequest)
	resp := req.ResponseKind().(*kmsg.ListTransactionsResponse)
	for _, name := range req.StateFilters {
		if _, ok := coord.ParseTxnState(name); !ok {
			resp.UnknownStateFilters = append(resp.UnknownStateFilters, name)
		}
	}
	var pattern *regexp.Regexp
	if r.version >= 2 && req.TransactionalIDPattern != nil {
		var err error
		if pattern, err = regexp.Compile("^(?:" + *req.TransactionalIDPattern + ")$"); err != nil {
			resp.ErrorCode = int16(code.InvalidRegularExpression)
			return resp
		}
	}
	now := r.cfg.Clock.Now()
	for _, d := range r.txns.List() {
		long := r.version < 1 || req.DurationFilterMillis < 0 ||
			!d.Started.IsZero() && now.Sub(d.Started).Milliseconds() > req.DurationFilterMillis
		switch {
		case len(req.StateFilters) > 0 && !slices.Contains(req.StateFilters, d.State.String()),
			len(req.ProducerIDFilters) > 0 && !slices.Contains(req.ProducerIDFilters, d.ProducerID),
			pattern != nil && !pattern.MatchString(d.ID), !long, !r.may(auth.TransactionalID, d.ID):
			continue
		}
		st := kmsg.NewListTransactionsResponseTransactionState()
		st.TransactionalID, st.ProducerID, st.TransactionState = d.ID, d.ProducerID, d.State.String()
		resp.TransactionStates = append(resp.TransactionStates, st)
	}
	return resp
}
