//go:build slow

package sim

import "time"

// What the runs are without flags.
const (
	defaultKills       = 24
	defaultMemberKills = 8
	defaultServerKills = 4
	defaultKeys        = 300_000
	defaultHistory     = time.Minute
	defaultPattern     = 40 * time.Second
)
