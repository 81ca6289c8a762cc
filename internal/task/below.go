package task

import (
	"github.com/thalweg/thalweg/internal/edge"
	"github.com/thalweg/thalweg/internal/store"
	"github.com/thalweg/thalweg/state"
)

// below is where the task's stores find what lies below them.
func (e Env) below() store.Env {
	return store.Env{DB: e.DB, Below: e.Below, Left: e.Left, Partition: e.Partition, Logger: e.Logger, Dir: e.Dir}
}

// FindTier has e.Left know what the tier of a store stands for, where an earlier life has left one. The task must not be open.
func (e Env) FindTier(s *edge.Store) error { return state.FindTier(s.Spec.(state.AnySpec), e.below()) }

// OffsetOf returns the offset of its changelog that a store of the task stands for, which is not open: 0 if nothing is here.
func (e Env) OffsetOf(s *edge.Store) (int64, error) {
	return state.OffsetOf(s.Spec.(state.AnySpec), e.below())
}
