package runner

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/fleetmark/fleetmark/profiles/capture"
	"github.com/fleetmark/fleetmark/results"
	"github.com/fleetmark/fleetmark/scenarios"
	"github.com/fleetmark/fleetmark/scenarios/health"
	"github.com/fleetmark/fleetmark/scenarios/load"
)

// Blocks measures a scenario in single repetitions, between which the process does nothing: one
// side of a comparison whose sides take turns. It writes no files.
type Blocks struct {
	r    *runner
	done int
}

// A Block is one repetition.
type Block struct {
	Records []results.Record // of the operation that the load asks for
	Counts  results.Counts
	Invalid []string // why its figures can't be believed; empty: they can

	Contradicted bool // by the fleet's ledger, as one of the reasons says
}

// OpenBlocks readies everything but a run directory: Options.Out and Watcher are not
// used. What it can't begin is told as by Run. It takes no lease of the fleet, which the other side
// drives as well.
func OpenBlocks(ctx context.Context, o Options) (*Blocks, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	if o.Spec.Load.Model == scenarios.Breaking {
		return nil, &scenarios.UsageError{What: "scenario " + o.Spec.Name + ": a search can't be cut into blocks: want another load.model"}
	}
	o.Watcher, o.Target.Shared = nil, true
	r, err := prepare(ctx, o)
	if err != nil {
		return nil, err
	}
	return &Blocks{r: r}, nil
}

// Wrap puts something around the client of every block from now on. It sends so many verifications
// more than the client says in each operation that pushes.
func (b *Blocks) Wrap(wrap func(load.Client) load.Client, verifications int) {
	b.r.o.wrap, b.r.addedVerifications = wrap, verifications
}

// Measure runs one repetition. One that ctx breaks off is an error.
func (b *Blocks) Measure(ctx context.Context) (Block, error) {
	r := b.r
	b.done++
	r.forget()
	step := Step{Scenario: r.spec.Name, Kind: Timed, Number: b.done, Of: b.done, Duration: r.spec.Load.Lasts()}
	m, err := r.attempt(ctx, step, r.spec.Load)
	if err != nil {
		return Block{}, r.why(ctx, err)
	}
	// The times of a delivery's parts rest on what a part of so short a block happened to meet.
	asked := slices.DeleteFunc(m.records(r.spec, b.done), func(rec results.Record) bool { return rec.Op != string(r.spec.Load.Operation) })
	return Block{
		Records: asked, Counts: m.counts, Invalid: slices.Clone(r.run.Invalid),
		Contradicted: health.Has(r.findings, health.Contradiction),
	}, nil
}

// forget drops the findings and notes of the repetitions before.
func (r *runner) forget() {
	r.findings, r.run.Valid, r.run.Invalid, r.run.Findings, r.run.Notes = nil, true, nil, nil, nil
}

// Profile runs repetitions for so long, or one where it goes on for a time, and profiles them, as number: where it
// goes on, from when its connections stand, so that what is profiled is what is counted; else together, with
// what was worked between them, little as it is.
func (b *Blocks) Profile(ctx context.Context, dir string, number int, lasts time.Duration, cfg capture.Config) error {
	cfg.Labels = b.r.labels()
	if b.r.spec.Load.Lasts() > 0 {
		load := b.r.spec.Load
		load.Duration = scenarios.Duration(lasts)
		b.r.into = &blockProfile{dir, number, cfg}
		defer func() { b.r.into = nil }()
		_, err := b.profiled(ctx, Profiled, load)
		return err
	}
	return b.profileTogether(ctx, dir, number, lasts, cfg)
}

// profiled is one repetition; without a single operation it is none.
func (b *Blocks) profiled(ctx context.Context, kind Kind, load scenarios.LoadSpec) (*measured, error) {
	b.done++
	b.r.forget()
	step := Step{Scenario: b.r.spec.Name, Kind: kind, Number: b.done, Of: b.done, Duration: load.Lasts()}
	m, err := b.r.attempt(ctx, step, load)
	if err != nil {
		return nil, b.r.why(ctx, err)
	}
	switch {
	case m.done+m.failed == 0:
		return nil, errors.New("no operation came to an end while it was profiled")
	case len(b.r.run.Invalid) > 0: // whatever it is a profile of, it isn't the operation that is asked about
		return nil, errors.New(strings.Join(b.r.run.Invalid, "; "))
	}
	return m, nil
}

func (b *Blocks) profileTogether(ctx context.Context, dir string, number int, lasts time.Duration, cfg capture.Config) (err error) {
	running, err := capture.Start(ctx, dir, number, cfg)
	if err != nil {
		return err
	}
	defer func() {
		_, stopped := running.Stop()
		err = errors.Join(err, stopped)
	}()
	began, operations, processor := time.Now(), int64(0), time.Duration(0)
	for operations == 0 || time.Since(began) < lasts {
		m, err := b.profiled(ctx, WarmUp, b.r.spec.Load)
		if err != nil {
			return err
		}
		operations, processor = operations+int64(m.done+m.failed), processor+m.cost.processor
	}
	return label(running, operations, processor)
}

// Close ends what OpenBlocks began.
func (b *Blocks) Close() error { return b.r.close() }
