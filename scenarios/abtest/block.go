package abtest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/fleetmark/fleetmark/profiles"
	"github.com/fleetmark/fleetmark/profiles/capture"
	"github.com/fleetmark/fleetmark/results"
	"github.com/fleetmark/fleetmark/scenarios"
	"github.com/fleetmark/fleetmark/scenarios/health"
	"github.com/fleetmark/fleetmark/scenarios/runner"
	"github.com/fleetmark/fleetmark/scenarios/target"
)

// blocks measures a scenario in blocks, each a repetition of a session.
type blocks struct {
	*runner.Session
	load scenarios.LoadSpec
}

// open opens a session for the scenario.
func (a assignment) open(ctx context.Context, client *runner.NamedClient) (*blocks, error) {
	var spec scenarios.Spec
	strict := json.NewDecoder(bytes.NewReader(a.Spec)) // ignoring an unknown field would change the scenario
	strict.DisallowUnknownFields()
	if err := strict.Decode(&spec); err != nil {
		return nil, fmt.Errorf("it doesn't know the scenario's fields: %w", err)
	}
	if spec.Load.Model == scenarios.Breakpoint {
		return nil, fmt.Errorf("scenario %s: a search can't be cut into blocks: want another load.model", spec.Name)
	}
	session, err := runner.OpenSession(ctx, runner.Options{
		Spec:    spec,
		Target:  target.Options{Address: a.Fleet, Control: a.Control, Token: a.Token, CA: a.CA},
		Machine: results.Machine{Identity: a.Machine},
		Client:  client,
	})
	if err != nil {
		return nil, err
	}
	return &blocks{session, spec.Load}, nil
}

// measure measures one block.
func (b *blocks) measure(ctx context.Context) (response, error) {
	m, err := b.Repeat(ctx, b.load, runner.Timed, nil)
	return response{
		Records: m.Records, Invalid: sentences(m.Findings), Contradicted: health.Has(m.Findings, health.Contradiction),
	}, err
}

func sentences(findings []health.Finding) (list []string) {
	for _, f := range findings {
		list = append(list, f.String())
	}
	return list
}

// profile takes a profile. If the load has a duration, it runs for the time that p says, and is
// profiled from when its connections are open, so that the profile covers exactly the operations
// that are counted.
func (b *blocks) profile(ctx context.Context, p profileRequest) error {
	cfg := capture.Config{Kinds: []profiles.Kind{p.Kind}, Labels: b.Labels()}
	if b.DrivesProcesses() { // their profiles last whole seconds
		p.Nanoseconds = max(p.Nanoseconds.Round(time.Second), time.Second)
	}
	if b.load.TotalDuration() == 0 {
		return b.profileRepeatedly(ctx, p, cfg)
	}
	load := b.load
	load.Duration = scenarios.Duration(p.Nanoseconds)
	_, err := b.repeat(ctx, load, runner.Profiled, &runner.ProfileTarget{Dir: p.Dir, Number: p.Number, Config: cfg})
	return err
}

// profileRepeatedly takes one profile of as many repetitions as begin in the time that p says. The
// profile also contains the little that the process does between repetitions.
func (b *blocks) profileRepeatedly(ctx context.Context, p profileRequest, cfg capture.Config) (err error) {
	longest := time.Duration(0) // repetition; one that would outlast the profile isn't begun
	if b.DrivesProcesses() {
		release := b.HoldProcesses()
		defer func() { err = errors.Join(err, release()) }()
		began := time.Now()
		if _, err := b.repeat(ctx, b.load, runner.WarmUp, nil); err != nil { // starts them
			return err
		}
		longest = time.Since(began)
		p.Nanoseconds = max(p.Nanoseconds, (longest + longest/4 + time.Second - 1).Truncate(time.Second)) // holds one
	}
	into := &runner.ProfileTarget{Dir: p.Dir, Number: p.Number, Config: cfg}
	end, err := b.Profile(ctx, into, p.Nanoseconds)
	if err != nil {
		return err
	}
	operations, cpu := int64(0), time.Duration(0)
	defer func() { err = errors.Join(err, end(operations, cpu)) }()
	for began := time.Now(); operations == 0 || time.Since(began)+longest < p.Nanoseconds; {
		m, err := b.repeat(ctx, b.load, runner.WarmUp, nil)
		if err != nil {
			return err
		}
		operations, cpu = operations+m.Operations, cpu+m.CPU
	}
	return nil
}

// repeat runs a repetition that is profiled. It returns an error if the repetition has no
// operations or has findings, since a profile of it would be of something else than the operation.
func (b *blocks) repeat(
	ctx context.Context, load scenarios.LoadSpec, phase runner.Phase, into *runner.ProfileTarget,
) (runner.Measurement, error) {
	m, err := b.Repeat(ctx, load, phase, into)
	switch {
	case err != nil:
		return m, err
	case m.Operations == 0:
		return m, errors.New("no operation came to an end while it was profiled")
	case len(m.Findings) > 0:
		return m, errors.New(strings.Join(sentences(m.Findings), "; "))
	}
	return m, nil
}
