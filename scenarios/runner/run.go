package runner

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/fleetmark/fleetmark/delivery"
	"github.com/fleetmark/fleetmark/mockfleet"
	"github.com/fleetmark/fleetmark/results"
	"github.com/fleetmark/fleetmark/results/rundir"
	"github.com/fleetmark/fleetmark/scenarios"
	"github.com/fleetmark/fleetmark/scenarios/health"
	"github.com/fleetmark/fleetmark/scenarios/load"
	"github.com/fleetmark/fleetmark/scenarios/portion"
	"github.com/fleetmark/fleetmark/scenarios/target"
	"github.com/fleetmark/fleetmark/scenarios/windows"
)

// Options say how a scenario is run. They hold everything that comes from outside the process.
type Options struct {
	Spec scenarios.Spec

	// Target says which devices are driven. Profiles of their process are written to the
	// subdirectory [target.ProfilesFolder] of the run's profiles.
	Target target.Options

	Out      string // the directory in which run directories are made
	Command  string // how a user can repeat the run; written to the run directory, so it must not contain secrets
	Revision string // of the source
	Machine  results.Machine

	// Client is the client that is driven. Nil means the client of package delivery. Requests and
	// bytes of another client are those that the fleet counted; without a fleet's ledger, those that
	// the client counted, if it is a [load.StatsReporter]. The parts of a delivery are missing if its
	// reports don't have their times.
	Client *NamedClient

	// NoopClient is a program and its arguments that make it call process.ServeNoop. Runs of a
	// client.command begin with a measurement of it, and note what the protocol costs. If it is nil,
	// they don't.
	NoopClient []string

	// ClientPackages are prefixes of function names, such as "example.com/client.". The run uses
	// them to recognize goroutines of the client that lack its pprof label, because the client sets
	// its own labels or a timer started them. If there are none, it uses the package of the
	// client's type.
	ClientPackages []string

	wrap      func(load.Client) load.Client // wraps the client in a test; may be nil
	wholeOnly bool                          // groups of devices and waves aren't recorded by themselves

	Observer Observer // may be nil

	// OnInterval, if not nil, is called at the end of each interval of every repetition, whatever its
	// phase, with what the client has counted since the load began; that is nil if the client doesn't
	// count. Calls don't overlap, but they may overlap calls of the Observer. The interval is valid
	// only during the call. The function should take microseconds and allocate little, since what it
	// uses counts as the client's.
	OnInterval func(Repetition, *load.Interval, *delivery.Stats)

	// Gate, OnBegin and OnPortion are for a run that is a part of a merged run. OnPortion makes it
	// one, and so does a scenario with a shard: its thresholds aren't judged and don't end it, since
	// they are those of the merged run.
	//
	// Gate, if not nil, is called once in each repetition, when devices, connections and workers are
	// ready and no operation has begun, and returns when the load is to begin. If it returns an error,
	// the repetition ends without operations, and the run with that error, or as an interrupted one if
	// ctx has ended. A profiled repetition is profiled while it waits.
	Gate func(ctx context.Context, rep Repetition) error
	// OnBegin, if not nil, is called right after the clock of a repetition's load has started, with
	// the time at which it did, which has a monotonic part. No operation begins before it returns.
	OnBegin func(Repetition, time.Time)
	// OnPortion, if not nil, is called after each repetition that was reconciled with the ledger,
	// before the next one begins, and after a timed repetition that was interrupted. The function may
	// keep the portion.
	OnPortion func(Repetition, *portion.Portion)

	// OnStart, if not nil, is called with the run when it has begun, before its first repetition.
	// OnEnd, if not nil, is called with the run after its last one, before it is judged; the sentences
	// that it returns become notes of the run.
	OnStart func(results.Run)
	OnEnd   func(results.Run) (notes []string)
}

// A Result is what a run measured.
type Result struct {
	Directory string
	Run       results.Run
	Records   []results.Record
}

// A Running is a run that has begun: its fleet is up, and its directory exists. Call
// [Running.Measure], judge what it returns, and call [Running.Finish] with the verdict.
type Running struct {
	r      *runner
	result *Result // nil before Measure
}

// Start begins a run. The options must be valid: the caller calls [Options.Validate] first, once
// for several runs with the same options. If the run can't begin, Start leaves nothing behind and
// returns an error, such as a *SpecError, an *OptionError, or the fleet's *mockfleet.ConfigError.
// If ctx ends before the run has begun, it returns ctx's error.
func Start(ctx context.Context, o Options) (*Running, error) {
	r, err := begin(ctx, o)
	if err != nil {
		return nil, err
	}
	return &Running{r: r}, nil
}

// Directory returns the run's directory.
func (r *Running) Directory() string { return r.r.dir.Path() }

// ArtifactDigest returns the SHA-256 of the artifact, in hex.
func (r *Running) ArtifactDigest() string { return r.r.artifact.DigestHex() }

// Client returns the client that the run drives.
func (r *Running) Client() results.Client { return r.r.client }

// FleetKind returns how the fleet is run: a word of package target.
func (r *Running) FleetKind() string { return r.r.target.Kind() }

