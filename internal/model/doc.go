// Package model tests operators by a model of them. Random topologies are run by the production task loop, on random
// input with disorder, ties and nulls, through crashes, aborts, rebalances and lost disks; a naive evaluator, written from
// the rules of Kafka Streams on plain maps and slices, says what has to come out. What differs is made as small as it can
// be and printed as a program.
//
//	go test ./internal/model                       # a slice of seconds, on a new seed, which is printed
//	go test ./internal/model -cases 10000          # by hand
//	go test ./internal/model -seed 42 -cases 1     # that case again
//
// Each task is compared by itself. The driver says in which order a task took its records ([streamtest.Driver.Processed]);
// the evaluator takes the same ones in that order, and every record that the task wrote, to a topic of the app's own or
// to a sink, has to be the evaluator's: key, value, time, headers, and the order within a partition. Together with each
// topic's records being taken exactly once and in their order, that is equality from end to end, and holds however tasks
// were scheduled. A crash is no event of the model: it must not show.
package model
