package cluster

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/fleetmark/fleetmark/mockfleet/address"
	"github.com/fleetmark/fleetmark/results"
	"github.com/fleetmark/fleetmark/scenarios"
	"github.com/fleetmark/fleetmark/scenarios/cluster/bus"
	"github.com/fleetmark/fleetmark/scenarios/health"
	"github.com/fleetmark/fleetmark/scenarios/portion"
	"github.com/fleetmark/fleetmark/scenarios/runner"
)

// A Running is a run with agents that has begun: all agents are ready, and its directory exists. As
// of a [runner.Running], Measure is called once, and Finish after it.
type Running struct {
	r      *session
	o      runner.Options
	result *runner.Result
}

// Start begins a run of a scenario with agents. The options are those of a run in one process;
// those that say where the devices are must be zero. If the run can't begin, Start leaves nothing
// behind and returns an error: there are more or fewer agents than there should be, one of them
// refuses, or they don't have the same plan and artifact.
func (c *Controller) Start(ctx context.Context, o runner.Options) (_ *Running, err error) {
	spec := o.Spec
	spec.Shard = scenarios.ShardSpec{Count: c.Agents}
	if err := spec.Validate(); err != nil {
		return nil, err
	}
	if c.Network.IsValid() {
		if _, err := address.Subnet(c.Network, address.Shard{Count: c.Agents}, spec.Fleet.Devices); err != nil {
			return nil, fmt.Errorf("the device network: %w", err)
		}
	}
	var file *artifact
	if spec.Artifact.File != "" {
		if file, err = describeArtifact(spec.Artifact.File); err != nil {
			return nil, err
		}
	}
	view := newJoinView(o, spec)
	agents, err := c.gather(ctx, view)
	if err != nil {
		return nil, err
	}
	r, err := c.begin(ctx, spec, agents)
	if err != nil {
		return nil, err
	}
	r.observer, r.last = o.Observer, view.first
	defer func() {
		if err != nil {
			err = errors.Join(err, r.end())
		}
	}()
	if file != nil || r.takesProfiles() {
		store, err := bus.Objects(ctx, c.js, runName(r.token))
		if err != nil {
			return nil, fmt.Errorf("a store for the artifact and for profiles: %w", err)
		}
		if file != nil {
			if err := offerArtifact(ctx, store, spec.Artifact.File); err != nil {
				return nil, err
			}
		}
	}
	plan, err := planDigest(spec, file)
	if err != nil {
		return nil, err
	}
	common := offer{
		Protocol: protocol, Run: r.token, Controller: c.Host, Command: o.Command, Artifact: file,
		Revision: o.Revision, Client: ClientName(o), Lease: c.Lease, Network: c.Network,
	}
	// A fleet is up before the offer to its driver, which has the fleet's address.
	for _, group := range [][]*member{r.members[len(r.drivers):], r.drivers} {
		if err := r.offer(ctx, common, group); err != nil {
			return nil, err
		}
		if err := r.awaitReady(ctx, plan, group); err != nil {
			return nil, err
		}
	}
	names := make([]string, len(r.drivers))
	machines := make([]results.Machine, len(r.drivers))
	for i, m := range r.drivers {
		names[i], machines[i] = m.Name, m.Machine
	}
	whole := spec
	whole.Shard = scenarios.ShardSpec{}
	machine, first := results.MergedMachine(machines), r.drivers[0].state.Ready
	r.machine = machine.Identity
	r.merging, err = runner.StartMerging(ctx, runner.MergeOptions{
		Spec: whole, Agents: names, Out: o.Out, Command: o.Command, Revision: o.Revision,
		Machine: machine, Client: first.Client, FleetKind: first.FleetKind,
		Observer: o.Observer, OnInterval: o.OnInterval, OnStart: o.OnStart, OnEnd: o.OnEnd,
		OnAbort: func() { r.stop(results.EndedEarly) },
	})
	if err != nil {
		return nil, err
	}
	for _, text := range factNotes(r.members) {
		r.merging.Note(text)
	}
	return &Running{r: r, o: o}, nil
}

// describeClient returns the name of a client, and its version if it has one.
func describeClient(c results.Client) string { return strings.TrimSpace(c.Name + " " + c.Version) }

// ClientName returns the name of the client that the options have.
func ClientName(o runner.Options) string {
	if o.Client != nil {
		return o.Client.Name
	}
	return "delivery"
}

// How offers are made.
const (
	offerWait     = 2 * time.Second  // for an answer
	offerWaitEach = time.Millisecond // and longer for each agent, since those before it read the clock meanwhile
	offerTries    = 3
	offersAtTime  = 32
)

