package progress

import (
	"fmt"
	"io"
	"time"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"

	"github.com/fleetmark/fleetmark/cmd/fleetmark/app/cli"
)

// statusInterval is the time between two texts about the status of a fleet.
const statusInterval = time.Second

// A statusLine shows a text on a terminal, and redraws it when it changes.
type statusLine struct {
	pool *mpb.Progress
	line *mpb.Bar // nil if the screen is gone
	text chan string
	last string // the text on the screen; only the drawing goroutine uses it
}

// newStatusLine returns a status line on w. Tests, whose w isn't a terminal, add options.
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
	select { // discard a text that wasn't drawn yet
	case <-l.text:
	default:
	}
	l.text <- text
}

// close leaves the line on the screen.
func (l *statusLine) close() {
	if l.line != nil {
		l.line.Abort(false)
	}
	l.pool.Wait()
}

// Steps shows which of several steps a command is at: on a terminal in a line that changes,
// otherwise in a line for each step.
type Steps struct {
	name  string
	w     io.Writer
	line  *statusLine // nil if w isn't a terminal
	quiet bool
}

// NewSteps returns a Steps on w for the named command. If quiet is set, it shows nothing.
func NewSteps(w io.Writer, name string, quiet bool) *Steps {
	s := &Steps{name: name, w: w, quiet: quiet}
	if !quiet && cli.CanRedraw(w) {
		s.line = newStatusLine(w)
	}
	return s
}

// Show shows that step n of the given number has begun. doing says what it does.
func (s *Steps) Show(doing string, n, of int) {
	text := fmt.Sprintf("%s %d/%d: %s", s.name, n, of, doing)
	switch {
	case s.quiet:
	case s.line != nil:
		s.line.show(text, true)
	default:
		_, _ = fmt.Fprintln(s.w, text) // the command doesn't depend on its log
	}
}

// Close leaves the last step on the screen.
func (s *Steps) Close() {
	if s.line != nil {
		s.line.close()
	}
}
