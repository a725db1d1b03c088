package progress

import (
	"fmt"
	"io"
	"time"

	"github.com/fleetmark/fleetmark/cmd/fleetmark/app/cli"
	"github.com/fleetmark/fleetmark/scenarios/versus"
)

// A Line shows how far a comparison has come: on a terminal in a line that is written over, otherwise
// in a line every few seconds.
type Line struct {
	Prefix string // of every line

	w         io.Writer
	terminal  bool
	quiet     bool
	printedAt time.Duration // elapsed when the last line of a log was written
	open      bool          // the cursor is at the end of a line that will be written over
}

// NewLine returns a line on w. If quiet, it shows nothing.
func NewLine(w io.Writer, quiet bool) *Line {
	return &Line{w: w, terminal: cli.IsTerminal(w), quiet: quiet}
}

// Println writes a line that stays.
func (l *Line) Println(text string) {
	if l.quiet {
		return
	}
	l.Close()
	_, _ = fmt.Fprintf(l.w, "%s%s\n", l.Prefix, text) // the comparison goes on without its log
}

// Progress shows how far the two sides of a comparison have come.
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

// Update shows text about a comparison that began the given time ago. On a terminal the line replaces
// the last one.
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
		l.printedAt = 0 // the next comparison
	}
	if elapsed-l.printedAt >= LineInterval {
		_, _ = fmt.Fprintln(l.w, text)
		l.printedAt = elapsed
	}
}

// Close leaves the line on the screen as it is. Another line may follow.
func (l *Line) Close() {
	if l.open {
		_, _ = fmt.Fprintln(l.w)
		l.open = false
	}
}