// offer makes an offer to each of the members, and returns an error that says who refused.
func (r *session) offer(ctx context.Context, common offer, members []*member) error {
	errs := make([]error, len(members))
	places := make(chan struct{}, offersAtTime)
	var all sync.WaitGroup
	for i, m := range members {
		all.Go(func() {
			places <- struct{}{}
			defer func() { <-places }()
			errs[i] = r.offerTo(ctx, common, m)
		})
	}
	all.Wait()
	return firstErrors(errs)
}

// firstErrors joins the first few of many errors. Those that say the same count once.
func firstErrors(errs []error) error {
	var some []error
	more := 0
	for _, err := range errs {
		switch {
		case err == nil:
		case slices.ContainsFunc(some, func(e error) bool { return e.Error() == err.Error() }):
		case len(some) < maxNamed:
			some = append(some, err)
		default:
			more++
		}
	}
	if more > 0 {
		some = append(some, fmt.Errorf("and %d more agents", more))
	}
	return errors.Join(some...)
}

func (r *session) offerTo(ctx context.Context, of offer, m *member) error {
	spec := r.spec
	spec.Shard.Index = m.index
	text, err := json.Marshal(spec)
	if err != nil {
		return err
	}
	of.Spec, of.Role = text, m.Role
	if m.fleet != nil {
		of.Fleet = m.fleet.state.Ready.Fleet
	}
	for try := 1; ; try++ {
		asked, cancel := context.WithTimeout(ctx, offerWait+time.Duration(len(r.members))*offerWaitEach)
		answered, err := r.c.conn.RequestWithContext(asked, offerSubject+m.Name, encode(of))
		cancel()
		switch {
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case err != nil && try < offerTries:
			continue
		case err != nil && !r.c.conn.IsConnected():
			return fmt.Errorf("%w: there was no connection when the agents were asked", errNATSLost)
		case err != nil:
			return fmt.Errorf("agent %s on %s doesn't answer: %w", m.Name, m.Host, err)
		}
		var a answer
		if err := json.Unmarshal(answered.Data, &a); err != nil {
			return fmt.Errorf("agent %s on %s: its answer can't be read: %w", m.Name, m.Host, err)
		}
		if !a.Accepted {
			return fmt.Errorf("agent %s on %s refuses: %s", m.Name, m.Host, a.Reason)
		}
		m.accepted = true
		return nil
	}
}

// awaitReady waits until all of the members are ready, and checks that they are to do the same.
func (r *session) awaitReady(ctx context.Context, plan string, members []*member) error {
	for _, m := range members {
		m.seen = time.Now()
	}
	err := r.awaitAll(ctx, r.last, runner.Readying, members, func(m *member) bool { return m.state.Ready != nil })
	if err != nil {
		return err
	}
	var errs []error
	for _, m := range members {
		first, has := members[0].state.Ready, m.state.Ready
		switch {
		case has.Plan != plan:
			errs = append(errs, fmt.Errorf("agent %s on %s has another plan (digest %.12s, here %.12s)",
				m.Name, m.Host, has.Plan, plan))
		case has.Artifact != first.Artifact:
			errs = append(errs, fmt.Errorf("agent %s on %s has another artifact (SHA-256 %.12s) than agent %s (%.12s)",
				m.Name, m.Host, has.Artifact, members[0].Name, first.Artifact))
		case has.FleetKind != first.FleetKind:
			errs = append(errs, fmt.Errorf("agent %s on %s drives a fleet of the kind %q, agent %s one of %q",
				m.Name, m.Host, has.FleetKind, members[0].Name, first.FleetKind))
		case !reflect.DeepEqual(has.Client, first.Client):
			errs = append(errs, fmt.Errorf("agent %s on %s drives the client %s, agent %s drives %s: give both the same program",
				m.Name, m.Host, describeClient(has.Client), members[0].Name, describeClient(first.Client)))
		case m.Role == Fleet && has.Fleet == nil:
			errs = append(errs, fmt.Errorf("agent %s on %s doesn't say where its fleet is", m.Name, m.Host))
		}
	}
	return firstErrors(errs)
}

// Directory returns the run's directory.
func (r *Running) Directory() string { return r.r.merging.Directory() }

// Measure runs all repetitions with all agents. It always returns a result, and also an error if
// the run failed, as if an agent was lost. The result then has what was measured until then, and is
// invalid. If ctx ends, the run is interrupted, which is no error.
func (r *Running) Measure(ctx context.Context) (*runner.Result, error) {
	err := r.r.repeat(ctx)
	result, err := r.r.conclude(ctx, err)
	r.result = result
	return result, err
}

// Finish writes run.json with the verdict, and releases the agents. It must be called once, after
// Measure.
func (r *Running) Finish(v results.Verdict) error {
	return errors.Join(r.r.merging.Finish(v), r.r.end())
}

