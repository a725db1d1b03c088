package cluster

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/fleetmark/fleetmark/scenarios"
)

// A job is an agent's part of a run.
type job struct {
	agent *agentServer
	offer offer
	spec  scenarios.Spec // with the agent's shard
	js    jetstream.JetStream
	out   *outbox

	directory string // of its run; empty until there is one

	heard   chan struct{} // has room for one; gets a value with each message of the controller
	changed chan struct{} // has room for one; gets a value when state has changed

	mu         sync.Mutex
	controller controllerState
	lastHeard  time.Time
	news       chan struct{} // closed and replaced when the controller's state has changed
	state      agentState
	offset     offset
}

// Reasons for which a job's context ends before its run is over.
var (
	errControllerLost = errors.New("the controller is gone")
	errStopped        = errors.New("the controller ended the run")
	errRunOver        = errors.New("the run is over")
	errEnded          = errors.New("it was ended on its machine")
)

func newJob(a *agentServer, of offer, spec scenarios.Spec) *job {
	return &job{
		agent: a, offer: of, spec: spec,
		heard: make(chan struct{}, 1), changed: make(chan struct{}, 1), news: make(chan struct{}), lastHeard: time.Now(),
		state: agentState{Instance: a.instance, Phase: preparing},
	}
}

// run takes part in the run until it is over, ctx ends, or the controller is gone. In the last case
// it removes what the controller can't remove any more.
func (j *job) run(caller context.Context) {
	a := j.agent
	a.note("run %s of %s begins: %s, shard %d of %d", j.offer.Run, j.offer.Controller, j.spec.Name,
		j.spec.Shard.Index, max(1, j.spec.Shard.Count))
	over, end := context.WithCancelCause(context.WithoutCancel(caller)) // ends when the agent is free again
	defer end(nil)
	defer context.AfterFunc(caller, func() { end(errEnded) })()
	work, stop := context.WithCancelCause(over) // ends when no more operations are to be sent
	defer stop(nil)
	sub, err := a.conn.Subscribe(runSubject+j.offer.Run+stateOfRun, j.receive)
	if err != nil {
		a.note("run %s: %v", j.offer.Run, err)
		return
	}
	defer func() { _ = sub.Unsubscribe() }()
	if j.js, err = jetstream.New(a.conn); err != nil {
		a.note("run %s: %v", j.offer.Run, err)
		return
	}
	j.out = newOutbox(j.js, runSubject+j.offer.Run+ofAgents+a.Name+resultsOfAgent, a.instance)

	var all sync.WaitGroup
	sending, stopSending := context.WithCancel(context.WithoutCancel(caller))
	all.Go(func() { j.sayStates(sending) })
	all.Go(func() { j.watch(over, stop, end) })
	part := work
	if j.offer.Role == Fleet { // which its driver needs until that has ended its part
		part = over
	}
	err = a.work(j, part)
	j.finish(over, err)
	<-over.Done()
	cause := context.Cause(over)
	if errors.Is(cause, errControllerLost) && a.conn.IsConnected() {
		removeRun(context.Background(), j.js, j.offer.Run)
	}
	stopSending()
	all.Wait()
	switch {
	case errors.Is(cause, errRunOver):
		j.update(func(s *agentState) { s.Phase = free })
		j.sayState()
	case errors.Is(cause, errEnded): // the controller needn't wait for the lease to end
		j.sayGoodbye()
	}
	switch {
	case errors.Is(cause, errEnded):
		a.note("run %s: %v", j.offer.Run, cause)
	case err != nil:
		a.note("run %s: %v", j.offer.Run, err)
	case errors.Is(cause, errRunOver):
		a.note("run %s is over", j.offer.Run)
	default:
		a.note("run %s: %v", j.offer.Run, cause)
	}
}

// receive takes a state of the controller.
func (j *job) receive(m *nats.Msg) {
	var s controllerState
	if json.Unmarshal(m.Data, &s) != nil {
		return
	}
	j.mu.Lock()
	j.lastHeard = time.Now()
	if s != j.controller {
		j.controller = s
		close(j.news)
		j.news = make(chan struct{})
	}
	j.mu.Unlock()
	signal(j.heard)
}

