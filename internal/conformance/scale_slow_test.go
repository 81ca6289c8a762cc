//go:build slow

package conformance_test

// defaultCases is how many cases go through the full path without the flag.
const defaultCases = 25
