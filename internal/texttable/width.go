package texttable

import (
	"strings"

	"github.com/clipperhouse/displaywidth"
)

// measure returns the options for measuring text: color sequences have no width, and the width of
// "µ" doesn't depend on the locale.
func measure() displaywidth.Options { return displaywidth.Options{ControlSequences: true} }

// Width returns how many columns of a terminal a line of text occupies.
func Width(s string) int { return measure().String(s) }

// shorten returns s if it occupies at most width columns. Otherwise it returns as much of s as
// fits, with an ellipsis in place of the end or of the middle. It keeps color sequences.
func shorten(s string, width int, end bool) string {
	if Width(s) <= width {
		return s
	}
	room := max(0, width-1) // besides the ellipsis
	after := room / 2       // the part of room after the ellipsis
	if end {
		after = 0
	}
	var units []string
	for g := measure().StringGraphemes(s); g.Next(); {
		units = append(units, g.Value())
	}
	tail, free := len(units), after // units[tail:] follow the ellipsis
	for tail > 0 && Width(units[tail-1]) <= free {
		tail--
		free -= Width(units[tail])
	}
	var b strings.Builder
	free = room - after
	cut := false
	for i, u := range units {
		n := Width(u)
		switch {
		case i >= tail || n == 0 && strings.HasPrefix(u, "\x1b"):
			b.WriteString(u)
		case !cut && n <= free:
			b.WriteString(u)
			free -= n
		case !cut:
			cut = true
			b.WriteString(ellipsis)
		}
	}
	return b.String()
}
