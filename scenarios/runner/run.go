package runner

import (
	"cmp"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"net/http"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/fleetmark/fleetmark/delivery"
	"github.com/fleetmark/fleetmark/internal/yamlnode"
	"github.com/fleetmark/fleetmark/mockfleet"
	"github.com/fleetmark/fleetmark/results"
	"github.com/fleetmark/fleetmark/results/rundir"
	"github.com/fleetmark/fleetmark/scenarios"
	"github.com/fleetmark/fleetmark/scenarios/health"
	"github.com/fleetmark/fleetmark/scenarios/load"
	"github.com/fleetmark/fleetmark/scenarios/target"
)

// Options say how a scenario is run. Everything outside the process comes in here.
type Options struct {
	Spec scenarios.Spec

	// Target says which devices are driven. Profiles of their process go into the folder
	// [target.ProfilesFolder] of the profiles of the run.
	Target target.Options

	Out      string // where run directories are made
	Command  string // how the user may do this again; goes into the run directory, so no secrets
	Revision string // of the source
	Machine  results.Machine

	// ClientPackages are beginnings of names of functions, such as "example.com/client.", by which the
	// run knows goroutines of the client that don't have its pprof label, since the client sets labels
	// itself or a timer started them. None: package delivery.
	ClientPackages []string

	wrap func(load.Client) load.Client // by what a test puts around the client; may be nil

	Watcher Watcher // may be nil
}

// A Result is what a run measured.
type Result struct {
	Directory string
	Run       results.Run
	Records   []results.Record
}

// A Running is a run that has begun: its fleet stands, and its directory exists. [Running.Measure] measures, and
// [Running.Finish] ends it, with the verdict that the caller has come to between the two.
type Running struct {
	r      *runner
	result *Result // nil before Measure
}

// Start begins a run of options that are valid: see [Options.Validate], which whoever made them calls once, before
// the first of several runs. If the run can't begin (a *SpecError, an *OptionError, a *UsageError, or the fleet's
// *mockfleet.ConfigError), Start leaves nothing behind, and nor does a context that ends before the run has begun,
// which gives the context's error.
func Start(ctx context.Context, o Options) (*Running, error) {
	r, err := begin(ctx, o)
	if err != nil {
		return nil, err
	}
	return &Running{r: r}, nil
}

// Measure runs all repetitions, and returns what they came to: always a result, and also an error if one of
// them failed. A context that ends leaves the run interrupted, with no error. The directory holds what was
// measured, but its run.json says that the run goes on until Finish is called.
func (r *Running) Measure(ctx context.Context) (*Result, error) {
	err := r.r.end(ctx, r.r.repetitions(ctx))
	r.result = &Result{Directory: r.r.dir.Path(), Run: r.r.run, Records: r.r.records}
	return r.result, err
}

// Finish writes run.json with the verdict and how far the run came, and closes everything. It must be called
// once, after Measure. The verdict is in the result of Measure afterwards.
func (r *Running) Finish(v results.Verdict) error {
	r.result.Run.Verdict = v
	return r.r.finish(v)
}

// runner is a run under way.
type runner struct {
	o         Options
	spec      scenarios.Spec
	target    target.Target
	artifact  *delivery.Artifact
	tls       *tls.Config // whom the client trusts; nil: the system
	header    http.Header // that the client sends
	dir       *rundir.Directory
	latency   *latencyLog
	recording *load.Recording
	claims    *claims
	excerpts  map[int]*FleetSaw // what the ledger says of the devices of the last repetition's sampled failures
	watcher   Watcher

	mostAuto     int          // workers that a load starts by itself, at most
	mostUnopened int          // at a time
	unopened     map[int]bool // devices whose connection could not be opened before a load
	step         Step         // under way

	probe  *probe // of a search, under way; else nil
	vigil  vigil
	client atomic.Pointer[delivery.Client] // of the repetition under way, or the last one

	into               *ProfileTarget // of a session's repetition; nil: the run directory
	addedVerifications int            // that Options.wrap's client sends in each operation that pushes

	perOperation map[Kind][]float64 // processor time, ns, a repetition each
	reference    []float64          // ns a round trip, one for each block of the reference benchmark
	interference health.Interference

	run      results.Run
	records  []results.Record
	closers  []func() error
	findings []health.Finding // why the run is invalid
}

