package cluster

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/fleetmark/fleetmark/results"
	"github.com/fleetmark/fleetmark/scenarios"
	"github.com/fleetmark/fleetmark/scenarios/runner"
)

// AgentOptions say what an agent is.
type AgentOptions struct {
	Name string // unique in the cluster; see CheckName
	Role Role   // empty: Both
	Host string // of its machine, for people

	Runs int // how many runs it takes part in before ServeAgent returns; 0: any number

	// Network is the device network that a fleet's agent gives its devices addresses of, and Listen
	// the address of this machine at which drivers reach the fleet's control port. Only for the role
	// Fleet.
	Network netip.Prefix
	Listen  netip.Addr

	Out      string          // the directory in which its run directories are made
	Revision string          // of the source of the program
	Machine  results.Machine // of the agent
	Facts    []string        // what the doctor finds unfit about the machine
	Client   string          // name of the client that it drives

	// Options returns the options of a run of a scenario, without what this package sets: the
	// scenario, where the run directory is made, and all functions that are called.
	Options func() runner.Options

	// Note is called with a line for a person when something happens: the agent has connected, a run
	// begins or ends. Calls don't overlap. It may be nil.
	Note func(string)

	work worker // does the agent's part of a run; nil: (*job).work
}

// A worker does an agent's part of a run. It is replaced in simulations.
type worker func(j *job, ctx context.Context) error

// The lease by default, and its bounds.
const (
	defaultLease = 5 * time.Second
	minLease     = 500 * time.Millisecond
	maxLease     = 10 * time.Minute
)

// beatsPerLease is how many times in a lease each side says that it is there.
const beatsPerLease = 5

// Validate returns an error if no agent can have the options.
func (o AgentOptions) Validate() error {
	if err := CheckName(o.Name); err != nil {
		return err
	}
	if !slices.Contains([]Role{"", Both, Driver, Fleet}, o.Role) {
		return fmt.Errorf("role %q: want both, driver or fleet", o.Role)
	}
	if o.Runs < 0 {
		return fmt.Errorf("%d runs: want 0 for any number, or more", o.Runs)
	}
	if o.Network.IsValid() != (o.Role == Fleet) {
		if o.Role == Fleet {
			return errors.New("an agent that is a fleet needs the network of its devices")
		}
		return fmt.Errorf("a network of devices is for an agent with the role fleet, not %s", cmp.Or(o.Role, Both))
	}
	return nil
}

// An agentServer is a running agent.
type agentServer struct {
	AgentOptions
	conn     *nats.Conn
	instance string
	started  time.Time
	clock    clock

	mu      sync.Mutex
	busy    string        // token of the run that it has; empty if it has none
	leaving bool          // it accepts no offers any more
	rival   Info          // the agent that has this one's name
	jobs    chan *job     // accepted offers; one at most
	lost    chan struct{} // closed when another agent has this one's name
	once    sync.Once     // sets rival and closes lost
}

// ErrNameTaken is the error of ServeAgent if another agent has its name.
var ErrNameTaken = errors.New("another agent has this name")

// ServeAgent is an agent until ctx ends, or until it has taken part in so many runs as the options
// say. conn must stay open; it may lose its connection and find it again. ServeAgent returns
// ErrNameTaken if another agent of the same name is there, and nil if ctx ended.
func ServeAgent(ctx context.Context, conn *nats.Conn, o AgentOptions) error {
	if err := o.Validate(); err != nil {
		return err
	}
	o.Role = cmp.Or(o.Role, Both)
	if o.work == nil {
		o.work = (*job).work
	}
	a := &agentServer{
		AgentOptions: o, conn: conn, instance: newToken(8), started: time.Now(), clock: newClock(),
		jobs: make(chan *job, 1), lost: make(chan struct{}),
	}
	stop, err := a.subscribe()
	if err != nil {
		return err
	}
	defer stop()
	if err := a.claimName(ctx); err != nil {
		return err
	}
	if ctx.Err() == nil {
		a.note("agent %s is ready", a.Name)
	}
	defer a.leave(ctx)
	for done := 1; ; done++ {
		select {
		case <-ctx.Done():
			return nil
		case <-a.lost:
			return a.rival.taken()
		case j := <-a.jobs:
			j.run(ctx)
			a.mu.Lock()
			a.busy, a.leaving = "", done == a.Runs
			a.mu.Unlock()
			if done == a.Runs {
				return nil
			}
		}
	}
}

// leave ends what the agent has accepted at the last moment, so that the controller learns of it.
func (a *agentServer) leave(ctx context.Context) {
	a.mu.Lock()
	a.leaving = true
	a.mu.Unlock()
	select {
	case j := <-a.jobs:
		j.run(canceled(ctx, errEnded))
	default:
	}
}

// taken returns the error of an agent whose name i has.
func (i Info) taken() error {
	return fmt.Errorf("%w: %s, on %s since %s: give this one another with --name", ErrNameTaken, i.Name, i.Host,
		i.Started.Format(time.DateTime))
}

