package scenarios

import (
	"context"
	"errors"
	"io"
	"runtime/pprof"
	"slices"
	"strings"
	"time"

	"github.com/fleetmark/fleetmark/profiles"
	"github.com/fleetmark/fleetmark/results"
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

// OpenBlocks readies everything but a run directory: Options.Out, Judge and Watcher are not
// used. What it can't begin is told as by Run.
func OpenBlocks(ctx context.Context, o Options) (*Blocks, error) {
	if err := o.validate(); err != nil {
		return nil, err
	}
	if o.Spec.Load.Model == Breaking {
		return nil, &UsageError{What: "scenario " + o.Spec.Name + ": a search can't be cut into blocks: want another load.model"}
	}
	o.Watcher = nil
	r, err := prepare(ctx, o)
	if err != nil {
		return nil, err
	}
	return &Blocks{r: r}, nil
}

// Plant has everything that is measured from now on be worse by that; the zero Plant by nothing.
func (b *Blocks) Plant(p Plant) { b.r.plant = p.ready() }

// Measure runs one repetition. One that ctx breaks off is an error.
func (b *Blocks) Measure(ctx context.Context) (Block, error) {
	r := b.r
	b.done++
	r.run.Valid, r.run.Invalid, r.run.Notes = true, nil, nil
	step := Step{Scenario: r.spec.Name, Kind: Timed, Number: b.done, Of: b.done, Duration: r.spec.Load.Lasts()}
	if r.plant.CPUProfile {
		if err := pprof.StartCPUProfile(io.Discard); err != nil {
			return Block{}, err
		}
	}
	m, err := r.attempt(ctx, step, r.spec.Load)
	if r.plant.CPUProfile {
		pprof.StopCPUProfile()
	}
	if err != nil {
		return Block{}, r.why(ctx, err)
	}
	// The times of a delivery's parts rest on what a part of so short a block happened to meet.
	asked := slices.DeleteFunc(m.records(r.spec, b.done), func(rec results.Record) bool { return rec.Op != string(r.spec.Load.Operation) })
	return Block{
		Records: asked, Counts: m.counts, Invalid: slices.Clone(r.run.Invalid),
		Contradicted: slices.ContainsFunc(r.run.Invalid, func(reason string) bool { return strings.HasPrefix(reason, contradicts) }),
	}, nil
}

// Profile runs repetitions for so long, or one where it goes on for a time, and profiles them together, as
// number. What was allocated and worked between them is in it too, little as it is.
func (b *Blocks) Profile(ctx context.Context, dir string, number int, lasts time.Duration, cfg profiles.Config) (err error) {
	r, load := b.r, b.r.spec.Load
	if load.Lasts() > 0 {
		load.Duration = Duration(lasts)
	}
	cfg.Labels = r.labels()
	capture, err := profiles.Start(ctx, dir, number, cfg)
	if err != nil {
		return err
	}
	defer func() {
		_, stopped := capture.Stop()
		err = errors.Join(err, stopped)
	}()
	began, operations, processor := time.Now(), uint64(0), time.Duration(0)
	for operations == 0 || time.Since(began) < lasts {
		b.done++
		step := Step{Scenario: r.spec.Name, Kind: WarmUp, Number: b.done, Of: b.done, Duration: load.Lasts()}
		m, err := r.attempt(ctx, step, load)
		if err != nil {
			return r.why(ctx, err)
		}
		processor += m.cost.processor
		if operations += uint64(m.done + m.failed); operations == 0 {
			return errors.New("no operation came to an end while it was profiled")
		}
	}
	return label(capture, int64(operations), processor)
}

// Close ends what OpenBlocks began.
func (b *Blocks) Close() error { return b.r.close() }