// begin readies everything that can be refused, the run directory last.
func begin(ctx context.Context, o Options) (*runner, error) {
	r, err := prepare(ctx, o)
	if err != nil {
		return nil, err
	}
	dir, err := rundir.Create(o.Out, r.spec.Name, r.run.Started, r.run.ID)
	if err == nil {
		err = r.enter(dir)
	}
	if err != nil {
		return nil, errors.Join(err, r.close())
	}
	return r, nil
}

// prepare readies everything but the run directory.
func prepare(ctx context.Context, o Options) (_ *runner, err error) {
	r := &runner{o: o, spec: o.Spec, watcher: o.Watcher, vigil: vigil{vigilEvery, vigilPatience}}
	if r.watcher == nil {
		r.watcher = noWatcher{}
	}
	defer func() {
		if err == nil {
			return
		}
		if ctx.Err() != nil {
			err = ctx.Err() // what it broke off has other words for it
		}
		err = errors.Join(err, r.close())
	}()
	if err := r.fitConnections(); err != nil {
		return nil, err
	}
	if r.artifact, err = openArtifact(ctx, r.spec); err != nil {
		return nil, err
	}
	r.closers = append(r.closers, r.artifact.Close)
	if r.header, err = resolveHeader(r.spec.Client); err != nil {
		return nil, err
	}
	if err = r.clientConfig().Validate(); err != nil { // what only the values show
		return nil, &scenarios.OptionError{Option: "client", Problem: yamlnode.OneLine(err.Error())}
	}
	if r.tls, err = tlsConfig(r.spec.Client); err != nil {
		return nil, err
	}
	if r.target, err = target.Open(ctx, o.Target, o.Spec, r.tls); err != nil {
		return nil, err
	}
	r.closers = append(r.closers, r.target.Close)
	if r.tls == nil { // the fleet's own authority, or else the system's
		r.tls = caPool([]byte(cmp.Or(r.target.CA(), o.Target.CA)))
	}
	if a := r.target.Addressing(); a != "" { // as it says itself
		r.spec.Fleet.Addressing, r.o.Spec.Fleet.Addressing = a, a
	}
	n := r.target.Devices().Len()
	_, most := r.spec.Load.WorkerRange()
	r.recording = load.NewRecording(load.RecordingConfig{
		Op: r.spec.Load.Operation, Planned: r.spec.Load.IsOpen(), Devices: n, Workers: most, Longest: longest(r.spec),
	})
	r.claims = &claims{Outcomes: r.recording.Outcomes}
	if r.target.MayReboot() {
		r.claims.reboots = uint32(most)
	}
	if err := r.describe(n); err != nil {
		return nil, err
	}
	return r, ctx.Err()
}

// Validate returns an error if no run can begin with the options: a *SpecError for each mistake in the scenario, or
// an *OptionError or a *UsageError. It looks at nothing else, such as files.
func (o Options) Validate() error {
	if err := o.Spec.Validate(); err != nil {
		return err
	}
	if len(o.Spec.Suite) > 0 {
		return &scenarios.UsageError{What: "scenario " + o.Spec.Name + " is a suite: run its scenarios"}
	}
	if err := o.Target.Validate(); err != nil {
		return err
	}
	if o.Target.Profile && o.Spec.Profiled == 0 {
		return &scenarios.OptionError{
			Option: "Target.Profile", Problem: "scenario " + o.Spec.Name + " has no profiled repetition", Want: "add {profiled} 1",
		}
	}
	return nil
}

