package runner

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"strings"

	"github.com/fleetmark/fleetmark/delivery"
	"github.com/fleetmark/fleetmark/mockfleet/ledger"
	"github.com/fleetmark/fleetmark/scenarios"
	"github.com/fleetmark/fleetmark/scenarios/load"
	"github.com/fleetmark/fleetmark/scenarios/portion"
)

// claims holds what the client says it did with each device in one repetition.
type claims struct {
	*load.Outcomes
	shard   scenarios.ShardSpec // whose devices they are
	groups  int                 // how many groups the devices have; 0 if none
	groupOf func(i int) int     // of device i
	offsets []ledgerOffset      // what the ledger held of each device before the load; empty if nothing

	// late counts, by device, operations that failed in the previous repetition. Their requests may
	// arrive in this one. It is nil if none failed.
	late    []uint32
	reboots uint32 // the most connections that break when a device reboots; 0 if none reboots
	added   uint64 // verifications that each operation sends beyond those it reports; see Session.Wrap
}

// A ledgerOffset is what the ledger contained about a device before the load.
type ledgerOffset struct{ pushes, applied, repeats, verifies uint32 }

// global returns the global number of device i, which is its index in the whole run.
func (c *claims) global(i int) int { return c.shard.Fleet().Number(i) }

// reset prepares the claims for the next repetition. It must be called before the outcomes of the
// last one are reset, since it keeps which operations failed.
func (c *claims) reset() {
	clear(c.late)
	for i := range c.Len() {
		if failed := c.Of(i).Failed; failed > 0 {
			if c.late == nil {
				c.late = make([]uint32, c.Len())
			}
			c.late[i] = failed
		}
	}
	c.offsets = c.offsets[:0]
}

// setOffset records what the ledger contains before the load begins. minusOffset subtracts it
// later, so that it neither supports nor contradicts a claim of the load.
func (c *claims) setOffset(entries iter.Seq2[ledger.Entry, error]) error {
	c.offsets = slices.Grow(c.offsets[:0], c.Len())[:c.Len()]
	clear(c.offsets)
	for e, err := range entries {
		if err != nil {
			return fmt.Errorf("reading the fleet's ledger: %w", err)
		}
		if e.Device >= len(c.offsets) {
			return c.unknownDevice(e.Device)
		}
		c.offsets[e.Device] = ledgerOffset{e.Pushes, e.Applied, e.Repeats, e.Verifies}
	}
	return nil
}

func (c *claims) unknownDevice(i int) error {
	return fmt.Errorf("the fleet's ledger has device %d, the scenario %d devices", i, c.Len())
}

// minusOffset returns the ledger without what it contained before the load. It doesn't subtract
// what a device should never do: apply an update twice, or receive another device's.
func (c *claims) minusOffset(entries iter.Seq2[ledger.Entry, error]) iter.Seq2[ledger.Entry, error] {
	less := func(count *uint32, by uint32) { *count -= min(*count, by) }
	return func(yield func(ledger.Entry, error) bool) {
		for e, err := range entries {
			if err == nil && e.Device < len(c.offsets) {
				p := c.offsets[e.Device]
				less(&e.Pushes, p.pushes)
				less(&e.Applied, p.applied)
				less(&e.Repeats, p.repeats)
				less(&e.Verifies, p.verifies)
			}
			if !yield(e, err) {
				return
			}
		}
	}
}

// count counts the devices by the client's claims alone.
func (c *claims) count() deviceCounts {
	n := c.newCounts()
	for i := range c.Len() {
		switch claimed := c.Of(i); {
		case claimed.Succeeded > 0:
			n.add(i, updated)
		case claimed.Failed > 0:
			n.add(i, failed)
		}
	}
	return n
}

// maxContradictions is the largest number of contradictions that are described. All are counted.
const maxContradictions = 5

