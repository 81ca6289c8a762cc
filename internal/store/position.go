package store

// PositionOf returns what the database stands for of a store that need not be open: zero if it has nothing of it.
func (db *DB) PositionOf(name string, partition int32) (Position, error) {
	db.mu.Lock()
	n, ok := db.mu.names[name]
	db.mu.Unlock()
	if !ok {
		return Position{}, nil
	}
	s, err := db.state(n.ID, partition)
	return s.Position, err
}
