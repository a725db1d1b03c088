// Package cli holds what the commands of fleetmark have in common: the streams they read and write,
// what kind of terminal those are, checks of flags, the files that flags such as --html name with the
// reports that go there, the scenarios that several of them run, and errors with an exit code.
// [CodeOf] is the only place where a verdict becomes an exit code. The package knows nothing of what a
// single command does.
package cli

import (
	"encoding/json"
	"errors"
	"io"
	"os"
	"strconv"
	"syscall"

	"golang.org/x/term"

	"github.com/fleetmark/fleetmark/internal/shell"
	"github.com/fleetmark/fleetmark/internal/texttable"
)

// Console is what a command was called with, and where it reads and writes.
type Console struct {
	Args     []string // the command line, without the name of the program
	In       io.Reader
	Out, Err io.Writer
}

// CommandLine returns the command line as a user may type it again.
func (c Console) CommandLine() string { return shell.Join(append([]string{"fleetmark"}, c.Args...)...) }

// PrintJSON writes v to standard output as indented JSON.
func (c Console) PrintJSON(v any) error {
	enc := json.NewEncoder(c.Out)
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}

// UntilClosed writes to a file until its reader goes away, as in `fleetmark run | head -1`. It
// drops what is written later, without an error: the command's outcome doesn't depend on a reader
// that has gone. The file isn't embedded, since its other methods that write would be promoted, and
// fail.
type UntilClosed struct{ File *os.File }

// Write writes p, or drops it.
func (w UntilClosed) Write(p []byte) (int, error) {
	n, err := w.File.Write(p)
	if errors.Is(err, syscall.EPIPE) {
		return len(p), nil
	}
	return n, err
}

// FleetCommand returns the command that starts the running program as a fleet which takes its
// orders on standard input: the program, and its arguments.
func FleetCommand() ([]string, error) {
	program, err := os.Executable()
	if err != nil {
		return nil, err
	}
	return []string{program, "fleet", "--driven"}, nil
}

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
