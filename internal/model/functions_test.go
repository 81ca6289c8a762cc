package model

import (
	"fmt"
	"hash/fnv"
	"strings"

	"github.com/thalweg/thalweg/serde"
)

// What the user's functions of a random topology do. The topology and the evaluator call the same ones.

type opt = serde.Opt[string]

// text is v as part of another value.
func text(v opt) string { return v.Or("-") }

// oneWord is text in a list of words: a value may be made of such a list itself.
func oneWord(v opt) string { return strings.ReplaceAll(text(v), " ", "_") }

func sum32(s string) uint32 {
	h := fnv.New32a()
	h.Write([]byte(s))
	return h.Sum32()
}

// pick is one of n numbers, by the salt and the text.
func pick(n, salt int, s string) int { return int(sum32(fmt.Sprint(salt, s)) % uint32(n)) }

// clip keeps values short, so that aggregates of aggregates stay readable.
func clip(s string) string {
	if len(s) <= 28 {
		return s
	}
	return fmt.Sprintf("%s~%08x", s[:12], sum32(s))
}

// letter is one of the few keys there are.
func letter(n int) string { return string(rune('a' + n)) }

const letters = 4

func keep(salt int, k string, v opt) bool { return pick(3, salt, k+"|"+text(v)) != 0 }

// marked maps a value: nulls stay or become values, values stay or become null.
func marked(salt int, v opt) opt {
	if !v.OK && salt%3 == 0 {
		return serde.Some("new")
	}
	if !v.OK {
		return v
	}
	if salt%4 == 1 && pick(4, salt, v.Value) == 0 {
		return opt{}
	}
	return serde.Some(clip(fmt.Sprint(v.Value, "m", salt%10)))
}

func rekeyed(salt int, k string, v opt) string { return letter(pick(letters, salt, k+text(v))) }

// several are the records that a flat map makes of one.
func several(salt int, k string, v opt) (out []pair) {
	for i := range pick(3, salt, k+text(v)) {
		out = append(out, pair{rekeyed(salt+i, k, v), marked(salt+i, v)})
	}
	return out
}

type pair struct {
	k string
	v opt
}

func joined(l, r opt) string { return clip("(" + text(l) + "," + text(r) + ")") }

func added(a string, v opt) string   { return clip(a + "+" + text(v)) }
func removed(a string, v opt) string { return clip(a + "/" + text(v)) }
func merged(a, b string) string      { return clip("[" + a + "*" + b + "]") }

// folded is an aggregate that some records delete.
func folded(salt int, v, a opt) opt {
	if pick(4, salt, text(v)) == 0 {
		return opt{}
	}
	return serde.Some(added(a.Or("0"), v))
}

// refers is the foreign key in a row; some have none.
func refers(salt int, v string) (string, bool) {
	n := pick(letters+1, salt, v)
	return letter(n % letters), n < letters
}

func weight(v opt) int64 { return int64(len(text(v))) }

func change(old, new opt) opt { return serde.Some(clip("<" + text(old) + ">" + text(new))) }
