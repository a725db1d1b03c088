package texttable

import (
	"strings"

	"github.com/clipperhouse/displaywidth"
)

// measure returns how text is measured: a color sequence takes no room, and the width of "µ" doesn't
// depend on the locale.
func measure() displaywidth.Options { return displaywidth.Options{ControlSequences: true} }

// Width returns how many columns of a terminal a line of text takes.
func Width(s string) int { return measure().String(s) }

// Shorten returns s if it takes at most width columns. Otherwise it returns as much of s as fits, with an
// ellipsis in place of the end or of the middle. It keeps color sequences.
func Shorten(s string, width int, end bool) string {
	if Width(s) <= width {
		return s
	}
	room := max(0, width-1) // beside the ellipsis
	after := room / 2
	if end {
		after = 0
	}
	var units []string
	for g := measure().StringGraphemes(s); g.Next(); {
		units = append(units, g.Value())
	}
	first, left := len(units), after // units[first:] are kept
	for first > 0 && Width(units[first-1]) <= left {
		first--
		left -= Width(units[first])
	}
	var b strings.Builder
	left = room - after
	cut := false
	for i, u := range units {
		n := Width(u)
		switch {
		case i >= first || n == 0 && strings.HasPrefix(u, "\x1b"):
			b.WriteString(u)
		case !cut && n <= left:
			b.WriteString(u)
			left -= n
		case !cut:
			cut = true
			b.WriteString(ellipsis)
		}
	}
	return b.String()
}
