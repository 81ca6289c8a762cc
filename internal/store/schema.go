package store

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
)

const partitionsMax = 1 << 16

var (
	keyVersion = []byte{0, 0, 'v'}
	keySchemas = []byte{0, 0, 's'}
	keyStates  = []byte{0, 0, 'p'}
)

// named is a store as the database knows it.
type named struct {
	ID uint16
	Schema
}

// load reads the version and the stores' names.
func (db *DB) load() error {
	v, c, err := db.e.get(keyVersion)
	if err != nil {
		return err
	}
	if v != nil {
		n := uint64(0)
		if len(v) == 8 {
			n = binary.BigEndian.Uint64(v)
		}
		c.Close()
		if n > formatVersion {
			return fmt.Errorf("store: %s has format %d, this program reads up to %d: use the newer program, or remove the directory to rebuild the state from the changelogs", db.dir, n, formatVersion)
		}
	} else if err := db.set(keyVersion, binary.BigEndian.AppendUint64(nil, formatVersion)); err != nil {
		return err
	}
	db.mu.names = map[string]named{}
	db.mu.nextID = 1
	it, err := db.iter(keySchemas)
	if err != nil {
		return err
	}
	for ok := it.First(); ok; ok = it.Next() {
		var n named
		text, err := it.ValueAndErr()
		if err != nil {
			return errors.Join(err, it.Close())
		}
		if err := json.Unmarshal(text, &n); err != nil {
			it.Close()
			return fmt.Errorf("%w: %s: schema of %q: %w", ErrCorrupt, db.dir, it.Key()[len(keySchemas):], err)
		}
		db.mu.names[string(it.Key()[len(keySchemas):])] = n
		db.mu.nextID = max(db.mu.nextID, n.ID+1)
	}
	return it.Close()
}

// register returns the id of the store of that name, which it makes known if it is new, and holds it open.
func (db *DB) register(name string, partition int32, s Schema) (id uint16, err error) {
	if partition < 0 || partition >= partitionsMax {
		return 0, fmt.Errorf("store: %q: partition %d, at most %d are possible", name, partition, partitionsMax)
	}
	db.mu.Lock()
	defer db.mu.Unlock()
	if db.mu.closed {
		return 0, fmt.Errorf("store: %q: the database %s is closed", name, db.dir)
	}
	n, ok := db.mu.names[name]
	if ok && n.Schema != s {
		return 0, fmt.Errorf("store: %q in %s was %s, is %s: give the store a new name, or reset it (its changelog holds the old rows)", name, db.dir, n.Schema, s)
	}
	open := fmt.Sprintf("%s/%d", name, partition)
	if db.mu.open[open] {
		return 0, fmt.Errorf("store: %q partition %d is open already", name, partition)
	}
	if !ok {
		if db.mu.nextID == 1<<16-1 {
			return 0, fmt.Errorf("store: %q: %s has had %d stores, no more are possible", name, db.dir, db.mu.nextID-1)
		}
		n = named{db.mu.nextID, s}
		text, err := json.Marshal(n)
		if err != nil {
			return 0, fmt.Errorf("store: %q: %w", name, err)
		}
		if err := db.set(append(slices.Clone(keySchemas), name...), text); err != nil {
			return 0, err
		}
		db.mu.names[name] = n
		db.mu.nextID++
	}
	db.mu.open[open] = true
	return n.ID, nil
}

// release ends what register began.
func (db *DB) release(name string, partition int32) {
	db.mu.Lock()
	defer db.mu.Unlock()
	delete(db.mu.open, fmt.Sprintf("%s/%d", name, partition))
}

// String names the schema in errors.
func (s Schema) String() string { return fmt.Sprintf("a %s of %s to %s", s.Kind, s.Key, s.Value) }

// Partitions returns the partitions of which db holds rows or a position, by store name.
func (db *DB) Partitions() (map[string][]int32, error) {
	db.mu.Lock()
	names := map[uint16]string{}
	for name, n := range db.mu.names {
		if n.Kind != kindAgenda {
			names[n.ID] = name
		}
	}
	db.mu.Unlock()
	held := map[string][]int32{}
	it, err := db.iter(keyStates)
	if err != nil {
		return nil, err
	}
	for ok := it.First(); ok; ok = it.Next() {
		k := it.Key()[len(keyStates):]
		name, ok := names[binary.BigEndian.Uint16(k)]
		if !ok {
			continue
		}
		held[name] = append(held[name], int32(binary.BigEndian.Uint16(k[2:])))
	}
	return held, it.Close()
}

// DropPartition removes what db holds of one store partition, which must not be open.
func (db *DB) DropPartition(store string, partition int32) error {
	db.mu.Lock()
	n, ok := db.mu.names[store]
	agenda, dated := db.mu.names[agendaOf(store)]
	open := db.mu.open[fmt.Sprintf("%s/%d", store, partition)]
	db.mu.Unlock()
	if open {
		return fmt.Errorf("store: drop %q partition %d: it is open", store, partition)
	}
	if dated {
		if err := db.clear(partitionPrefix(agenda.ID, partition)); err != nil {
			return err
		}
	}
	if !ok {
		return nil
	}
	return db.forget(partitionPrefix(n.ID, partition))
}
