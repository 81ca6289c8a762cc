package kafka

import (
	"encoding/json"
	"slices"
	"unicode/utf8"
)

// Standing is how far a member's copy of a unit's state is behind the logs that it is kept in.
type Standing struct {
	Lag  int64 `json:"lag"`  // offsets still to be read; 0 of a unit that is at work
	Size int64 `json:"size"` // offsets that a member without any state would have to read
}

// Copies says how many copies of state there are to be beside those at work. The group's leader goes by its own.
type Copies struct {
	Standbys      int   // of each unit with state
	AcceptableLag int64 // at which a copy is as good as the state at work
	WarmUps       int   // copies at once, of all units, made only to move a unit
}

// Copy is a copy of a unit's state that a member is to hold.
type Copy struct {
	Unit   string `json:"unit"`
	WarmUp bool   `json:"warmUp,omitempty"` // made to move the unit here
}

// told is what a member says of itself when it joins, its user data: a version, and JSON. Before there were copies it was the
// address alone, which begins with no control character.
type told struct {
	Addr      string              `json:"addr,omitempty"`
	Standings map[string]Standing `json:"standings,omitempty"` // by unit: those it has state of
}

// given is what a member is given beside partitions, the user data of its assignment, in the same form.
type given struct {
	Copies []Copy `json:"copies,omitempty"`
	// More says that partitions of the member's are still with others, who give them back for the next rebalance.
	More bool `json:"more,omitempty"`
}

// userDataVersion begins user data: JSON follows, of which fields that are not known are passed over.
const userDataVersion = 1

func userData(v any) []byte {
	text, _ := json.Marshal(v) // never fails: strings and numbers
	return append([]byte{userDataVersion}, text...)
}

// parseTold reads what a member says of itself. What a later version has written stands for nothing.
func parseTold(data []byte) (t told) {
	switch {
	case len(data) > 0 && data[0] == userDataVersion:
		if json.Unmarshal(data[1:], &t) != nil {
			return told{}
		}
	case utf8.Valid(data) && !slices.ContainsFunc(data, func(b byte) bool { return b < ' ' }):
		t.Addr = string(data)
	}
	return t
}

// parseGiven reads what a member is given beside partitions. What another version has written stands for nothing.
func parseGiven(data []byte) (g given) {
	if len(data) == 0 || data[0] != userDataVersion || json.Unmarshal(data[1:], &g) != nil {
		return given{}
	}
	return g
}
