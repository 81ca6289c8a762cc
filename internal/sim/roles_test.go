package sim

// roles are the programs that this test binary can play.
var roles = map[string]func(args []string) error{}
