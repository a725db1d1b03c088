package abtest

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"time"

	"github.com/fleetmark/fleetmark/internal/atomicfile"
	"github.com/fleetmark/fleetmark/internal/scratch"
	"github.com/fleetmark/fleetmark/results"
)

// DefaultScenario is the scenario that is measured unless others are named.
const DefaultScenario = "gate"

// CompareOptions say how the working tree is compared with a revision.
type CompareOptions struct {
	Options        // options of the measurement; CompareWith sets Builds
	Ref     string // the revision, as git names it
	Out     string // the directory for profiles and for the stacks of a driver that failed
	Explain bool   // look for the cause of a regression

	// Client says how the client of another module is built; nil: compare the delivery package.
	Client *OwnClient
	Log    func(string) // called with a line about each step as it begins
}

// A Comparison is the outcome of comparing two sides, with its causes.
type Comparison struct {
	*Outcome
	Builds      *Builds
	Scenarios   []string
	Causes      []Cause // causes of a regression
	Unexplained error   // why some or all causes could not be found, or nil
	Stacks      string  // the file with the goroutines of a driver that failed, or ""
}

// CompareWith builds a driver of a revision and one of the working tree, measures them by turns,
// judges the two sides, and looks for the cause of a regression. If ctx ends before the verdict is
// known, it returns the context's error; if ctx ends while it looks for a cause, the verdict
// stands.
func CompareWith(ctx context.Context, o CompareOptions) (_ *Comparison, err error) {
	work, err := scratch.New("", "fleetmark-gate")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, work.Close()) }()
	build := buildDrivers
	what := "the delivery package"
	if o.Client != nil {
		build, what = o.Client.buildDrivers, "the client"
	}
	o.Log("building " + what + " of " + o.Ref + ", and today's")
	builds, err := build(ctx, o.Ref, work.Path)
	if err != nil {
		return nil, err
	}
	o.Builds = *builds
	out, err := Run(ctx, o.Options)
	if err != nil {
		return nil, err
	}
	c := &Comparison{Outcome: out, Builds: builds}
	for _, s := range o.Specs {
		c.Scenarios = append(c.Scenarios, s.Name)
	}
	if out.Failed != nil {
		return c, c.keepStacks(o.Out)
	}
	if o.Explain && out.Judgement.Verdict == results.Regressed {
		c.Causes, c.Unexplained = ExplainRegression(ctx, o.Options, out.Judgement, o.Out, o.Log)
	}
	return c, nil
}

// keepStacks writes the goroutines of a driver that failed to a file in a new directory below dir,
// and names the file in the reason.
func (c *Comparison) keepStacks(dir string) error {
	if c.Failed.Stacks == "" {
		return nil
	}
	dir = filepath.Join(dir, time.Now().UTC().Format("20060102T150405Z")+"-gate")
	c.Stacks = filepath.Join(dir, "goroutines-"+c.Failed.Side+".txt")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	if err := atomicfile.Write(c.Stacks, []byte(c.Failed.Stacks+"\n")); err != nil {
		return err
	}
	c.Judgement.Reasons[0].Name = c.Stacks // the first reason says which side failed
	return nil
}
