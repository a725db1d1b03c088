package cli

import (
	"io"
	"os"
	"strconv"

	"golang.org/x/term"

	"github.com/fleetmark/fleetmark/internal/texttable"
)

// fileOf returns the file that w writes to, or nil if it isn't one.
func fileOf(w io.Writer) *os.File {
	switch w := w.(type) {
	case *os.File:
		return w
	case UntilClosed:
		return w.File
	}
	return nil
}

// IsTerminal reports whether w is a terminal.
func IsTerminal(w io.Writer) bool {
	f := fileOf(w)
	return f != nil && term.IsTerminal(int(f.Fd()))
}

// IsDumb reports whether the terminal takes plain text only: no color, and no line that is written
// over.
func IsDumb() bool { return os.Getenv("TERM") == "dumb" }

// CanRedraw reports whether w is a terminal on which a line can be written over.
func CanRedraw(w io.Writer) bool { return IsTerminal(w) && !IsDumb() }

// Width returns how wide tables on w may be: what COLUMNS says, or else the terminal's width. It
// returns 0, which is without limit, if neither is known. A COLUMNS that is no number above 0 is
// ignored, as in other commands.
func Width(w io.Writer) int {
	if n, err := strconv.Atoi(os.Getenv("COLUMNS")); err == nil && n > 0 {
		return n
	}
	if !IsTerminal(w) {
		return 0
	}
	width, _, err := term.GetSize(int(fileOf(w).Fd()))
	if err != nil {
		return 0
	}
	return width
}

// TableStyle returns the style of tables that are written to w: the width of the terminal, and
// colors unless NO_COLOR is set (https://no-color.org).
func TableStyle(w io.Writer) texttable.Style {
	return texttable.Style{Color: CanRedraw(w) && os.Getenv("NO_COLOR") == "", Width: Width(w)}
}
