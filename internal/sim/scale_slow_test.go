//go:build slow

package sim

// What the runs are without flags.
const (
	defaultKills       = 24
	defaultMemberKills = 14
	defaultKeys        = 300_000
)
