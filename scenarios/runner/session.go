package runner

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"reflect"
	"slices"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/fleetmark/fleetmark/delivery"
	"github.com/fleetmark/fleetmark/internal/osinfo"
	"github.com/fleetmark/fleetmark/internal/yamlnode"
	"github.com/fleetmark/fleetmark/profiles"
	"github.com/fleetmark/fleetmark/profiles/capture"
	"github.com/fleetmark/fleetmark/results"
	"github.com/fleetmark/fleetmark/scenarios"
	"github.com/fleetmark/fleetmark/scenarios/health"
	"github.com/fleetmark/fleetmark/scenarios/load"
	"github.com/fleetmark/fleetmark/scenarios/target"
)

// A Session repeats the load of a scenario. It holds what repetitions share: the devices, the
// artifact, how a client is made, and what is recorded. It writes no run directory. One repetition
// is under way at a time, and between them the process does nothing; several sessions may take
// turns at one fleet.
type Session struct {
	spec     scenarios.Spec // with client.max_idle fitted to this machine
	target   target.Target
	artifact *delivery.Artifact
	clients  clientFactory
	observer Observer

	recording *load.Recording // large, so that it is reset and used again
	claims    *claims

	runID         string            // part of versions if the fleet can't be reset
	labels        map[string]string // of profiles
	maxWorkers    int               // the most workers of a load that starts them by itself
	unopened      unopened
	current       atomic.Pointer[repetitionClient] // of the repetition under way, or the last one
	clientPackage string                           // its import path
	closers       []func() error

	repetitions int // how many Repeat has begun
}

// OpenSession opens what repetitions share. It uses neither Options.Out nor Options.Observer, and
// takes no lease of the fleet. What it refuses, [Start] refuses as well.
func OpenSession(ctx context.Context, o Options) (*Session, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	o.Observer, o.Target.Shared = nil, true
	return openSession(ctx, o)
}

// Wrap has every later repetition drive wrap's result in place of its client. In each operation
// that pushes, the result sends so many verifications more than it reports.
func (s *Session) Wrap(wrap func(load.Client) load.Client, verifications int) {
	s.clients.wrap, s.clients.added = wrap, verifications
}

// Labels returns what a profile of the session says of itself.
func (s *Session) Labels() map[string]string { return s.labels }

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

// Repeat runs a load once, from a clean slate. A Profiled repetition is profiled into the target
// from when its connections are ready. If ctx ends, Repeat returns an error.
func (s *Session) Repeat(
	ctx context.Context, spec scenarios.LoadSpec, phase Phase, into *ProfileTarget,
) (Measurement, error) {
	s.repetitions++
	t := task{load: spec, Repetition: Repetition{
		Scenario: s.spec.Name, Phase: phase, Number: s.repetitions, Total: s.repetitions, Duration: spec.TotalDuration(),
	}}
	if phase == Profiled {
		t.profile = func(ctx context.Context) (*profiling, error) {
			running, err := capture.Start(ctx, into.Dir, into.Number, into.Config)
			return &profiling{capture: running}, err
		}
	}
	m, err := s.repeat(ctx, t)
	if err != nil {
		return Measurement{}, s.endCause(ctx, err)
	}
	result := Measurement{Counts: m.counts, Findings: m.findings, Operations: m.Succeeded + m.Failed, CPU: m.usage.cpu}
	if phase == Timed {
		// A session's repetitions are so short that the times of a delivery's parts are left to chance.
		result.Records = slices.DeleteFunc(m.records(s.spec, s.repetitions), func(rec results.Record) bool {
			return rec.Op != string(spec.Operation)
		})
	}
	return result, nil
}

// openSession opens what all repetitions share. If it returns an error, it leaves nothing behind.
func openSession(ctx context.Context, o Options) (_ *Session, err error) {
	s := &Session{spec: o.Spec, observer: o.Observer, runID: fmt.Sprintf("%06x", rand.Uint32()&0xffffff)}
	if s.observer == nil {
		s.observer = discard{}
	}
	defer func() {
		if err == nil {
			return
		}
		if ctx.Err() != nil {
			err = ctx.Err() // err says the same in other words
		}
		err = errors.Join(err, s.Close())
	}()
	if err := s.fitConnections(o.Target.Address == target.InProcess); err != nil {
		return nil, err
	}
	if s.artifact, err = openArtifact(ctx, s.spec); err != nil {
		return nil, err
	}
	s.closers = append(s.closers, s.artifact.Close)
	s.clients = clientFactory{
		newClient: newDeliveryClient, config: s.spec.Client.Config(), seed: s.spec.Seed, wrap: o.wrap,
	}
	client := &s.clients.config
	if client.Header, err = resolveHeader(s.spec.Client); err != nil {
		return nil, err
	}
	if err = client.Validate(); err != nil { // the values of headers were unknown before
		return nil, &scenarios.OptionError{Option: "client", Problem: yamlnode.OneLine(err.Error())}
	}
	if client.TLS, err = tlsConfig(s.spec.Client); err != nil {
		return nil, err
	}
	s.clientPackage = reflect.TypeFor[delivery.Client]().PkgPath()
	if o.Client != nil {
		s.clients.newClient = o.Client
		if s.clientPackage, err = s.clients.tryClient(s.spec.Load.Model); err != nil {
			return nil, err
		}
	}
	if s.target, err = target.Open(ctx, o.Target, o.Spec, client.TLS); err != nil {
		return nil, err
	}
	s.closers = append(s.closers, s.target.Close)
	if client.TLS == nil { // the fleet's own authority, or else the system's
		client.TLS = caPool([]byte(cmp.Or(s.target.CA(), o.Target.CA)))
	}
	if a := s.target.Addressing(); a != "" { // as it says itself
		s.spec.Fleet.Addressing = a
	}
	_, most := s.spec.Load.WorkerRange()
	s.recording = load.NewRecording(load.RecordingConfig{
		Op: s.spec.Load.Operation, Planned: s.spec.Load.IsOpen(), Devices: s.target.Devices().Len(),
		Workers: most, Longest: longest(s.spec),
	})
	s.claims = &claims{Outcomes: s.recording.Outcomes}
	if s.target.MayReboot() {
		s.claims.reboots = uint32(most)
	}
	s.labels = map[string]string{
		"scenario": s.spec.Name, "operation": string(s.spec.Load.Operation), "transport": string(s.spec.Client.Transport),
	}
	if id := o.Machine.Identity; id != "" {
		s.labels[profiles.MachineLabel] = id
	}
	return s, ctx.Err()
}