// describe fills in what is known before the first repetition.
func (r *runner) describe(devices int) error {
	spec, err := json.Marshal(r.spec)
	if err != nil {
		return err
	}
	// The scenario as asked for: what this machine's limits made of it is not the work.
	digest, err := workloadDigest(r.o.Spec, r.target.Kind(), devices, r.artifact)
	if err != nil {
		return err
	}
	started := time.Now().UTC()
	r.run = results.Run{
		ID: fmt.Sprintf("%06x", rand.Uint32()&0xffffff), Scenario: r.spec.Name, Spec: spec, WorkloadDigest: digest,
		Command: r.o.Command, Seed: r.spec.Seed, Machine: r.o.Machine, Revision: r.o.Revision, Started: started,
		Status: results.StatusRunning, Valid: true, Unconfirmed: r.target.Witness() == nil,
		Counts:    results.Counts{Devices: devices},
		Transport: string(r.spec.Client.Transport), Addressing: string(r.spec.Addressing()),
	}
	if r.target.Kind() == target.Listed {
		r.run.Addressing = target.Listed
	}
	return nil
}

// enter begins the files of a fresh run directory. One that can't hold them is
// removed again: nothing was measured yet.
func (r *runner) enter(dir *rundir.Directory) (err error) {
	defer func() {
		if err != nil {
			err = errors.Join(err, dir.Discard())
		}
	}()
	if err := dir.WriteRun(r.run); err != nil {
		return err
	}
	var head rundir.Chunk
	if r.latency, head, err = newLatencyLog(r.run.Started); err != nil {
		return err
	}
	if err := dir.AppendRepetition(nil, head); err != nil {
		return err
	}
	r.dir = dir
	r.closers = append(r.closers, dir.Close)
	return nil
}

// update names the artifact for one repetition. Where the fleet can be reset every
// repetition brings the same version; where it can't, each brings one of its own,
// or a device could pass for updated by what it got before.
func (r *runner) update(kind Kind, n int) (*delivery.Update, error) {
	version := r.spec.Artifact.Version
	switch {
	case version != "":
	case r.target.Witness() != nil:
		version = "2.0.0"
	default:
		version = "2.0.0-" + r.run.ID + "." + string(kind[:1]) + strconv.Itoa(100_000 + n)[1:]
	}
	return delivery.NewUpdate(version, r.artifact)
}

// repetitions runs all of them, and stops at the first that can't be had.
func (r *runner) repetitions(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	var watching sync.WaitGroup
	defer watching.Wait()
	defer cancel(nil)
	if died := r.target.Exited(); died != nil {
		watching.Go(func() {
			select {
			case <-died:
				cancel(target.ErrExited)
			case <-ctx.Done():
			}
		})
	}
	if r.target.Witness() != nil && r.target.Kind() != target.InProcess {
		watching.Go(func() { r.watchFleet(ctx, cancel) })
	}
	before, err := r.takeResources()
	if err != nil {
		return r.why(ctx, err)
	}
	for _, part := range []struct {
		kind Kind
		n    int
	}{{WarmUp, r.spec.Warmup}, {Timed, r.spec.Repetitions}, {Profiled, r.spec.Profiled}} {
		for n := 1; n <= part.n; n++ {
			step := Step{Scenario: r.spec.Name, Kind: part.kind, Number: n, Of: part.n, Duration: r.spec.Load.TotalDuration()}
			if err := r.repetition(ctx, step); err != nil {
				return r.why(ctx, err)
			}
		}
	}
	leaks, err := health.AwaitRelease(ctx, before, r.target.Devices().Len(), r.clientConfig().Timeouts.Dial, r.takeResources)
	r.invalid(leaks...)
	if err != nil {
		return r.why(ctx, err)
	}
	return nil
}

