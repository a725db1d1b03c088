package cluster

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/fleetmark/fleetmark/internal/plaintext"
	"github.com/fleetmark/fleetmark/mockfleet/address"
)

// Options say which agents runs are done with.
type Options struct {
	Agents  int           // how many agents drive: 1 to address.MaxShards
	Wait    time.Duration // how long to wait for them; 0: defaultWait
	Lease   time.Duration // after which an agent that says nothing is lost; 0: defaultLease
	Host    string        // of the controller, for people
	Network netip.Prefix  // of the devices, if as many further agents are their fleet; none: each agent has its own

	// Note is called with a line for a person when something happens, such as an agent that came.
	// Calls don't overlap. It may be nil.
	Note func(string)
}

// defaultWait is how long the controller waits for agents.
const defaultWait = time.Minute

// Validate returns an error if no run can be done with the options.
func (o Options) Validate() error {
	if o.Agents < 1 || o.Agents > address.MaxShards {
		return fmt.Errorf("%d agents: want 1 to %d", o.Agents, address.MaxShards)
	}
	if o.Wait < 0 {
		return fmt.Errorf("waiting %v for agents: want 0s or more", o.Wait)
	}
	if o.Lease != 0 && (o.Lease < minLease || o.Lease > maxLease) {
		return fmt.Errorf("a lease of %v: want %v to %v", o.Lease, minLease, maxLease)
	}
	return nil
}

// A Controller does runs with agents, one after another.
type Controller struct {
	Options
	conn  *nats.Conn
	js    jetstream.JetStream
	clock clock
}

// NewController returns a controller. conn must stay open while it is used; it may lose its
// connection and find it again. NewController removes what controllers that are gone left in
// JetStream.
func NewController(ctx context.Context, conn *nats.Conn, o Options) (*Controller, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	o.Wait, o.Lease = cmp.Or(o.Wait, defaultWait), cmp.Or(o.Lease, defaultLease)
	js, err := jetstream.New(conn)
	if err != nil {
		return nil, err
	}
	c := &Controller{o, conn, js, newClock()}
	if err := c.removeOrphans(ctx); err != nil {
		return nil, err
	}
	return c, nil
}

func (c *Controller) note(format string, args ...any) {
	if c.Note != nil {
		c.Note(fmt.Sprintf(format, args...))
	}
}

// roundTime is how long agents have to say that they are there, after the question or the answer of
// another.
const roundTime = 300 * time.Millisecond

// A roster is the agents of a run by role, each list in the order of their names.
type roster struct{ drivers, fleets []Info }

// gather waits until as many agents as the run needs are there and free. It is an error if there
// are more, since which ones take part would be chance.
func (c *Controller) gather(ctx context.Context, view *joinView) (roster, error) {
	defer view.close()
	late := time.Now().Add(c.Wait)
	var before, noted, unfit string
	for {
		all, err := c.whoIsThere(ctx)
		if err != nil {
			return roster{}, err
		}
		r, err := c.choose(all)
		if err != nil {
			if err.Error() == unfit { // in two rounds, so that one that is just going doesn't count
				return roster{}, err
			}
			before, unfit = "", err.Error()
			continue
		}
		unfit = ""
		complete := len(r.drivers) == c.Agents && len(r.fleets) == c.fleets()
		now := r.instances()
		switch {
		case complete && now == before: // the same in two rounds, so that one that answers late isn't missed
			return r, nil
		case !complete && time.Now().After(late):
			return roster{}, errors.New(c.tooFew(r, all, fmt.Sprintf("came within %v", c.Wait)))
		}
		if !complete {
			view.show(len(r.drivers)+len(r.fleets), c.Agents+c.fleets())
		}
		if text := c.tooFew(r, all, "came so far"); !complete && text != noted && before != "" {
			c.note("waiting for agents: %s", text)
			noted = text
		}
		before = now
	}
}

// fleets returns how many agents have to be fleets.
func (c *Controller) fleets() int {
	if c.Network.IsValid() {
		return c.Agents
	}
	return 0
}

// driverRole returns the role of the agents that drive.
func (c *Controller) driverRole() Role {
	if c.Network.IsValid() {
		return Driver
	}
	return Both
}

