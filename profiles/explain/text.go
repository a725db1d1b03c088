package explain

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"path/filepath"
	"strings"

	"github.com/fleetmark/fleetmark/internal/atomicfile"
	"github.com/fleetmark/fleetmark/profiles"
)

// WriteText writes an explanation for people, the largest cause first.
func (e *Explanation) WriteText(w io.Writer) error {
	var t strings.Builder
	together := "repetitions"
	if e.Paired {
		together = "repetitions that took turns"
	}
	fmt.Fprintf(&t, "%s of an operation: %s, was %s: %s; %d and %d %s, %d and %d operations\n",
		profiles.Printable(e.Sample), e.amount(e.Total.Now), e.amount(e.Total.Base), e.Changed(e.Total),
		e.Base, e.Now, together, e.Operations[0], e.Operations[1])
	for _, note := range e.Notes {
		fmt.Fprintf(&t, "note: %s\n", profiles.Printable(note))
	}
	switch {
	case len(e.Causes) > 0:
	case len(e.Functions) > 0:
		t.WriteString("no one function of yours accounts for it: " +
			"see those below, whose cost changed wherever they were called\n")
	default:
		fmt.Fprintf(&t, "nothing to explain: no function's cost changed by more than chance would have it "+
			"(%d tests together, chance of naming any %s)\n",
			e.Tests, percent(e.Alpha))
	}
	for i, c := range e.Causes {
		fmt.Fprintf(&t, "%d. %s: %s, %s of the whole, p %.3g\n",
			i+1, profiles.Printable(c.Function), e.Changed(c.Change), c.ShareText(), c.P)
		e.contributions(&t, "at", c.Lines)
		e.contributions(&t, "in", c.Callees)
		e.contributions(&t, "for", c.Callers)
	}
	if e.Omitted > 0 {
		fmt.Fprintf(&t, "and %d more significant causes\n", e.Omitted)
	}
	if len(e.Causes) > 0 {
		fmt.Fprintf(&t, "%s of the difference is in no function with a significant change\n", e.signed(e.Unexplained))
	}
	for i, f := range e.Functions {
		if i == 0 {
			t.WriteString("functions whose cost changed significantly, by themselves (flat) or with all they call (cum):\n")
		}
		if i == maxFunctions {
			fmt.Fprintf(&t, "  and %d more (JSON has all)\n", len(e.Functions)-i)
			break
		}
		how := "flat"
		if f.Cumulative {
			how = "cum"
		}
		fmt.Fprintf(&t, "  %-4s %s: %s\n", how, profiles.Printable(f.Name), e.Changed(f.Change))
	}
	_, err := io.WriteString(w, t.String())
	return err
}

// WriteFiles writes the explanation into a directory as explain.txt and explain.json, and the flame
// graph of the difference, which draw writes, as flame.html. It returns the path of the flame
// graph. If only draw fails, flameErr says why, and err is nil, since the explanation doesn't need
// the graph.
func (e *Explanation) WriteFiles(
	ctx context.Context, dir string, draw func(io.Writer) error,
) (flame string, flameErr, err error) {
	var text, page bytes.Buffer
	if err := e.WriteText(&text); err != nil {
		return "", nil, err
	}
	data, err := json.MarshalIndent(e, "", "  ")
	if err != nil {
		return "", nil, err
	}
	err = errors.Join(
		atomicfile.Write(filepath.Join(dir, "explain.txt"), text.Bytes()),
		atomicfile.Write(filepath.Join(dir, "explain.json"), append(data, '\n')))
	if err != nil {
		return "", nil, err
	}
	if err := draw(&page); err != nil {
		return "", err, ctx.Err() // such as in a container, since pprof's pages need a home directory
	}
	flame = filepath.Join(dir, "flame.html")
	return flame, nil, atomicfile.Write(flame, page.Bytes())
}

// ShareText returns the share of the whole difference, with its interval if there is one.
func (c *Cause) ShareText() string {
	if c.ShareLow == nil { // the whole difference may be zero
		return percent(c.Share)
	}
	return fmt.Sprintf("%s (%s to %s)", percent(c.Share), percent(*c.ShareLow), percent(*c.ShareHigh))
}

// maxFunctions bounds how many functions are listed below the causes.
const maxFunctions = 10

func (e *Explanation) contributions(t *strings.Builder, word string, list []Contribution) {
	for _, p := range list {
		fmt.Fprintf(t, "     %-3s %s: %s\n", word, profiles.Printable(p.Name), e.signed(p.Delta))
	}
}

const maxRelative = 10

// Changed returns a difference as text, with its interval and relative to the base.
func (e *Explanation) Changed(c Change) string {
	text := fmt.Sprintf("%s (%s to %s)", e.signed(c.Delta), e.signed(c.Low), e.signed(c.High))
	if c.Base > 0 && math.Abs(c.Delta) < maxRelative*c.Base { // a percentage of almost nothing says little
		text += fmt.Sprintf(", %+.1f%%", 100*c.Delta/c.Base)
	}
	return text
}

// signed returns a difference with its sign, in the unit that suits its size.
func (e *Explanation) signed(v float64) string {
	if v < 0 {
		return "-" + e.amount(-v)
	}
	return "+" + e.amount(v)
}

// amount returns a value with three digits, in the unit that suits its size.
func (e *Explanation) amount(v float64) string {
	units, step := []string{""}, 1.0
	switch e.Unit {
	case "nanoseconds":
		units, step = []string{"ns", "µs", "ms", "s"}, 1000
	case "bytes":
		units, step = []string{"B", "KiB", "MiB"}, 1024
	}
	for ; len(units) > 1 && math.Abs(v) >= step; units = units[1:] {
		v /= step
	}
	return fmt.Sprintf("%.3g%s", v, units[0])
}

func percent(v float64) string { return fmt.Sprintf("%.0f%%", 100*v) }
