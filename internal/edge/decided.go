package edge

import "errors"

// decided is an error that needs no policy any more: it has been asked, or the error is not of a record at all.
type decided struct{ error }

func (d decided) Unwrap() error { return d.error }

// Decide marks what comes back from the nodes below: a failure that they have answered, or one of the machine. A
// processor may return it, and it must not be taken for a failure of the processor's own.
func Decide(err error) error {
	if err == nil || Decided(err) {
		return err
	}
	return decided{err}
}

// Decided reports whether err is so marked.
func Decided(err error) bool { return errors.As(err, new(decided)) }
