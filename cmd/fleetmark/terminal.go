package main

import (
	"io"
	"os"

	"golang.org/x/term"

	"github.com/fleetmark/fleetmark/results"
)

// isTerminal reports whether a person looks at w.
func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// tableOptions suit w: colour on a terminal unless NO_COLOR says otherwise
// (https://no-color.org), and its width.
func tableOptions(w io.Writer) results.TableOptions {
	f, ok := w.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		return results.TableOptions{}
	}
	o := results.TableOptions{Color: os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"}
	if width, _, err := term.GetSize(int(f.Fd())); err == nil {
		o.Width = width
	}
	return o
}
