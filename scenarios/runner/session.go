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

// A Session repeats the load of a scenario, or of its shard. It holds what repetitions share: the
// devices, the artifact, how a client is made, and the recording. It writes no run directory. One
// repetition runs at a time, and between repetitions the process does nothing, so several sessions
// may take turns at one fleet.
type Session struct {
	spec     scenarios.Spec // the part of the scenario's shard, with client.max_idle fitted to this machine
	whole    scenarios.Spec // the scenario of all shards
	target   target.Target
	artifact *delivery.Artifact
	clients  clientFactory
	observer Observer
	receive  func(Repetition, *load.Interval, *delivery.Stats) // see Options.OnInterval; may be nil

	gate    func(context.Context, Repetition) error // see Options.Gate; may be nil
	onBegin func(Repetition, time.Time)             // see Options.OnBegin; may be nil
	isPart  bool                                    // the run is a part of a merged run

	invalid string // why earlier repetitions make the run invalid; empty if they don't

	recording *load.Recording                // large, so it is reset and reused
	updating  atomic.Pointer[load.Recording] // of what updates the devices before a load; nil at other times
	claims    *claims

	runID         string            // part of versions if the fleet can't be reset
	labels        map[string]string // labels of profiles
	maxWorkers    int               // the most workers of a load that starts workers as needed
	unopened      unopened
	current       atomic.Pointer[repetitionClient] // the client of the running repetition, or of the last one
	client        results.Client                   // the client that is driven
	clientPackage string                           // what the names of its functions begin with, in profiles
	processes     *processes                       // how the processes of client.command are started; nil without one
	isForeign     bool                             // the client is one of another module, in this process
	service       *serviceClient                   // how client.service is driven; nil without one
	closers       []func() error

	repetitions int // how many repetitions Repeat has begun
}

// OpenSession opens what repetitions share. It ignores Options.Out and what is to be called, and
// takes no lease of the fleet. It returns the same errors as [Start].
func OpenSession(ctx context.Context, o Options) (*Session, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	o.Observer, o.OnInterval, o.Target.Shared, o.wholeOnly = nil, nil, true, true
	o.Gate, o.OnBegin, o.OnPortion = nil, nil, nil
	return openSession(ctx, o)
}

// Wrap makes every later repetition drive the result of wrap instead of its client. verifications
// is how many verifications that result sends in each operation that pushes, besides those that it
// reports.
func (s *Session) Wrap(wrap func(load.Client) load.Client, verifications int) {
	s.clients.wrap, s.clients.added = wrap, verifications
}

// Labels returns the labels of the session's profiles.
func (s *Session) Labels() map[string]string { return s.labels }

// A Measurement is the outcome of one repetition of a session.
type Measurement struct {
	Records    []results.Record // the record of the operation that the load asks for; nil unless the repetition is Timed
	Counts     results.Counts
	Findings   []health.Finding // why the figures can't be trusted; nil if they can
	Operations int64            // number of operations that ended
	CPU        time.Duration    // processor time of the operations
}

// A ProfileTarget says where the profiles of a repetition are written.
type ProfileTarget struct {
	Dir    string
	Number int // number of the repetition, for the names of the files
	Config capture.Config
}

// Repeat prepares and runs the load once. A Profiled repetition is profiled into the target from
// when its connections are open. If ctx ends, Repeat returns an error.
func (s *Session) Repeat(
	ctx context.Context, spec scenarios.LoadSpec, phase Phase, into *ProfileTarget,
) (Measurement, error) {
	s.repetitions++
	spec = scenarios.Spec{Load: spec, Shard: s.whole.Shard}.Part().Load
	t := task{load: spec, Repetition: Repetition{
		Scenario: s.spec.Name, Phase: phase, Number: s.repetitions, Total: s.repetitions, Duration: spec.TotalDuration(),
	}}
	if phase == Profiled {
		t.profile = func(ctx context.Context) (*profiling, error) {
			end, err := s.Profile(ctx, into, spec.TotalDuration())
			return &profiling{remote: end, must: true}, err
		}
	}
	m, err := s.repeat(ctx, t)
	if err != nil {
		return Measurement{}, s.endCause(ctx, err)
	}
	result := Measurement{Counts: m.counts, Findings: m.findings, Operations: m.Succeeded + m.Failed, CPU: m.cpu()}
	if phase == Timed {
		// A session's repetitions are too short for the times of a delivery's parts to mean anything.
		result.Records = slices.DeleteFunc(m.records(s.spec, s.repetitions), func(rec results.Record) bool {
			return rec.Op != string(spec.Operation)
		})
	}
	return result, nil
}