// Devices returns how many devices the run drives.
func (r *Running) Devices() int { return r.r.target.Devices().Len() }

// Measure runs all repetitions. It always returns a result, and also an error if a repetition
// failed. If ctx ends, the run is interrupted, which is no error. The directory then holds what was
// measured, but its run.json says that the run is still running until Finish is called.
func (r *Running) Measure(ctx context.Context) (*Result, error) {
	err := r.r.end(ctx, r.r.runRepetitions(ctx))
	r.result = &Result{Directory: r.r.dir.Path(), Run: r.r.run, Records: r.r.records}
	return r.result, err
}

// Finish writes run.json with the verdict and how far the run came, and closes everything. It must
// be called once, after Measure. The verdict is in the result of Measure afterwards.
func (r *Running) Finish(v results.Verdict) error {
	r.result.Run.Verdict = v
	return r.r.finish(v)
}

// A runner is a run: a session whose repetitions are written to a journal.
type runner struct {
	*Session
	*journal
	o        Options
	watchdog watchdog
	windows  *windows.Judge // of thresholds with windows; nil if there are none
}

// begin opens everything that can fail, the run directory last.
func begin(ctx context.Context, o Options) (_ *runner, err error) {
	s, err := openSession(ctx, o)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.Close())
		}
	}()
	run, err := s.newRun(o)
	if err != nil {
		return nil, err
	}
	notes, err := s.processNotes(ctx, o.NoopClient)
	if err != nil {
		return nil, err
	}
	dir, err := rundir.Create(o.Out, run.Scenario, run.Started, run.ID)
	if err != nil {
		return nil, err
	}
	j, err := newJournal(dir, run)
	if err != nil {
		return nil, err
	}
	if _, unknown := s.target.Groups(); unknown != "" {
		j.note("there are no results by group: " + unknown)
	}
	for _, text := range notes {
		j.note(text)
	}
	if o.OnStart != nil {
		o.OnStart(run)
	}
	var w *windows.Judge
	if !s.isPart {
		w = windows.New(s.spec, s.artifact.Size(), s.recording.Longest())
	}
	return &runner{s, j, o, newWatchdog(s), w}, nil
}

// Validate returns an error if no run can begin with the options: a *SpecError for each mistake in
// the scenario, an *OptionError, or an error that says that the scenario is a suite. It doesn't
// check anything outside the options, such as files.
func (o Options) Validate() error {
	if err := o.Spec.Validate(); err != nil {
		return err
	}
	if len(o.Spec.Suite) > 0 {
		return fmt.Errorf("scenario %s is a suite: run its scenarios", o.Spec.Name)
	}
	if err := o.Target.Validate(); err != nil {
		return err
	}
	if o.Target.Profile && o.Spec.Profiled == 0 {
		return &scenarios.OptionError{
			Option: "Target.Profile", Want: "add {profiled} 1",
			Problem: "scenario " + o.Spec.Name + " has no profiled repetition",
		}
	}
	return nil
}

// errAborted ends a run of which a threshold with abort has failed.
var errAborted = errors.New(results.EndedEarly)

// runRepetitions runs all repetitions of the scenario, and checks for leaks after the last one. It
// stops at the first one that fails, and when a threshold ends the run.
func (r *runner) runRepetitions(ctx context.Context) error {
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
	if r.target.Witness() != nil && (r.target.Kind() != target.InProcess || r.isForeign) {
		watching.Go(func() { r.watchdog.watch(ctx, r.Session, cancel) })
	}
	if r.windows != nil {
		r.windows.Abort = func() { cancel(errAborted) }
	}
	before, err := r.takeResources()
	if err != nil {
		return r.endCause(ctx, err)
	}
	for rep := range Repetitions(r.spec) {
		if r.windows.Aborted() {
			return errAborted
		}
		if err := r.runRepetition(ctx, rep); err != nil {
			return r.endCause(ctx, err)
		}
	}
	dial := r.clients.config.Timeouts.Dial
	last := Repetition{Scenario: r.spec.Name, Phase: Timed, Number: r.spec.Repetitions, Total: r.spec.Repetitions}
	if n := r.spec.Profiled; n > 0 {
		last.Phase, last.Number, last.Total = Profiled, n, n
	}
	stop := r.reportActivity(last, Releasing, nil)
	leaks, err := health.AwaitRelease(ctx, before, r.target.Devices().Len(), dial, r.takeResources)
	stop()
	r.invalidate(leaks...)
	if err != nil {
		return r.endCause(ctx, err)
	}
	return nil
}

// takeResources returns what this process holds, except connections to the fleet's control port,
// which are the run's own.
func (r *runner) takeResources() (health.ResourceSnapshot, error) {
	if w, ok := r.target.Witness().(*mockfleet.Control); ok {
		w.Close() // closes only idle connections; the next request opens one
	}
	packages := r.o.ClientPackages
	if len(packages) == 0 {
		packages = []string{r.clientPackage + ".", r.clientPackage + "/"}
	}
	return health.TakeResources(r.dir.Path(), packages...)
}