// repeat runs the repetitions.
func (r *session) repeat(ctx context.Context) error {
	for rep := range runner.Repetitions(r.spec) {
		if err := r.runRepetition(ctx, rep); err != nil || r.merging.Aborted() {
			return err
		}
	}
	// The agents check for leaks after the last repetition, and finish their directories.
	r.repetition, r.through = runner.Repetition{}, true
	if err := r.awaitAll(ctx, r.last, runner.Uploading, r.drivers, (*member).done); err != nil {
		return err
	}
	return r.collectProfiles(ctx)
}

// startDelay is how long before its start a repetition's start is announced. Each agent has to hear
// of it, and a server passes on some 100,000 messages a second.
func (r *session) startDelay() time.Duration {
	return 100*time.Millisecond + time.Duration(len(r.drivers))*100*time.Microsecond
}

// runRepetition runs one repetition: it starts it when all agents are ready, and merges what they
// measured.
func (r *session) runRepetition(ctx context.Context, rep runner.Repetition) error {
	key := keyOf(rep)
	r.repetition, r.last, r.begun = rep, rep, false
	r.say(func(s *controllerState) { s.Repetition, s.Start = key, 0 })
	atGate := func(m *member) bool { return m.state.AtGate == key }
	if err := r.awaitAll(ctx, rep, runner.AtGate, r.drivers, atGate); err != nil {
		return err
	}
	start := r.c.clock.now() + int64(r.startDelay())
	if err := r.merging.Begin(rep, r.c.clock.moment(start)); err != nil {
		return err
	}
	r.begun, r.armedAt = true, r.c.clock.moment(start)
	r.say(func(s *controllerState) { s.Start = start })
	// While the load runs, the Observer is told of it, and then of this.
	if err := r.awaitAll(ctx, rep, runner.Uploading, r.drivers, func(m *member) bool {
		if r.merging.Aborted() {
			return m.done()
		}
		return m.portion != nil
	}); err != nil || r.merging.Aborted() {
		return err
	}
	r.addSkew(rep, start)
	list := r.portions()
	for _, m := range r.drivers {
		m.portion = nil
	}
	if rep.Phase == runner.Timed {
		if err := r.addFigures(list); err != nil {
			return err
		}
	}
	return r.merging.End(rep, list)
}

// conclude ends what the agents still do, if err or ctx's end says that the run is over before its
// time, and keeps what was measured.
func (r *session) conclude(ctx context.Context, err error) (*runner.Result, error) {
	switch {
	case ctx.Err() != nil:
		r.stop("it was interrupted")
		r.drain()
	case err != nil:
		r.stop(err.Error())
		r.drain()
	case r.merging.Aborted():
		r.stop(results.EndedEarly)
		r.drain()
	}
	switch {
	case ctx.Err() != nil:
		r.merging.Interrupt(r.portions())
		err = nil
	case err != nil:
		r.merging.Fail(findingOf(err), r.portions())
	case r.merging.Aborted():
		r.merging.Interrupt(r.portions())
	}
	r.merging.SetAgents(r.describeAgents())
	return r.merging.Result(), err
}

// stop tells the agents to stop.
func (r *session) stop(reason string) {
	if r.stopped == "" {
		r.stopped = reason
		r.say(func(s *controllerState) { s.Stop = reason })
	}
}

// drain takes what the agents that are left still send, until each has ended its part of the
// repetition, but no longer than a lease. It doesn't wait again for one that has not ended then. If
// NATS is lost, nothing comes any more.
func (r *session) drain() {
	if errors.Is(r.failure, errNATSLost) {
		return
	}
	late, cancel := context.WithTimeout(context.Background(), r.c.Lease)
	defer cancel()
	all, shown := r.waitFor(r.last, runner.Uploading, r.drivers, (*member).done)
	defer shown()
	if r.handleUntil(late, all) == nil {
		return
	}
	for _, m := range r.drivers {
		if !m.done() {
			m.gone = errNotStopped
		}
	}
}

// errNotStopped says that an agent didn't end its load when it was told to.
var errNotStopped = errors.New("it didn't stop")

// portions returns the portions that have come of the repetition that runs. One that has not come
// is nil.
func (r *session) portions() []*portion.Portion {
	list := make([]*portion.Portion, len(r.drivers))
	for i, m := range r.drivers {
		list[i] = m.portion
	}
	return list
}

// findingOf returns why a run is invalid that err ended.
func findingOf(err error) health.Finding {
	kind := health.RunFailed
	if _, lost := errors.AsType[*LostError](err); lost {
		kind = health.AgentLost
	} else if errors.Is(err, errNATSLost) {
		kind = health.NATSLost
	}
	return health.Finding{Kind: kind, Detail: err.Error()}
}