// openSession opens what all repetitions share. If it returns an error, it leaves nothing behind.
func openSession(ctx context.Context, o Options) (_ *Session, err error) {
	s := &Session{
		spec: o.Spec.Part(), whole: o.Spec, observer: o.Observer, receive: o.OnInterval, runID: newRunID(),
		gate: o.Gate, onBegin: o.OnBegin, isPart: o.OnPortion != nil || !o.Spec.Shard.IsWhole(),
	}
	if s.observer == nil {
		s.observer = discard{}
	}
	defer func() {
		if err == nil {
			return
		}
		if ctx.Err() != nil {
			err = ctx.Err() // err only describes the end of ctx
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
		newClient: newDeliveryClient, config: s.spec.Client.Config(), seed: s.spec.Seed, shard: s.spec.Shard.Index,
		wrap: o.wrap,
	}
	client := &s.clients.config
	if client.Header, err = resolveHeader(s.spec.Client); err != nil {
		return nil, err
	}
	if err = client.Validate(); err != nil { // header values come from the environment, so they weren't validated before
		return nil, &scenarios.OptionError{Option: "client", Problem: yamlnode.OneLine(err.Error())}
	}
	if client.TLS, err = tlsConfig(s.spec.Client); err != nil {
		return nil, err
	}
	s.clientPackage = reflect.TypeFor[delivery.Client]().PkgPath()
	s.client = results.Client{Name: "delivery", Package: s.clientPackage}
	switch {
	case !s.spec.Client.Service.IsZero():
		if o.Target.DeviceFile != "" {
			return nil, &scenarios.OptionError{
				Option: "Target.DeviceFile", Problem: "a client.service is judged by the ledger of a fleet, which these devices have none of",
				Want: "leave it out",
			}
		}
		if err = s.openService(ctx); err != nil {
			return nil, err
		}
	case len(s.spec.Client.Command) > 0:
		if err = s.openProcesses(ctx); err != nil {
			return nil, err
		}
	case o.Client != nil:
		s.client.Name, s.isForeign = o.Client.Name, true
		s.clients.newClient = s.foreign(o.Client)
		if s.clientPackage, err = s.clients.tryClient(ctx, s.spec.Load.Model); err != nil {
			return nil, err
		}
		s.client.Package, s.client.Version = buildOf(s.clientPackage)
	}
	if s.target, err = target.Open(ctx, o.Target, o.Spec.Part(), client.TLS); err != nil {
		return nil, err
	}
	s.closers = append(s.closers, s.target.Close)
	if s.service != nil && s.target.Witness() == nil {
		return nil, &scenarios.OptionError{
			Option: "Target.Control", Problem: "a client.service is judged by the fleet's ledger",
			Want: "give the address of its control port, and the token for it",
		}
	}
	if client.TLS == nil { // the fleet's own authority, or else the system's
		trusted := []byte(cmp.Or(s.target.CA(), o.Target.CA))
		client.TLS = caPool(trusted)
		if client.TLS != nil && s.processes != nil {
			err = s.processes.trust(trusted)
		} else if client.TLS != nil && s.service != nil {
			err = s.service.trust(trusted)
		}
		if err != nil {
			return nil, err
		}
	}
	if s.service != nil {
		if err = s.service.listDevices(s.target.Devices().All()); err != nil {
			return nil, err
		}
	}
	if a := s.target.Addressing(); a != "" { // the fleet's own report takes precedence
		s.spec.Fleet.Addressing = a
	}
	_, most := s.spec.Load.WorkerRange()
	recorded := s.recordingConfig(!o.wholeOnly)
	s.recording = load.NewRecording(recorded)
	s.claims = &claims{
		Outcomes: s.recording.Outcomes, shard: s.spec.Shard, groups: len(recorded.Groups), groupOf: recorded.GroupOf,
	}
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

// newRunID returns the ID of a new run.
func newRunID() string { return fmt.Sprintf("%06x", rand.Uint32()&0xffffff) }

// newRun returns the content of run.json before the first repetition.
func (s *Session) newRun(o Options) (results.Run, error) {
	asked := o.Spec // the scenario before it was fitted to this machine's limits
	asked.Fleet.Addressing = s.spec.Fleet.Addressing
	fitted := asked
	fitted.Client.MaxIdle = s.spec.Client.MaxIdle
	spec, err := json.Marshal(fitted)
	if err != nil {
		return results.Run{}, err
	}
	devices, all := s.target.Devices().Len(), s.target.Devices().Len()
	if !asked.Shard.IsWhole() {
		all = asked.Fleet.Devices
	}
	digest, err := workloadDigest(asked, s.target.Kind(), all, s.artifact)
	if err != nil {
		return results.Run{}, err
	}
	run := results.Run{
		ID: s.runID, Scenario: s.spec.Name, Spec: spec, WorkloadDigest: digest,
		Command: o.Command, Seed: s.spec.Seed, Machine: o.Machine, Revision: o.Revision, Started: time.Now().UTC(),
		Status: results.StatusRunning, Valid: true, Unconfirmed: s.target.Witness() == nil,
		Counts: results.Counts{Devices: devices},
		Client: s.client, Transport: string(s.spec.Client.Transport), Addressing: string(s.spec.Addressing()),
	}
	if s.target.Kind() == target.Listed {
		run.Addressing = target.Listed
	}
	if o.Client != nil || s.processes != nil || s.service != nil {
		run.Transport = ""
	}
	return run, nil
}

// update returns the update of one repetition. If the fleet can be reset, every repetition has the
// same version. Otherwise each has its own version, so that a device doesn't count as updated
// because of an earlier repetition.
func (s *Session) update(phase Phase, n int) (*delivery.Update, error) {
	version := s.spec.Artifact.Version
	switch {
	case version != "":
	case s.target.Witness() != nil && s.service == nil:
		version = "2.0.0"
	default:
		version = "2.0.0-" + s.runID + "." + string(phase[:1]) + strconv.Itoa(100_000 + n)[1:]
	}
	return delivery.NewUpdate(version, s.artifact)
}

// Close closes what was opened, in reverse order.
func (s *Session) Close() error {
	var err error
	for i := len(s.closers) - 1; i >= 0; i-- {
		err = errors.Join(err, s.closers[i]())
	}
	s.closers = nil
	return err
}

// exitDelay is the longest time between the moment when the connections to a fleet's process break
// and the moment when its exit is known.
const exitDelay = time.Second

// endCause returns the reason for the error of a repetition: that the fleet is lost or the client
// hangs, if so, or else err. An error about a file never means that the fleet is lost.
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
	if cause := context.Cause(ctx); isTargetLost(cause) || errors.Is(cause, errClientHangs) {
		return cause
	}
	return err
}

// isTargetLost reports whether an error means that the fleet has ended or doesn't answer.
func isTargetLost(err error) bool {
	return errors.Is(err, target.ErrExited) || errors.Is(err, errTargetSilent)
}

// fitConnections limits the pool of idle connections, and the number of workers that a load starts
// as needed, to what this process's limit of descriptors allows.
func (s *Session) fitConnections(inProcess bool) error {
	limit, _ := osinfo.DescriptorLimit()
	perConnection := 1
	if inProcess {
		perConnection = 2
	}
	workers, most := s.spec.Load.WorkerRange()
	if s.spec.Load.AutoWorkers() {
		most = s.spec.Shard.Portion(most)
	}
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
