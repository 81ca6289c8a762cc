// Package sim proves the promises of exactly-once on whole systems: real processes of real programs, killed with SIGKILL
// at random moments, and compared with a plain map over the same input.
//
// A run has one of three verdicts. It passes, it fails, or it is void: it has seen too few kills, aborted transactions or
// rebalances to mean anything, and that is a failure too. The seed of every run is printed.
//
// Whether tests see anything is tested too: TestSeededBugsAreSeen puts known bugs into the engine, the stores and the task
// loop, one at a time, and wants their tests to fail. The flag -bugs says how many, -1 for all.
//
// The package is its tests. Those whose names contain Broker work on the brokers of THALWEG_TEST_BROKERS (addresses,
// comma-separated) where that is set, otherwise on a server of their own, which some of them kill as well.
// What clients of a killed server were told is compared by internal/history. TestPowerCutsLoseNothing, of root alone on Linux and
// SKIPPED elsewhere, cuts the power of the server's file system. The flags -kills, -cuts, -keys and -for make runs longer; the build tag slow adds runs of a minute or so, those over topics of a pattern and standbys among them.
package sim
