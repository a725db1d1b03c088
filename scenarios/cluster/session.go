package cluster

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/fleetmark/fleetmark/results"
	"github.com/fleetmark/fleetmark/scenarios"
	"github.com/fleetmark/fleetmark/scenarios/cluster/bus"
	"github.com/fleetmark/fleetmark/scenarios/portion"
	"github.com/fleetmark/fleetmark/scenarios/runner"
)

// A session is what a controller does in one run. Its methods are called by one goroutine; others
// only send it events.
type session struct {
	c       *Controller
	token   string
	spec    scenarios.Spec // with the number of shards
	shape   portion.Shape
	members []*member // drivers by the index of their shard, and then fleets
	drivers []*member
	byName  map[string]*member

	events   chan event
	over     chan struct{} // closed when nobody takes events any more
	stopping []func()      // what ends with the run, in reverse order
	sending  sync.WaitGroup

	mu      sync.Mutex
	state   controllerState
	changed chan struct{} // has room for one

	observer runner.Observer // may be nil
	waiting  wait            // zero while nothing is waited for

	left         time.Time // when nobody handled events any more; zero before the first time
	disconnected time.Time // since when there is no connection; zero if there is one
	reconnects   uint64    // of the connection that are known
	unsure       time.Time // since when it isn't known whether NATS still has the run; zero if it has

	repetition runner.Repetition // that runs, or comes next; zero before the first and after the last
	last       runner.Repetition // that runs, comes next, or was the last
	through    bool              // whether the last repetition has ended
	machine    string            // identity of the agents' machines together
	merging    *runner.Merging   // nil until all agents are ready
	begun      bool              // whether the repetition's load has begun
	armedAt    time.Time
	failure    error  // why the run can't go on
	stopped    string // why the agents were told to stop; empty if they weren't
	agents     results.Agents
}

// An event is a message of an agent, or says that no more of them come. One of state, result and
// broken is set.
type event struct {
	agent  string
	state  *agentState
	result jetstream.Msg
	broken error // why no more results come; nil in an event of an agent
}

// maxEvents is how many events wait for the controller. What is beyond waits in NATS.
const maxEvents = 1024

// begin makes what a run has in NATS, and begins to talk to its agents.
func (c *Controller) begin(ctx context.Context, spec scenarios.Spec, agents roster) (_ *session, err error) {
	r := &session{
		c: c, token: newToken(6), spec: spec, shape: runner.PortionShape(spec), byName: map[string]*member{},
		events: make(chan event, maxEvents), over: make(chan struct{}), changed: make(chan struct{}, 1),
		reconnects: c.conn.Stats().Reconnects,
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, r.end())
		}
	}()
	for _, list := range [][]Info{agents.drivers, agents.fleets} {
		for i, info := range list {
			m := &member{Info: info, index: i, seen: time.Now(), next: 1, figures: newFigures()}
			r.members = append(r.members, m)
			r.byName[m.Name] = m
		}
	}
	r.drivers = r.members[:len(agents.drivers)]
	for i, m := range r.members[len(agents.drivers):] {
		r.drivers[i].fleet = m
	}
	// It answers that it is there as long as it has a stream, or another controller would remove that.
	if err := r.listen(); err != nil {
		return nil, err
	}
	r.stopping = append(r.stopping, func() { removeRun(context.WithoutCancel(ctx), c.js, r.token) })
	stream, err := bus.RunStream(ctx, c.js, runName(r.token),
		[]string{runSubject + r.token + ofAgents + "*" + resultsOfAgent})
	if err != nil {
		return nil, fmt.Errorf("a stream for the results: %w", err)
	}
	consumer, err := bus.Consumer(ctx, stream, "controller")
	if err != nil {
		return nil, fmt.Errorf("a consumer of the results: %w", err)
	}
	consuming, err := consumer.Consume(func(m jetstream.Msg) {
		name := strings.TrimSuffix(strings.TrimPrefix(m.Subject(), runSubject+r.token+ofAgents), resultsOfAgent)
		r.post(event{agent: name, result: m})
	}, jetstream.PullMaxMessages(maxEvents/4), jetstream.ConsumeErrHandler(r.consumeError))
	if err != nil {
		return nil, fmt.Errorf("consuming the results: %w", err)
	}
	r.stopping = append(r.stopping, func() { consuming.Stop(); <-consuming.Closed() })
	sending, stop := context.WithCancel(context.WithoutCancel(ctx))
	r.sending.Go(func() { r.sayStates(sending) })
	r.stopping = append(r.stopping, func() { stop(); r.sending.Wait() })
	return r, nil
}