// whoIsThere asks who is there, and returns all answers of a round, sorted by name.
func (c *Controller) whoIsThere(ctx context.Context) ([]Info, error) {
	inbox := c.conn.NewInbox()
	answers, err := c.conn.SubscribeSync(inbox)
	if err != nil {
		return nil, err
	}
	defer func() { _ = answers.Unsubscribe() }()
	if err := c.conn.PublishRequest(discoverSubject, inbox, nil); err != nil {
		return nil, fmt.Errorf("asking for agents: %w", err)
	}
	// A thousand answers may take longer than a round, which goes on while they come.
	var all []Info
	for late := time.Now().Add(max(c.Wait, roundTime)); ; {
		round, cancel := context.WithTimeout(ctx, roundTime)
		m, err := answers.NextMsgWithContext(round)
		if errors.Is(err, nats.ErrNoResponders) { // nobody is there yet
			<-round.Done()
		}
		quiet := err != nil && round.Err() != nil
		cancel()
		switch {
		case ctx.Err() != nil:
			return nil, context.Cause(ctx)
		case quiet, time.Now().After(late):
			slices.SortFunc(all, func(a, b Info) int {
				return cmp.Or(strings.Compare(a.Name, b.Name), strings.Compare(a.Instance, b.Instance))
			})
			return all, nil
		case err != nil:
			return nil, fmt.Errorf("asking for agents: %w", err)
		}
		var i Info
		if json.Unmarshal(m.Data, &i) == nil && CheckName(i.Name) == nil {
			all = append(all, i)
		}
	}
}

// choose returns the free agents among those that are there, or an error if they can't be those of
// the run.
func (c *Controller) choose(all []Info) (roster, error) {
	var r roster
	for n, i := range all {
		if n > 0 && all[n-1].Name == i.Name {
			return r, fmt.Errorf("two agents have the name %s, on %s and on %s: give one another with --name",
				i.Name, all[n-1].Host, i.Host)
		}
		if i.Protocol != protocol {
			return r, fmt.Errorf("agent %s on %s speaks protocol %d, this program %d: use the same version of fleetmark",
				i.Name, i.Host, i.Protocol, protocol)
		}
		switch {
		case i.Busy != "":
		case i.Role == c.driverRole():
			r.drivers = append(r.drivers, i)
		case i.Role == Fleet && c.Network.IsValid():
			r.fleets = append(r.fleets, i)
		}
	}
	for _, of := range []struct {
		list []Info
		want int
		flag string
	}{{r.drivers, c.Agents, "--agents"}, {r.fleets, c.fleets(), "--agents"}} {
		if n := len(of.list); n > of.want {
			return r, fmt.Errorf("%d agents are there (%s) and %s is %d: end those that are not to take part, or say %s %d",
				n, nameList(of.list), of.flag, c.Agents, of.flag, n)
		}
	}
	return r, nil
}

// tooFew says which agents are there although more are needed. came says how long that took, such as
// "came within 1m0s".
func (c *Controller) tooFew(r roster, all []Info, came string) string {
	text := fmt.Sprintf("%d of %s %s", len(r.drivers), plaintext.Count(c.Agents, "agent"), came)
	if len(r.drivers) > 0 {
		text += " (" + nameList(r.drivers) + ")"
	}
	if want := c.fleets(); want > 0 {
		text += fmt.Sprintf(", and %d of %d that are fleets", len(r.fleets), want)
		if len(r.fleets) > 0 {
			text += " (" + nameList(r.fleets) + ")"
		}
	}
	var others []string
	for _, i := range all {
		switch {
		case i.Busy != "":
			others = append(others, fmt.Sprintf("%s takes part in run %s", i.Name, i.Busy))
		case i.Role != c.driverRole() && (i.Role != Fleet || !c.Network.IsValid()):
			others = append(others, fmt.Sprintf("%s has the role %s, which this run has no use for", i.Name, i.Role))
		}
	}
	if len(others) > 0 {
		text += "; " + strings.Join(others[:min(len(others), maxNamed)], ", ")
	}
	return text
}

// maxNamed is how many agents a sentence names.
const maxNamed = 8

// nameList returns the names of agents, or the first few of them.
func nameList(list []Info) string {
	var names []string
	for _, i := range list[:min(len(list), maxNamed)] {
		names = append(names, i.Name)
	}
	if more := len(list) - len(names); more > 0 {
		names = append(names, fmt.Sprintf("and %d more", more))
	}
	return strings.Join(names, ", ")
}

// instances returns a text that is the same only for the same agents.
func (r roster) instances() string {
	var b strings.Builder
	for _, list := range [][]Info{r.drivers, r.fleets} {
		for _, i := range list {
			b.WriteString(i.Instance + " ")
		}
		b.WriteString("/")
	}
	return b.String()
}
