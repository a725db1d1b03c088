package progress

import (
	"fmt"
	"io"
	"time"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"

	"github.com/fleetmark/fleetmark/cmd/fleetmark/app/cli"
)

// statusInterval is how often the status of a fleet is shown.
const statusInterval = time.Second

// A statusLine shows one text on a terminal, drawn anew as it changes.
type statusLine struct {
	pool *mpb.Progress
	line *mpb.Bar // nil if the screen is gone
	text chan string
	last string // what is shown; only the goroutine that draws uses it
}

// newStatusLine returns a status line on w. The options come after its own, for a w that is no terminal.
func newStatusLine(w io.Writer, options ...mpb.ContainerOption) *statusLine {
	own := []mpb.ContainerOption{mpb.WithOutput(w), mpb.WithRefreshRate(statusInterval / 4)}
	l := &statusLine{pool: mpb.New(append(own, options...)...), text: make(chan string, 1)}
	// Add fails only if the screen is gone; the command goes on.
	l.line, _ = l.pool.Add(0, mpb.NopStyle().Build(), mpb.PrependDecorators(decor.Any(func(decor.Statistics) string {
		select {
		case l.last = <-l.text:
		default:
		}
		return l.last
	})))
	return l
}

func (l *statusLine) show(text string, _ bool) {
	select { // a text that wasn't drawn yet is out of date
	case <-l.text:
	default:
	}
	l.text <- text
}

// close leaves the line on the screen as it is.
func (l *statusLine) close() {
	if l.line != nil {
		l.line.Abort(false)
	}
	l.pool.Wait()
}

// Steps shows which of several steps a command is at: on a terminal in a line that changes, otherwise
// in a line per step.
type Steps struct {
	name  string
	w     io.Writer
	line  *statusLine // nil if w isn't a terminal
	quiet bool
}

// NewSteps returns a view on w of the steps of the command with this name. If quiet, it shows nothing.
func NewSteps(w io.Writer, name string, quiet bool) *Steps {
	s := &Steps{name: name, w: w, quiet: quiet}
	if !quiet && cli.CanRedraw(w) {
		s.line = newStatusLine(w)
	}
	return s
}

// Show says that step n of the given number has begun.
func (s *Steps) Show(doing string, n, of int) {
	text := fmt.Sprintf("%s %d/%d: %s", s.name, n, of, doing)
	switch {
	case s.quiet:
	case s.line != nil:
		s.line.show(text, true)
	default:
		_, _ = fmt.Fprintln(s.w, text) // the command goes on without its log
	}
}

// Close leaves the last step on the screen.
func (s *Steps) Close() {
	if s.line != nil {
		s.line.close()
	}
}
