package coord

import "testing"

// TestKeysLieWhereJavaPutsThem compares with values of String.hashCode as Java documents it:
// s[0]*31^(n-1) + ... + s[n-1] over UTF-16 units, in 32 bits.
func TestKeysLieWhereJavaPutsThem(t *testing.T) {
	for key, hash := range map[string]int{
		"":                   0,
		"a":                  97,
		"abc":                96354,
		"hello":              99162322,
		"zzzzzz":             685785664,
		"polygenelubricants": 0, // math.MinInt32
		"\U0001F600":         0xD83D*31 + 0xDE00,
	} {
		if got := partitionFor(key, 1<<31-1); got != hash%(1<<31-1) {
			t.Errorf("%q: %d, want %d", key, got, hash)
		}
	}
}