// signal sends a value to a channel that has room for one, unless one is there.
func signal(c chan<- struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// watch ends the load when the controller says so, and everything when the run is over or the
// controller has said nothing for a lease.
func (j *job) watch(over context.Context, stop, end context.CancelCauseFunc) {
	lease := j.offer.Lease
	timer := time.NewTimer(lease)
	defer timer.Stop()
	for {
		select {
		case <-over.Done():
			return
		case <-j.heard:
		case <-timer.C:
		}
		j.mu.Lock()
		s, silent := j.controller, time.Since(j.lastHeard)
		j.mu.Unlock()
		switch {
		case s.Over:
			end(errRunOver)
			return
		case silent >= lease:
			end(fmt.Errorf("%w: it said nothing for %v", errControllerLost, lease))
			return
		case s.Stop != "":
			stop(fmt.Errorf("%w: %s", errStopped, s.Stop))
		}
		timer.Reset(lease - silent)
	}
}

// update changes the state that the controller is told.
func (j *job) update(change func(*agentState)) {
	j.mu.Lock()
	change(&j.state)
	j.mu.Unlock()
	signal(j.changed)
}

// sayStates tells the controller the state, when it changes and several times in each lease, until
// ctx ends. The goroutine does nothing else, so that a load can't keep it from doing so.
func (j *job) sayStates(ctx context.Context) {
	tick := time.NewTicker(j.offer.Lease / beatsPerLease)
	defer tick.Stop()
	for {
		j.sayState()
		select {
		case <-tick.C:
		case <-j.changed:
		case <-ctx.Done():
			return
		}
	}
}

// goodbyeTimeout is how long an agent that is ended takes to tell the controller.
const goodbyeTimeout = 500 * time.Millisecond

// sayGoodbye tells the controller that the agent was ended.
func (j *job) sayGoodbye() {
	j.update(func(s *agentState) { s.Phase, s.Error = failed, errEnded.Error() })
	j.sayState()
	_ = j.agent.conn.FlushTimeout(goodbyeTimeout)
}

// sayState tells the controller the state.
func (j *job) sayState() {
	j.mu.Lock()
	text := encode(j.state)
	j.mu.Unlock()
	subject := runSubject + j.offer.Run + ofAgents + j.agent.Name + stateOfAgent
	_ = j.agent.conn.Publish(subject, text) // without a connection, the next state counts
}

// await waits until the controller's state satisfies a condition.
func (j *job) await(ctx context.Context, condition func(controllerState) bool) (controllerState, error) {
	for {
		j.mu.Lock()
		s, news := j.controller, j.news
		j.mu.Unlock()
		if condition(s) {
			return s, nil
		}
		select {
		case <-news:
		case <-ctx.Done():
			return s, context.Cause(ctx)
		}
	}
}

// finish tells the controller how the work ended, once all results are with it.
func (j *job) finish(over context.Context, err error) {
	j.update(func(s *agentState) { s.Phase, s.Activity = uploading, "" })
	sent, unsent := j.out.close(over)
	if err == nil && unsent != nil {
		err = fmt.Errorf("its results could not be sent: %w", unsent)
	}
	if errors.Is(context.Cause(over), errEnded) { // what else failed follows from it
		err = errEnded
	}
	var profiles uploadState
	if err == nil && j.directory != "" && j.spec.Profiled > 0 {
		profiles = j.uploadProfiles(over)
	}
	j.update(func(s *agentState) {
		s.Phase, s.Results, s.Upload = ended, sent, profiles
		if err != nil && !errors.Is(err, errStopped) && !errors.Is(err, errRunOver) {
			s.Phase, s.Error = failed, err.Error()
		}
	})
}

// measureOffset measures the difference between the controller's clock and this one's.
func (j *job) measureOffset(ctx context.Context, exchanges int) error {
	subject := runSubject + j.offer.Run + clockOfRun
	o, err := measureOffset(ctx, j.agent.clock, exchanges, func(ctx context.Context) (int64, error) {
		ctx, cancel := context.WithTimeout(ctx, j.offer.Lease)
		defer cancel()
		m, err := j.agent.conn.RequestWithContext(ctx, subject, nil)
		if err != nil {
			return 0, err
		}
		return readTime(m.Data)
	})
	if err != nil {
		return err
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	j.offset = o
	return nil
}
