//go:build slow

package sim

// What the runs are without flags.
const (
	defaultKills       = 24
	defaultMemberKills = 8
	defaultKeys        = 300_000
)