// consumeError notes that no more results come, if that is what err says. All other errors go away
// by themselves, or the lost connection is noticed.
func (r *session) consumeError(_ jetstream.ConsumeContext, err error) {
	if errors.Is(err, jetstream.ErrConsumerDeleted) || errors.Is(err, jetstream.ErrBadRequest) {
		r.post(event{broken: err})
	}
}

// post passes an event to the goroutine of the run, unless the run is over.
func (r *session) post(e event) {
	select {
	case r.events <- e:
	case <-r.over:
	}
}

// listen begins to hear the agents' states, and to answer what time it is.
func (r *session) listen() error {
	subject := runSubject + r.token
	for on, handle := range map[string]nats.MsgHandler{
		subject + ofAgents + "*" + stateOfAgent: func(m *nats.Msg) {
			var s agentState
			if json.Unmarshal(m.Data, &s) == nil {
				name := strings.TrimSuffix(strings.TrimPrefix(m.Subject, subject+ofAgents), stateOfAgent)
				r.post(event{agent: name, state: &s})
			}
		},
		subject + clockOfRun: func(m *nats.Msg) { _ = m.Respond(appendTime(nil, r.c.clock.now())) },
		subject + aliveOfRun: func(m *nats.Msg) { _ = m.Respond(nil) },
	} {
		s, err := r.c.conn.Subscribe(on, handle)
		if err != nil {
			return fmt.Errorf("subscribing to %s: %w", on, err)
		}
		r.stopping = append(r.stopping, func() { _ = s.Unsubscribe() })
	}
	return nil
}

// say changes what the agents are told.
func (r *session) say(change func(*controllerState)) {
	r.mu.Lock()
	change(&r.state)
	r.mu.Unlock()
	signal(r.changed)
}

// sayStates tells the agents the state, when it changes and several times in each lease, until ctx
// ends. The last thing that it says is the last state.
func (r *session) sayStates(ctx context.Context) {
	tick := time.NewTicker(r.c.Lease / beatsPerLease)
	defer tick.Stop()
	for last := false; ; {
		r.mu.Lock()
		text := encode(r.state)
		r.mu.Unlock()
		_ = r.c.conn.Publish(runSubject+r.token+stateOfRun, text) // without a connection, the next one counts
		if last {
			return
		}
		select {
		case <-tick.C:
		case <-r.changed:
		case <-ctx.Done():
			last = true
		}
	}
}

// end releases the agents and removes what the run has in NATS. It waits until the agents are free,
// but no longer than a lease, and only while there is a connection.
func (r *session) end() error {
	r.say(func(s *controllerState) { s.Over = true })
	late, cancel := context.WithTimeout(context.Background(), r.c.Lease)
	defer cancel()
	_ = r.handleUntil(late, func() bool {
		return !r.c.conn.IsConnected() || !slices.ContainsFunc(r.members, (*member).busy)
	})
	close(r.over)
	for _, stop := range slices.Backward(r.stopping) {
		stop()
	}
	return nil
}

// await handles events until a condition is true. It returns the cause of ctx's end if that comes
// first, and r.failure if the run can't go on.
func (r *session) await(ctx context.Context, condition func() bool) error {
	err := r.handleUntil(ctx, func() bool { return r.failure != nil || condition() })
	if r.failure != nil {
		return r.failure
	}
	return err
}

