// Package conformance holds the recordings of Kafka Streams, and its tests replay them: a program that moves here gives
// the same results, record for record.
//
// A recording is what one topology of Kafka Streams 4.3.1 made of one input: for each record put in, the records that
// came out, with topic, key, value, time, headers and order; at the end the rows of its stores, the last record of each
// key of its changelogs, and the number of dropped records. A case is a topology; a Go function of the same name builds
// it here. The first part of a case's name is its family.
//
//	go test ./internal/conformance                           # all that testdata holds: an archive for each family
//	GOLDEN_DIR=../golden go test ./internal/conformance      # a folder of recordings, <case>/<seed>.jsonl
//	go run ./internal/conformance/pack ../golden             # make the archives of such a folder
//
// What differs on purpose stands in the table of deviations of the tests, each with its reason.
package conformance
