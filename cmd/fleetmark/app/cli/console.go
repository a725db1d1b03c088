// Package cli holds what the commands of fleetmark share: the streams that they read and write, the
// properties of terminals, checks of flags, the reports that go to the files which flags such as
// --html name, runs of scenarios, and errors with an exit code. [CodeOf] is the only place where a
// verdict becomes an exit code. The package doesn't know what a single command does.
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

// A Console holds the command line and the standard streams of a command.
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

// UntilClosed writes to a file until its reader closes it, as in `fleetmark run | head -1`. It
// drops later writes without an error, since the outcome of a command doesn't depend on who reads
// its output. The file isn't embedded: other methods that write would be promoted, and fail.
type UntilClosed struct{ File *os.File }

// Write writes p, or drops it if the file has no reader.
func (w UntilClosed) Write(p []byte) (int, error) {
	n, err := w.File.Write(p)
	if errors.Is(err, syscall.EPIPE) {
		return len(p), nil
	}
	return n, err
}

// FleetCommand returns the program and arguments that start this program as a fleet, which takes
// its orders on standard input.
func FleetCommand() ([]string, error) {
	program, err := os.Executable()
	if err != nil {
		return nil, err
	}
	return []string{program, "fleet", "--driven"}, nil
}

// fileOf returns the file that w writes to, or nil if w isn't a file.
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

// IsDumb reports whether the terminal understands no control sequences, and therefore has neither
// colors nor lines that can be overwritten.
func IsDumb() bool { return os.Getenv("TERM") == "dumb" }

// CanRedraw reports whether w is a terminal on which lines can be overwritten.
func CanRedraw(w io.Writer) bool { return IsTerminal(w) && !IsDumb() }

// Width returns how wide tables on w may be: the value of COLUMNS, or else the terminal's width. It
// returns 0, which means no limit, if neither is known. As other commands do, it ignores a COLUMNS
// that isn't a positive number.
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
