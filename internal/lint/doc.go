// Package lint holds the laws of this project as tests: which way imports run, who may import what, how long files and
// functions are, that what is exported is documented and that every operator has an example. It ships nothing.
//
// Each law is one file. A law that has exceptions lists them with a reason, and fails when an exception is no longer
// needed.
package lint