// reconcile compares the client's claims with the fleet's ledger, device by device. It returns how
// many devices were updated, and a sentence for each contradiction. One contradiction makes the run
// invalid, because then none of its other figures can be trusted.
//
// An operation that failed although the ledger says that the update was applied is no
// contradiction: if the answer was lost, the client can't know.
func (c *claims) reconcile(
	ctx context.Context, entries iter.Seq2[ledger.Entry, error], u *delivery.Update, op delivery.Op,
) (deviceCounts, []string, error) {
	n := c.newCounts()
	var said []string
	contradictions := 0
	contradict := func(device int, format string, args ...any) {
		contradictions++
		if contradictions <= maxContradictions {
			said = append(said, fmt.Sprintf("device %d: ", c.global(device))+fmt.Sprintf(format, args...))
		}
	}
	next := 0 // the first device that hasn't been compared
	// absentUntil compares devices that the ledger has no entry for.
	absentUntil := func(until int) {
		for ; next < until; next++ {
			claimed, outcome := c.Of(next), portion.None
			if claimed.Succeeded > 0 {
				outcome = portion.Lost
				n.add(next, lost)
				contradict(next, "the client claims %d successes, the ledger knows nothing of it", claimed.Succeeded)
			} else if claimed.Failed > 0 {
				outcome = portion.Failed
				n.add(next, failed)
			}
			n.outcomes.AddDevice(c.global(next), outcome, ledger.Entry{})
		}
	}
	for e, err := range entries {
		if err != nil {
			return n, nil, fmt.Errorf("reading the fleet's ledger: %w", err)
		}
		if e.Device >= c.Len() {
			return n, nil, c.unknownDevice(e.Device)
		}
		absentUntil(e.Device)
		next = e.Device + 1
		claimed := c.Of(e.Device)
		if e.AppliedTwice > 0 {
			n.add(e.Device, appliedTwice)
			contradict(e.Device, "applied the same update twice (%d times too often)", e.AppliedTwice)
		}
		if e.Misdirected > 0 {
			contradict(e.Device, "got %d pushes that were meant for another device", e.Misdirected)
		}
		// If ctx has ended, the client doesn't report the requests of operations that were broken off.
		surplus := c.surplus(e)
		if surplus != "" && ctx.Err() == nil {
			contradict(e.Device, "%s", surplus)
		}
		if problem := missing(e, u, op, claimed.Succeeded); claimed.Succeeded > 0 && problem != "" {
			n.add(e.Device, lost)
			contradict(e.Device, "the client claims %d successes, the ledger: %s", claimed.Succeeded, problem)
			n.outcomes.AddDevice(c.global(e.Device), portion.Lost, e)
			continue
		}
		outcome := portion.None
		switch {
		case claimed.Succeeded > 0: // the device runs the update, whatever else failed in a load with a duration
			outcome = portion.Updated
			n.add(e.Device, updated)
		case claimed.Failed > 0:
			outcome = portion.Failed
			n.add(e.Device, failed)
		case e.Applied > 0 && surplus == "" && claimed.BrokenOff == 0 && ctx.Err() == nil:
			contradict(e.Device, "applied an update that the client claims nothing of")
		}
		n.outcomes.AddDevice(c.global(e.Device), outcome, e)
	}
	absentUntil(c.Len())
	if contradictions > maxContradictions {
		said = append(said, fmt.Sprintf("and %d more contradictions", contradictions-maxContradictions))
	}
	return n, said, nil
}

// surplus says what a device received beyond what the client reports having sent. It returns "" if
// there is nothing, or if a process of the client ended before it could say what it sent. A client
// needn't report some requests: one that repeats a redirected request, and a verification whose
// connection broke before the answer came.
func (c *claims) surplus(e ledger.Entry) string {
	said := c.Of(e.Device)
	if said.Uncounted {
		return ""
	}
	pushes, verifies := uint64(said.Pushes), uint64(said.Verifies)
	verifies += c.added * (uint64(said.Succeeded) + uint64(said.Failed) + uint64(said.BrokenOff))
	mayPush, mayVerify := pushes, verifies+uint64(e.ConnectionsAborted)+uint64(e.ConnectionsOverLimit)
	for kind, times := range e.Faults {
		if strings.HasPrefix(kind, "redirect") || kind == "status-417" || kind == "duplicate" { // a duplicate fault turns one request into two
			mayPush += uint64(times)
		}
		mayVerify += uint64(times)
	}
	mayVerify += uint64(c.reboots) * (uint64(e.Applied) + uint64(e.InstallFailures))
	if c.late != nil {
		mayPush += uint64(c.late[e.Device])
		mayVerify += uint64(c.late[e.Device])
	}
	const advice = "another driver, or a client that doesn't tell all"
	switch {
	case uint64(e.Pushes) > mayPush:
		return fmt.Sprintf("it received %d pushes, the client says that it sent %d: %s", e.Pushes, pushes, advice)
	case uint64(e.Verifies) > mayVerify:
		return fmt.Sprintf("it received %d verifications, the client says that it sent %d: %s", e.Verifies, verifies, advice)
	}
	return ""
}

// missing says which evidence the ledger lacks for the successes that the client claims. It returns
// "" if it lacks none. A device must have acknowledged each push that succeeded, and answered a
// verification for each delivery. It needn't have acknowledged a push for each delivery: if several
// operations deliver the same update at once, one pushes it, and the others wait and find it there.
func missing(e ledger.Entry, u *delivery.Update, op delivery.Op, claimed uint32) string {
	switch {
	case e.Version != u.Version():
		return fmt.Sprintf("it runs %q, not %q", e.Version, u.Version())
	case e.Digest != u.Artifact().DigestHex():
		return fmt.Sprintf("it runs content %s, not %s", e.Digest, u.Artifact().DigestHex())
	case op == delivery.OpPush && e.Applied+e.Repeats < claimed, op == delivery.OpDeliver && e.Applied+e.Repeats == 0:
		return fmt.Sprintf("it acknowledged %d updates", e.Applied+e.Repeats)
	case op != delivery.OpPush && e.Verifies < claimed:
		return fmt.Sprintf("it was verified %d times", e.Verifies)
	}
	return ""
}
