package progress

import (
	"fmt"
	"io"
	"time"

	"github.com/fleetmark/fleetmark/cmd/fleetmark/app/cli"
	"github.com/fleetmark/fleetmark/scenarios/versus"
)

// A Line shows the progress of a comparison: on a terminal in a line that is overwritten, otherwise
// in a line every few seconds.
type Line struct {
	Prefix string // begins every line

	w         io.Writer
	terminal  bool
	quiet     bool
	printedAt time.Duration // elapsed when the last line of a log was written
	open      bool          // the cursor is at the end of a line that will be overwritten
}

// NewLine returns a Line on w. If quiet is set, it shows nothing.
func NewLine(w io.Writer, quiet bool) *Line {
	return &Line{w: w, terminal: cli.IsTerminal(w), quiet: quiet}
}

// Println writes a line that isn't overwritten.
func (l *Line) Println(text string) {
	if l.quiet {
		return
	}
	l.Close()
	_, _ = fmt.Fprintf(l.w, "%s%s\n", l.Prefix, text) // the comparison doesn't depend on its log
}

// Progress shows the progress of a comparison of two builds.
func (l *Line) Progress(p versus.Progress) {
	what := fmt.Sprintf("%d pairs", p.Pairs)
	if p.Layouts > 0 {
		what = fmt.Sprintf("layout %d of the code", p.Layouts)
	}
	text := fmt.Sprintf("%s, %.0f s of %.0f s at most", what, p.Elapsed.Seconds(), p.Budget.Seconds())
	if p.Dropped > 0 {
		text += fmt.Sprintf(", %d dropped", p.Dropped)
	}
	l.Update(text, p.Elapsed)
}

// Update shows text about a comparison that has run for the elapsed time. On a terminal it replaces
// the last text.
func (l *Line) Update(text string, elapsed time.Duration) {
	if l.quiet {
		return
	}
	text = l.Prefix + text
	if l.terminal {
		_, _ = fmt.Fprintf(l.w, "\r\x1b[K%s", text)
		l.open = true
		return
	}
	if elapsed < l.printedAt {
		l.printedAt = 0 // another comparison has begun
	}
	if elapsed-l.printedAt >= LineInterval {
		_, _ = fmt.Fprintln(l.w, text)
		l.printedAt = elapsed
	}
}

// Close leaves the line on the screen. More lines may follow.
func (l *Line) Close() {
	if l.open {
		_, _ = fmt.Fprintln(l.w)
		l.open = false
	}
}
