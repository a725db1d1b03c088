package abtest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/fleetmark/fleetmark/internal/atomicfile"
	"github.com/fleetmark/fleetmark/internal/scratch"
	"github.com/fleetmark/fleetmark/results"
)

// DefaultScenario is the scenario that is measured unless others are named.
const DefaultScenario = "gate"

// CompareOptions say what is compared, and how.
type CompareOptions struct {
	Options        // options of the measurement; CompareWith sets Builds
	Source  Source // what the two sides are
	Out     string // the directory for profiles and for the stacks of a driver that failed
	Explain bool   // look for the cause of a regression

	Log func(string) // called with a line about each step as it begins
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

// CompareWith prepares the two sides of a source, measures them by turns, judges them, and looks for
// the cause of a regression. If ctx ends before the verdict is known, it returns the context's error;
// if ctx ends while it looks for a cause, the verdict stands.
func CompareWith(ctx context.Context, o CompareOptions) (_ *Comparison, err error) {
	if err := o.checkServices(o.Source); err != nil {
		return nil, err
	}
	work, err := scratch.New("", "fleetmark-gate")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, work.Close()) }()
	o.Log(o.Source.doing())
	builds, err := o.Source.open(ctx, o.FleetCommand[0], work.Path)
	if err != nil {
		return nil, err
	}
	o.Builds = *builds
	if err := o.setClient(builds.Now); err != nil {
		return nil, err
	}
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

// checkServices returns an error for a scenario whose client is a service that would be the same on
// both sides.
func (o *Options) checkServices(source Source) error {
	_, commands := source.(Commands)
	for _, s := range o.Specs {
		v := s.Client.Service
		if v.IsZero() || v.Program() != nil && !commands {
			continue
		}
		why := "runs already"
		if commands {
			why = "is no part of either command"
		}
		return fmt.Errorf("scenario %s: its client.service %s, so both sides would be the same: run the scenario "+
			"with each version of the service, and compare the runs by `fleetmark compare`", s.Name, why)
	}
	return nil
}

// setClient makes a process the client of all scenarios if a side that is a command is one. It returns
// an error for a scenario that has a client of its own, if that would take the place of both commands'.
func (o *Options) setClient(side Side) error {
	o.Specs = slices.Clone(o.Specs)
	for i := range o.Specs {
		s := &o.Specs[i]
		switch {
		case side.Client == nil && side.Tree == nil && len(s.Client.Command) > 0:
			return fmt.Errorf("scenario %s has a client.command, which both programs would drive instead of their own client: "+
				"want a scenario without it", s.Name)
		case side.Client == nil:
			continue
		}
		s.Client.Command, s.Client.Directory = side.Client, ""
		if err := s.Validate(); err != nil {
			return fmt.Errorf("scenario %s, with a client that is a process: %w", s.Name, err)
		}
	}
	return nil
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
