//go:build !slow

package sim

// What the runs are without flags.
const (
	defaultKills       = 6
	defaultMemberKills = 0 // only under the tag slow, or with -kills
	defaultServerKills = 0 // only under the tag slow, or with -kills
	defaultKeys        = 60_000
	defaultHistory     = 0 // only under the tag slow, or with -for
	defaultPattern     = 0 // only under the tag slow, or with -for
)