// end records how the run ended. It returns runErr, or nil if runErr only says that ctx ended.
func (r *runner) end(ctx context.Context, runErr error) error {
	r.run.Finished = time.Now().UTC()
	if text := r.unopened.text(r.target.Devices().Len()); text != "" {
		r.note(text)
	}
	r.run.Status = results.StatusFinished
	switch {
	case r.windows.Aborted() && (errors.Is(runErr, errAborted) || errors.Is(runErr, context.Canceled)):
		r.run.Status, runErr = results.StatusAborted, nil
	case ctx.Err() != nil:
		r.run.Status = results.StatusInterrupted
		if errors.Is(runErr, ctx.Err()) || errors.Is(runErr, context.Cause(ctx)) {
			runErr = nil
		}
	case runErr != nil:
		r.run.Status = results.StatusFailed
		kind := health.RunFailed
		if isTargetLost(runErr) {
			kind = health.TargetLost
		}
		for _, err := range scenarios.SplitErrors(runErr) {
			r.invalidate(health.Finding{Kind: kind, Detail: strings.ReplaceAll(err.Error(), "\n", "; ")})
		}
	}
	if s := r.run.Status; !r.isPart && (s == results.StatusFinished || s == results.StatusAborted) {
		r.judgeThresholds(r.spec, r.windows)
	}
	if r.o.OnEnd != nil {
		for _, text := range r.o.OnEnd(r.run) {
			r.note(text)
		}
	}
	return runErr
}

// judgeThresholds adds the outcome of each threshold to the run. If the run was ended early, those
// that didn't fail until then are undecided.
func (j *journal) judgeThresholds(spec scenarios.Spec, w *windows.Judge) {
	for i, t := range spec.EffectiveThresholds() {
		o, windowed := w.Outcome(i)
		if !windowed {
			o = t.Outcome(spec.Load, j.records, j.run.Groups)
		}
		if _, v := o.Result(); j.run.Status == results.StatusAborted && (!windowed || v != results.Regressed) {
			o.Held, o.Undecided = false, "the run was ended early"
		}
		j.run.Thresholds = append(j.run.Thresholds, o)
	}
}

// finish writes the run with its verdict, and closes everything. It writes the directory first,
// because closing anything else may fail.
func (r *runner) finish(v results.Verdict) error {
	r.run.Verdict = v
	return errors.Join(r.dir.WriteRun(r.run), r.close())
}

// close closes the run directory, and then what the session opened.
func (r *runner) close() error { return errors.Join(r.dir.Close(), r.Session.Close()) }

// runRepetition runs the load once, or a whole search for the breakpoint, and adds the outcome to
// the run directory. A repetition that ctx ends is no sample; keepPartial says what is kept of it.
func (r *runner) runRepetition(ctx context.Context, rep Repetition) error {
	if err := r.runReference(ctx, rep); err != nil {
		return err
	}
	t := task{Repetition: rep, load: r.spec.Load}
	if rep.Phase == Timed {
		t.intervals, t.windows = newIntervalLog(r.dir, rep.Number, r.run.Started), r.windows
		r.windows.Begin(rep.Number)
	}
	if rep.Phase == Profiled {
		t.profile = func(ctx context.Context) (*profiling, error) { return r.startProfiles(ctx, rep.Number) }
	}
	var m *measured
	var err error
	switch search := t.load.Model == scenarios.Breakpoint; {
	case search && rep.Phase == Timed:
		m, err = r.findBreakpoint(ctx, rep)
	case search: // for a warm-up or for profiles, the search's lowest rate is enough
		t.Duration = t.load.Breakpoint.WithDefaults().TrialDuration.Std()
		t.load = atRate(t.load, float64(t.load.Rate), t.Duration)
		m, err = r.attempt(ctx, t)
	default:
		m, err = r.attempt(ctx, t)
	}
	if err != nil {
		return err
	}
	if err := r.runReference(ctx, rep); err != nil {
		return err
	}
	r.addProfilingCost(rep, r.spec, m)
	if err := r.append(rep, r.spec, m); err != nil {
		return err
	}
	r.sendPortion(t, m)
	return nil
}

// attempt runs a repetition and records its findings in the run, however it ended.
func (r *runner) attempt(ctx context.Context, t task) (*measured, error) {
	m, err := r.repeat(ctx, t)
	if m != nil {
		r.addHealth(m, t.isTrial())
		if len(r.run.Invalid) > 0 {
			r.invalid = r.run.Invalid[0]
		}
		if m.partial != nil {
			r.appendPartial(t.Repetition, r.spec, m)
			r.sendPortion(t, m)
		}
	}
	return m, err
}

// runReference runs a block of the reference benchmark if the repetition is a timed one. It is
// called before and after each repetition.
func (r *runner) runReference(ctx context.Context, rep Repetition) error {
	if rep.Phase != Timed {
		return nil
	}
	ns, err := health.ReferenceBenchmark(ctx)
	if err != nil {
		return err
	}
	r.reference = append(r.reference, ns)
	r.run.Harness.ReferenceSpeed = results.NewReferenceSpeed(r.reference)
	return nil
}
