package wire

// once knows what a request has named so far. What is named again is not answered again where the answer can be a thousand
// times as long as the name.
type once[K comparable] map[K]struct{}

// first reports whether k is named for the first time.
func (o once[K]) first(k K) bool {
	n := len(o)
	o[k] = struct{}{}
	return len(o) > n
}
