package table

import (
	"github.com/thalweg/thalweg/internal/edge"
	"github.com/thalweg/thalweg/state"
)

// Query reads the rows from outside, through a running app, a test driver or a remote client. Of a table without a
// store it asks the stores below; of a source table that nothing reads, the answer is state.ErrNoStore.
func (t Table[K, V]) Query[_ edge.Called](c state.Client) state.Rows[K, V] { return rowsOf(t.view, c) }

func rowsOf[K, V any](v *edge.View[K, V], c any) state.Rows[K, V] {
	if v.Rows != nil {
		return v.Rows(c).(state.Rows[K, V])
	}
	ks, vs := v.Serdes()
	client, _ := c.(state.Client)
	return state.RowsOf(client, v.Store(), ks, vs)
}