func (a *agentServer) note(format string, args ...any) {
	if a.Note != nil {
		a.Note(fmt.Sprintf(format, args...))
	}
}

// subscribe begins to answer who is there, whether the name is taken, and offers.
func (a *agentServer) subscribe() (stop func(), err error) {
	var subs []*nats.Subscription
	stop = func() {
		for _, s := range subs {
			_ = s.Unsubscribe() // fails only if the connection is closed
		}
	}
	for subject, handle := range map[string]nats.MsgHandler{
		discoverSubject:       func(m *nats.Msg) { _ = m.Respond(encode(a.info())) },
		nameSubject + a.Name:  a.answerName,
		offerSubject + a.Name: a.answerOffer,
	} {
		s, err := a.conn.Subscribe(subject, handle)
		if err != nil {
			stop()
			return nil, fmt.Errorf("subscribing to %s: %w", subject, err)
		}
		subs = append(subs, s)
	}
	return stop, nil
}

func (a *agentServer) info() Info {
	a.mu.Lock()
	defer a.mu.Unlock()
	return Info{
		Protocol: protocol, Name: a.Name, Instance: a.instance, Started: a.started, Role: a.Role, Host: a.Host,
		Revision: a.Revision, Client: a.Client, Busy: a.busy, Machine: a.Machine, Facts: a.Facts,
	}
}

// answerName answers whether the name is taken. If the one who asks was there first, this agent
// goes.
func (a *agentServer) answerName(m *nats.Msg) {
	var other Info
	if json.Unmarshal(m.Data, &other) != nil || other.Instance == a.instance {
		return
	}
	_ = m.Respond(encode(a.info()))
	if other.before(a.info()) {
		a.once.Do(func() {
			a.rival = other
			close(a.lost)
		})
	}
}

// before reports whether i has the right to its name rather than another agent.
func (i Info) before(other Info) bool {
	if c := i.Started.Compare(other.Started); c != 0 {
		return c < 0
	}
	return i.Instance < other.Instance
}

// nameTimeout is how long other agents have to say that they have a name.
const nameTimeout = 300 * time.Millisecond

// claimName returns ErrNameTaken if another agent has this one's name. It waits until the
// connection is there.
func (a *agentServer) claimName(ctx context.Context) error {
	for !a.conn.IsConnected() {
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(50 * time.Millisecond):
		}
	}
	inbox := a.conn.NewInbox()
	answers, err := a.conn.SubscribeSync(inbox)
	if err != nil {
		return err
	}
	defer func() { _ = answers.Unsubscribe() }()
	mine := a.info()
	if err := a.conn.PublishRequest(nameSubject+a.Name, inbox, encode(mine)); err != nil {
		return err
	}
	for late := time.Now().Add(nameTimeout); ; {
		m, err := answers.NextMsg(time.Until(late))
		var other Info
		switch {
		case err != nil: // nobody has it, or nobody said more in time
			return nil
		case json.Unmarshal(m.Data, &other) == nil && other.Instance != a.instance && other.before(mine):
			return other.taken()
		}
	}
}

// answerOffer accepts an offer, or says why not.
func (a *agentServer) answerOffer(m *nats.Msg) {
	refuse := func(format string, args ...any) {
		_ = m.Respond(encode(answer{Reason: fmt.Sprintf(format, args...)}))
	}
	var of offer
	if err := json.Unmarshal(m.Data, &of); err != nil {
		refuse("the offer can't be read: %v", err)
		return
	}
	var spec scenarios.Spec
	switch err := json.Unmarshal(of.Spec, &spec); {
	case of.Protocol != protocol:
		refuse("it speaks protocol %d, the controller %d: use the same version of fleetmark", protocol, of.Protocol)
		return
	case err != nil:
		refuse("the scenario can't be read: %v", err)
		return
	case !tokenForm.MatchString(of.Run):
		refuse("the run is called %q: want 12 hexadecimal digits", of.Run)
		return
	case of.Revision != a.Revision:
		refuse("its program is of revision %s, the controller's of %s: use the same", a.Revision, of.Revision)
		return
	case of.Client != a.Client:
		refuse("it drives the client %s, the controller's is %s: use the same program", a.Client, of.Client)
		return
	case of.Role != a.Role:
		refuse("its role is %s, the run needs %s", a.Role, of.Role)
		return
	case of.Role == Fleet && of.Network != a.Network:
		refuse("its devices have addresses of %v, those of the run are to have addresses of %v: give both the same --device-network",
			a.Network, of.Network)
		return
	case of.Lease < minLease || of.Lease > maxLease:
		refuse("the lease is %v: want %v to %v", of.Lease, minLease, maxLease)
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.leaving {
		refuse("it is ending")
		return
	}
	if a.busy != "" {
		if a.busy == of.Run { // the answer was lost, and the controller asks again
			_ = m.Respond(encode(answer{Accepted: true}))
			return
		}
		refuse("it takes part in run %s", a.busy)
		return
	}
	a.busy = of.Run
	a.jobs <- newJob(a, of, spec) // has room, since the agent isn't busy
	_ = m.Respond(encode(answer{Accepted: true}))
}