// takeResources returns what this process holds, except connections to the fleet's control port,
// which are the run's own.
func (r *runner) takeResources() (health.ResourceSnapshot, error) {
	if w, ok := r.target.Witness().(*mockfleet.Control); ok {
		w.Close() // idle connections alone: the next question opens another
	}
	packages := r.o.ClientPackages
	if len(packages) == 0 {
		path := reflect.TypeFor[delivery.Client]().PkgPath()
		packages = []string{path + ".", path + "/"}
	}
	return health.TakeResources(r.dir.Path(), packages...)
}

// deathKnown is how long it takes, at most, until the end of a fleet's process is known
// after its connections broke.
const deathKnown = time.Second

// why is the reason for an error: that the fleet is gone, if it is. What a file refuses is
// never that.
func (r *runner) why(ctx context.Context, err error) error {
	_, file := errors.AsType[*fs.PathError](err)
	if died := r.target.Exited(); died != nil && !file && ctx.Err() == nil {
		late := time.NewTimer(deathKnown)
		defer late.Stop()
		select {
		case <-died:
			return target.ErrExited
		case <-ctx.Done():
		case <-late.C:
		}
	}
	if cause := context.Cause(ctx); errors.Is(cause, target.ErrExited) || errors.Is(cause, errFleetLost) {
		return cause
	}
	return err
}

// end records how the run ended. It returns runErr, or nil if that is but the interruption.
func (r *runner) end(ctx context.Context, runErr error) error {
	r.run.Finished = time.Now().UTC()
	r.noteUnopened()
	r.run.Status = results.StatusFinished
	switch {
	case ctx.Err() != nil:
		r.run.Status = results.StatusInterrupted
		if errors.Is(runErr, ctx.Err()) || errors.Is(runErr, context.Cause(ctx)) {
			runErr = nil
		}
	case runErr != nil:
		r.run.Status = results.StatusFailed
		kind := health.RunFailed
		if errors.Is(runErr, target.ErrExited) || errors.Is(runErr, errFleetLost) {
			kind = health.TargetLost
		}
		for reason := range strings.SplitSeq(runErr.Error(), "\n") { // a line for each of several errors
			r.invalid(health.Finding{Kind: kind, Detail: reason})
		}
	}
	if r.run.Status == results.StatusFinished {
		for _, t := range r.spec.EffectiveThresholds() {
			r.run.Thresholds = append(r.run.Thresholds, t.Outcome(r.spec.Load, r.records))
		}
	}
	return runErr
}

// finish writes the run with its verdict, and closes everything. The directory is written before anything else is
// closed: that could fail.
func (r *runner) finish(v results.Verdict) error {
	r.run.Verdict = v
	return errors.Join(r.dir.WriteRun(r.run), r.close())
}

// doubt takes what the checks of one repetition found. While a limit is searched, findings say only
// that a rate is too high; else they make the run invalid.
func (r *runner) doubt(findings []health.Finding) {
	if r.probe != nil {
		r.probe.findings = append(r.probe.findings, findings...)
		return
	}
	r.invalid(findings...)
}

// note adds what is worth knowing of the run beside its figures, each once.
func (r *runner) note(text string) {
	if !slices.Contains(r.run.Notes, text) {
		r.run.Notes = append(r.run.Notes, text)
	}
}

// invalid records why the run's figures can't be believed, each reason once.
func (r *runner) invalid(findings ...health.Finding) {
	for _, f := range findings {
		r.run.Valid = false
		if !slices.Contains(r.findings, f) {
			r.findings = append(r.findings, f)
			r.run.Invalid = append(r.run.Invalid, f.String())
			r.run.Findings = append(r.run.Findings, results.Finding{Kind: string(f.Kind), Detail: f.Detail})
		}
	}
}

// close closes in the opposite order.
func (r *runner) close() error {
	var err error
	for i := len(r.closers) - 1; i >= 0; i-- {
		err = errors.Join(err, r.closers[i]())
	}
	r.closers = nil
	return err
}
