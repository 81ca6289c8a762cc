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

// Check fails if what the database holds of a store that need not be open is not of one piece.
func (db *DB) Check(name string, partition int32) error {
	p, err := db.PositionOf(name, partition)
	if err != nil {
		return err
	}
	return db.e.check(max(p.Offset, 0))
}
