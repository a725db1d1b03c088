package main

import (
	"fmt"
	"io"
	"time"

	"github.com/fleetmark/fleetmark/scenarios/versus"
)

// gateView says on standard error how far the gate has come: a line that is written over on a
// terminal, a line every few seconds elsewhere.
type gateView struct {
	out      io.Writer
	terminal bool
	quiet    bool
	prefix   string
	spoken   time.Duration // elapsed when the last line was written
	open     bool          // a line that will be written over stands there
}

const gateLineEvery = 5 * time.Second

func newGateView(c console, quiet bool) *gateView {
	return &gateView{out: c.err, terminal: isTerminal(c.err), quiet: quiet}
}

func (v *gateView) say(text string) {
	if v.quiet {
		return
	}
	v.end()
	_, _ = fmt.Fprintf(v.out, "%s%s\n", v.prefix, text) // nobody may look
}

func (v *gateView) progress(p versus.Progress) {
	text := fmt.Sprintf("%d pairs, %.0f s of %.0f s at most", p.Pairs, p.Elapsed.Seconds(), p.Budget.Seconds())
	if p.Dropped > 0 {
		text += fmt.Sprintf(", %d dropped", p.Dropped)
	}
	v.update(text, p.Elapsed)
}

// update shows how far a comparison has come that began so long ago. On a terminal the line replaces
// the last one; elsewhere there is one every few seconds.
func (v *gateView) update(text string, elapsed time.Duration) {
	if v.quiet {
		return
	}
	text = v.prefix + text
	if v.terminal {
		_, _ = fmt.Fprintf(v.out, "\r\x1b[K%s", text)
		v.open = true
		return
	}
	if elapsed < v.spoken {
		v.spoken = 0 // the next comparison
	}
	if elapsed-v.spoken >= gateLineEvery {
		_, _ = fmt.Fprintln(v.out, text)
		v.spoken = elapsed
	}
}

// end leaves the line.
func (v *gateView) end() {
	if v.open {
		_, _ = fmt.Fprintln(v.out)
		v.open = false
	}
}
