package texttable

import (
	"io"
)

// A Style says how tables look on a terminal.
type Style struct {
	Color bool // cells are colored; the caller has looked at NO_COLOR and at the terminal
	Width int  // of the terminal, in columns; 0 means no limit
}

// A Role is what a colored word tells the reader. The zero value has no color.
type Role int

const (
	Plain    Role = iota
	Good          // green
	Doubtful      // yellow
	Bad           // red
	Faint         // dimmed
)

// Paint returns s in the color of a role, or s itself if the style has no colors.
func (s Style) Paint(role Role, text string) string {
	code := map[Role]string{Good: "32", Doubtful: "33", Bad: "31", Faint: "2"}[role]
	if !s.Color || code == "" {
		return text
	}
	return "\x1b[" + code + "m" + text + "\x1b[0m"
}

// Write writes a table for a terminal, and below it a line that says what the terminal has no room for.
func (s Style) Write(w io.Writer, t Table) error {
	l, err := t.FitText(w, s.Width)
	if note := l.Note(); note != "" && err == nil {
		_, err = io.WriteString(w, note+"\n")
	}
	return err
}
