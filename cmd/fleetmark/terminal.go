package main

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"syscall"

	"golang.org/x/term"

	"github.com/fleetmark/fleetmark/results"
)

// isTerminal reports whether a person looks at w.
func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// isDumb reports whether the terminal takes plain text only: no colour, and no
// line that is written twice.
func isDumb() bool { return os.Getenv("TERM") == "dumb" }

// tableOptions suit w: colour on a terminal unless NO_COLOR says otherwise
// (https://no-color.org), and its width.
func tableOptions(w io.Writer) results.TableOptions {
	f, ok := w.(*os.File)
	if !ok || !isTerminal(f) {
		return results.TableOptions{}
	}
	o := results.TableOptions{Color: os.Getenv("NO_COLOR") == "" && !isDumb()}
	if width, _, err := term.GetSize(int(f.Fd())); err == nil {
		o.Width = width
	}
	return o
}

// readerGone reports whether err is that nobody reads standard output any more, as
// after `fleetmark run | head -1`. Who went away wants to hear nothing of it.
func readerGone(err error) bool {
	e, ok := errors.AsType[*fs.PathError](err)
	return ok && e.Path == os.Stdout.Name() && errors.Is(e.Err, syscall.EPIPE)
}