// newRun returns what run.json says before the first repetition.
func (s *Session) newRun(o Options) (results.Run, error) {
	spec, err := json.Marshal(s.spec)
	if err != nil {
		return results.Run{}, err
	}
	asked := o.Spec // without what was fitted to this machine's limits
	asked.Fleet.Addressing = s.spec.Fleet.Addressing
	devices := s.target.Devices().Len()
	digest, err := workloadDigest(asked, s.target.Kind(), devices, s.artifact)
	if err != nil {
		return results.Run{}, err
	}
	run := results.Run{
		ID: s.runID, Scenario: s.spec.Name, Spec: spec, WorkloadDigest: digest,
		Command: o.Command, Seed: s.spec.Seed, Machine: o.Machine, Revision: o.Revision, Started: time.Now().UTC(),
		Status: results.StatusRunning, Valid: true, Unconfirmed: s.target.Witness() == nil,
		Counts:    results.Counts{Devices: devices},
		Transport: string(s.spec.Client.Transport), Addressing: string(s.spec.Addressing()),
	}
	if s.target.Kind() == target.Listed {
		run.Addressing = target.Listed
	}
	return run, nil
}

// update returns the update of one repetition. If the fleet can be reset, every repetition brings
// the same version. If it can't, each brings a version of its own; otherwise a device would count
// as updated because of what an earlier repetition brought.
func (s *Session) update(phase Phase, n int) (*delivery.Update, error) {
	version := s.spec.Artifact.Version
	switch {
	case version != "":
	case s.target.Witness() != nil:
		version = "2.0.0"
	default:
		version = "2.0.0-" + s.runID + "." + string(phase[:1]) + strconv.Itoa(100_000 + n)[1:]
	}
	return delivery.NewUpdate(version, s.artifact)
}

// Close closes what was opened, in the opposite order.
func (s *Session) Close() error {
	var err error
	for i := len(s.closers) - 1; i >= 0; i-- {
		err = errors.Join(err, s.closers[i]())
	}
	s.closers = nil
	return err
}

// exitDelay is the longest time from when the connections to a fleet's process break until it is
// known that the process has ended.
const exitDelay = time.Second

// endCause returns the reason for an error of a repetition: that the fleet is lost, if it is, or
// else err. An error of a file has nothing to do with the fleet.
func (s *Session) endCause(ctx context.Context, err error) error {
	_, file := errors.AsType[*fs.PathError](err)
	if died := s.target.Exited(); died != nil && !file && ctx.Err() == nil {
		late := time.NewTimer(exitDelay)
		defer late.Stop()
		select {
		case <-died:
			return target.ErrExited
		case <-ctx.Done():
		case <-late.C:
		}
	}
	if cause := context.Cause(ctx); isTargetLost(cause) {
		return cause
	}
	return err
}

// isTargetLost reports whether an error says that the fleet ended, or stopped answering.
func isTargetLost(err error) bool {
	return errors.Is(err, target.ErrExited) || errors.Is(err, errTargetSilent)
}

// fitConnections sizes the pool of idle connections, and the number of workers that a load starts
// by itself, to the descriptors that this process may have.
func (s *Session) fitConnections(inProcess bool) error {
	limit, _ := osinfo.DescriptorLimit()
	perConnection := 1
	if inProcess {
		perConnection = 2
	}
	workers, most := s.spec.Load.WorkerRange()
	c := health.Connections{Workers: workers, MaxWorkers: most, MaxIdle: s.spec.Client.MaxIdle}
	fitted, err := c.Fit(limit, perConnection)
	if err != nil {
		who, otherwise := strconv.Itoa(c.Workers), "use fewer workers"
		if c.MaxIdle != 0 {
			who, otherwise = fmt.Sprintf("%s and client.max_idle %d", who, c.MaxIdle), "lower either"
		}
		return &scenarios.OptionError{Option: "load.workers", Value: who, Problem: fmt.Sprintf("%v or %s", err, otherwise)}
	}
	s.spec.Client.MaxIdle, s.maxWorkers = fitted.MaxIdle, fitted.MaxWorkers
	return nil
}
