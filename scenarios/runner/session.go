package runner

import (
	"context"
	"slices"
	"time"

	"github.com/fleetmark/fleetmark/profiles/capture"
	"github.com/fleetmark/fleetmark/results"
	"github.com/fleetmark/fleetmark/scenarios"
	"github.com/fleetmark/fleetmark/scenarios/health"
	"github.com/fleetmark/fleetmark/scenarios/load"
)

// A Session repeats the load of a scenario whenever it is told to, and writes no run directory. Between
// repetitions the process does nothing. Several sessions may take turns at one fleet.
type Session struct {
	r           *runner
	repetitions int
}

// OpenSession opens what repetitions share. It uses neither Options.Out nor Options.Watcher, and takes
// no lease of the fleet. What it refuses, [Start] refuses as well.
func OpenSession(ctx context.Context, o Options) (*Session, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	o.Watcher, o.Target.Shared = nil, true
	r, err := prepare(ctx, o)
	if err != nil {
		return nil, err
	}
	return &Session{r: r}, nil
}

// Wrap puts something around the client of every later repetition. It sends so many verifications more
// than the client says in each operation that pushes.
func (s *Session) Wrap(wrap func(load.Client) load.Client, verifications int) {
	s.r.o.wrap, s.r.addedVerifications = wrap, verifications
}

// Labels returns what a profile of the session says of itself.
func (s *Session) Labels() map[string]string { return s.r.labels() }

// A Measurement is what came of one repetition of a session.
type Measurement struct {
	Records    []results.Record // of the operation that the load asks for; nil unless the repetition is Timed
	Counts     results.Counts
	Findings   []health.Finding // why the figures can't be believed; nil if they can
	Operations int64            // that ended
	CPU        time.Duration    // processor time that they took
}

// A ProfileTarget says where the profiles of a repetition go.
type ProfileTarget struct {
	Dir    string
	Number int // of the repetition, in the files' names
	Config capture.Config
}

// Repeat runs a load once, from a clean slate. A Profiled repetition is profiled into the target from
// when its connections are ready. If ctx ends, Repeat returns an error.
func (s *Session) Repeat(ctx context.Context, spec scenarios.LoadSpec, kind Kind, into *ProfileTarget) (Measurement, error) {
	r := s.r
	s.repetitions++
	r.findings, r.run.Valid, r.run.Invalid, r.run.Findings, r.run.Notes = nil, true, nil, nil, nil
	r.into = into
	step := Step{Scenario: r.spec.Name, Kind: kind, Number: s.repetitions, Of: s.repetitions, Duration: spec.TotalDuration()}
	m, err := r.attempt(ctx, step, spec)
	if err != nil {
		return Measurement{}, r.why(ctx, err)
	}
	result := Measurement{Counts: m.counts, Findings: slices.Clone(r.findings), Operations: m.Succeeded + m.Failed, CPU: m.cost.processor}
	if kind == Timed {
		// The times of a delivery's parts rest on what a part of so short a repetition happened to meet.
		result.Records = slices.DeleteFunc(m.records(r.spec, s.repetitions), func(rec results.Record) bool {
			return rec.Op != string(spec.Operation)
		})
	}
	return result, nil
}

// Close ends what OpenSession began.
func (s *Session) Close() error { return s.r.close() }
