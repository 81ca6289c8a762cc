// Command pack makes the archives of internal/conformance/testdata from a folder of recordings.
//
//	go run ./internal/conformance/pack ../golden
package main

import (
	"flag"
	"fmt"
	"os"

	"github.com/thalweg/thalweg/internal/conformance"
)

func main() {
	dir := flag.String("to", "internal/conformance/testdata", "where the archives go")
	flag.Parse()
	if flag.NArg() != 1 {
		fmt.Fprintln(os.Stderr, "usage: pack [-to dir] folder")
		os.Exit(2)
	}
	if err := conformance.Pack(flag.Arg(0), *dir); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
