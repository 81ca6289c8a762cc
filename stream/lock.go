package stream

import (
	"errors"
	"fmt"

	"github.com/thalweg/thalweg/topology"
)

// keeps holds the topology against a lock file, if there is one: an error names all the state it would leave behind.
func keeps(file []byte, t *topology.Topology) error {
	if file == nil {
		return nil
	}
	lock, err := topology.ParseLock(file)
	if err != nil {
		return fmt.Errorf("stream: Config.Lock: %w", err)
	}
	var errs []error
	for _, d := range lock.Diff(t.Lock()) {
		if d.Orphans {
			errs = append(errs, fmt.Errorf("stream: Config.Lock: %v", d))
		}
	}
	if errs != nil {
		errs = append(errs, errors.New("stream: give changed things new names, or take the change and write the lock file anew"))
	}
	return errors.Join(errs...)
}