// handleUntil handles events until a condition is true, whether or not the run can go on. It
// returns the cause of ctx's end if that comes first.
func (r *session) handleUntil(ctx context.Context, condition func() bool) error {
	tick := time.NewTicker(r.c.Lease / (2 * beatsPerLease))
	defer tick.Stop()
	show := time.NewTicker(viewInterval)
	defer show.Stop()
	if now := time.Now(); now.Sub(r.left) > r.c.Lease/(2*beatsPerLease) {
		for _, m := range r.members { // nobody has listened to them
			m.seen = now
		}
	}
	defer func() { r.left = time.Now() }()
	for !condition() {
		select {
		case e := <-r.events:
			r.handle(e)
		case <-tick.C:
			for range len(r.events) { // an agent whose message waits isn't silent
				r.handle(<-r.events)
			}
			r.checkLeases(ctx)
		case now := <-show.C:
			r.show(now)
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return nil
}

// redeliverAfter is how long a message waits that came before one that the agent sent earlier.
const redeliverAfter = 100 * time.Millisecond

// handle takes an event.
func (r *session) handle(e event) {
	if e.broken != nil {
		r.fail(fmt.Errorf("%w: somebody removed the run's stream or its consumer: %w", errNATSLost, e.broken))
		return
	}
	m := r.byName[e.agent]
	if m == nil || e.state != nil && e.state.Instance != m.Instance {
		return
	}
	if e.result != nil && m.ahead(e.result) { // it comes again, which says nothing about the agent
		_ = e.result.NakWithDelay(redeliverAfter)
		return
	}
	m.seen = time.Now()
	if e.state != nil {
		m.state = *e.state
		if m.state.Phase == failed {
			r.lose(m, LostError{Why: m.state.Error})
		}
		return
	}
	if err := r.take(m, e.result); err != nil {
		r.lose(m, LostError{Why: err.Error()})
	}
	_ = e.result.Ack() // without a connection, it comes again, and is ignored
}

// fail notes why the run can't go on. What else fails follows from the first failure.
func (r *session) fail(err error) {
	if r.failure == nil {
		r.failure = err
	}
}

// lose notes that an agent takes no part any more, unless that is known. The first agent that is
// lost decides why the run fails.
func (r *session) lose(m *member, err LostError) {
	if m.gone != nil {
		return
	}
	err.Agent, err.When, err.at = m.Name, r.when(), time.Now()
	if err.phase, err.repetition = string(r.repetition.Phase), r.repetition.Number; err.phase == "" {
		err.phase = string(m.state.Phase)
	}
	m.lost, m.gone = &err, &err
	r.fail(&err)
}

// when says how far the run is.
func (r *session) when() string {
	switch {
	case r.through:
		return "after the last repetition"
	case r.repetition.Number == 0:
		return "before the first repetition"
	case !r.begun:
		return fmt.Sprintf("before %v", keyOf(r.repetition))
	}
	return fmt.Sprintf("%v after the start of %v", time.Since(r.armedAt).Round(10*time.Millisecond), keyOf(r.repetition))
}

// errNATSLost is the error of a run whose NATS server is gone, or has forgotten the run.
var errNATSLost = errors.New("NATS was lost")

// maxGap is how long a message with results may be missing after one that was sent later has come.
// NATS delivers a message again whose delivery failed, but not at once.
const maxGap = 30 * time.Second

// checkLeases finds agents that have said nothing for a lease. While there is no connection, nobody
// can say anything.
func (r *session) checkLeases(ctx context.Context) {
	now, lease := time.Now(), r.c.Lease
	if !r.c.conn.IsConnected() {
		if r.disconnected.IsZero() {
			r.disconnected = now
		}
		if now.Sub(r.disconnected) > lease {
			r.fail(fmt.Errorf("%w: there was no connection for %v", errNATSLost, lease))
		}
		return
	}
	// A connection may be lost and back between two calls.
	if n := r.c.conn.Stats().Reconnects; n != r.reconnects {
		r.reconnects, r.disconnected, r.unsure = n, time.Time{}, now
		for _, m := range r.members {
			m.seen = now
		}
	}
	if !r.unsure.IsZero() {
		r.checkStream(ctx)
	}
	for _, m := range r.members {
		switch {
		case !m.accepted: // it has nothing to say
		case now.Sub(m.seen) > lease:
			r.lose(m, LostError{After: now.Sub(m.seen)})
		case !m.gap.IsZero() && now.Sub(m.gap) > maxGap:
			r.lose(m, LostError{Why: "messages with its results are missing"})
		}
	}
}

// How NATS is asked whether it still has a run. JetStream may begin to answer later than the
// server.
const (
	askTimeout = 250 * time.Millisecond // for one question
	askFor     = 10 * time.Second       // beyond a lease
)

// checkStream checks whether the NATS server that is back still has what the run keeps in it.
func (r *session) checkStream(ctx context.Context) {
	asked, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	switch _, err := r.c.js.Stream(asked, runName(r.token)); {
	case err == nil:
		r.unsure = time.Time{}
	case errors.Is(err, jetstream.ErrStreamNotFound):
		r.fail(fmt.Errorf("%w: it was started again, and has forgotten the results of the agents", errNATSLost))
	case time.Since(r.unsure) > r.c.Lease+askFor:
		r.fail(fmt.Errorf("%w: it doesn't say whether it still has the results of the agents: %w", errNATSLost, err))
	}
}

// take takes a message with results. Messages come in order; one that came before is ignored.
func (r *session) take(m *member, msg jetstream.Msg) error {
	h := msg.Headers()
	number, err := strconv.ParseUint(h.Get(countHeader), 10, 64)
	switch {
	case err != nil:
		return fmt.Errorf("a message with results has the number %q", h.Get(countHeader))
	case number < m.next:
		return nil
	case number > m.next:
		return fmt.Errorf("%d of its messages with results are missing", number-m.next)
	case len(m.partial)+len(msg.Data()) > maxQueued:
		return fmt.Errorf("a result is larger than %d MiB", maxQueued>>20)
	}
	m.next, m.gap = m.next+1, time.Time{}
	m.partial = append(m.partial, msg.Data()...)
	if h.Get(lastHeader) == "" {
		return nil
	}
	data := m.partial
	m.partial = nil
	switch kind := h.Get(kindHeader); kind {
	case intervalsKind:
		var list []intervalMessage
		if err := json.Unmarshal(data, &list); err != nil {
			return fmt.Errorf("its intervals can't be read: %w", err)
		}
		for _, v := range list {
			if err := r.addInterval(m, v); err != nil {
				return err
			}
		}
		return nil
	case portionKind:
		var p portionMessage
		if err := json.Unmarshal(data, &p); err != nil {
			return fmt.Errorf("its portion can't be read: %w", err)
		}
		switch {
		case p.Repetition != keyOf(r.repetition) || !r.begun:
			return fmt.Errorf("a portion of %v came %s", p.Repetition, r.when())
		case m.portion != nil:
			return fmt.Errorf("a second portion of %v came", p.Repetition)
		}
		of, err := r.shape.Read(p.Portion)
		if err != nil {
			return err
		}
		m.portion, m.began, m.within = of, p.Began, p.Within
		return nil
	default:
		return fmt.Errorf("a result of the kind %q: this program knows none", kind)
	}
}

// addInterval adds an interval to the merged run.
func (r *session) addInterval(m *member, v intervalMessage) error {
	if v.Repetition != keyOf(r.repetition) || !r.begun {
		return fmt.Errorf("an interval of %v came %s", v.Repetition, r.when())
	}
	of, err := r.shape.ReadInterval(v.Interval)
	if err != nil {
		return err
	}
	return r.merging.Interval(r.repetition, m.index, of)
}
