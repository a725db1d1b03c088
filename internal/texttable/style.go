package texttable

import (
	"io"
)

// A Style says how tables look on a terminal.
type Style struct {
	Color bool // use colors
	Width int  // of the terminal, in columns; 0 means no limit
}

// A Role is the meaning of a word, which decides its color. The zero value has no color.
type Role int

// The roles.
const (
	Plain    Role = iota
	Good          // green
	Doubtful      // yellow
	Bad           // red
	Faint         // dimmed
)

// Paint returns text in the color of a role, or unchanged if the style has no colors.
func (s Style) Paint(role Role, text string) string {
	code := map[Role]string{Good: "32", Doubtful: "33", Bad: "31", Faint: "2"}[role]
	if !s.Color || code == "" {
		return text
	}
	return "\x1b[" + code + "m" + text + "\x1b[0m"
}

// Write writes a table for a terminal, and below it a line that says what the terminal has no room
// for, if anything.
func (s Style) Write(w io.Writer, t Table) error {
	l, err := t.FitText(w, s.Width)
	if note := l.Note(); note != "" && err == nil {
		_, err = io.WriteString(w, note+"\n")
	}
	return err
}
