package runner

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"slices"
	"strings"
	"time"

	"github.com/fleetmark/fleetmark/delivery"
	"github.com/fleetmark/fleetmark/internal/plaintext"
	"github.com/fleetmark/fleetmark/mockfleet/ledger"
	"github.com/fleetmark/fleetmark/results"
	"github.com/fleetmark/fleetmark/scenarios/client/service"
	"github.com/fleetmark/fleetmark/scenarios/health"
	"github.com/fleetmark/fleetmark/scenarios/load"
)

// A serviceRollout is what a repetition saw of a service's rollout.
type serviceRollout struct {
	devices []serviceDevice // by index
	rollout time.Duration   // until all devices ran the update, or else until the rollout was over
	atOnce  int             // the most devices that were contacted and didn't run the update yet
	said    service.Said
	ended   string // how the service ended by itself; empty if it didn't
	late    bool   // the deadline passed

	// updatedAnyway are the IDs of devices that run the update, though the service says that they failed.
	updatedAnyway []string

	// reachable reports whether device i can always be reached, so that a service which never contacted
	// it has left it out. It is nil if that isn't known.
	reachable func(i int) bool
}

// A serviceDevice is what is known of a device. Times count from the trigger; 0 is not yet.
type serviceDevice struct {
	contacted, updated time.Duration
	wrong              string // why it doesn't run the update
}

// mostAtOnce returns how many devices were contacted and not updated yet, at most, at any time until
// the end.
func mostAtOnce(devices []serviceDevice, end time.Duration) (most int) {
	type change struct {
		at time.Duration
		by int
	}
	var changes []change
	for _, d := range devices {
		if d.contacted > 0 {
			changes = append(changes, change{d.contacted, 1}, change{max(d.contacted, cmp.Or(d.updated, end)), -1})
		}
	}
	slices.SortFunc(changes, func(a, b change) int { return cmp.Or(cmp.Compare(a.at, b.at), b.by-a.by) })
	now := 0
	for _, c := range changes {
		now += c.by
		most = max(most, now)
	}
	return most
}

// addTimes adds the metrics of a rollout's times.
func (r *serviceRollout) addTimes(t *load.Latencies, add func(unit string, v float64)) {
	addTimesToUpdated(t, add)
	add(results.UnitRolloutTime, float64(r.rollout))
	add(results.UnitDevicesAtOnce, float64(r.atOnce))
}

// addTimesToUpdated adds the metrics of the times from the trigger of a service to the updates.
func addTimesToUpdated(t *load.Latencies, add func(unit string, v float64)) {
	add(results.UnitToUpdatedP50, quantile(t.Response, 50))
	add(results.UnitToUpdatedP90, quantile(t.Response, 90))
	add(results.UnitToUpdatedP99, quantile(t.Response, 99))
	add(results.UnitToUpdatedMax, float64(t.Response.Max()))
}

// compare compares the ledger with what the client claims, or with what a service says.
func (s *Session) compare(
	ctx context.Context, m *measured, entries iter.Seq2[ledger.Entry, error], u *delivery.Update,
) (deviceCounts, []string, error) {
	if s.service == nil {
		return s.claims.reconcile(ctx, entries, u, s.spec.Load.Operation)
	}
	return s.service.last.compare(ctx, s.claims, s.target.Devices(), entries, u)
}

// deviceNames is how many devices a sentence names.
const deviceNames = 10

// compare counts the devices by the ledger, and returns a sentence for each contradiction: with what
// the service says, and of a device that it updated twice or mistook for another.
func (r *serviceRollout) compare(
	ctx context.Context, c *claims, devices load.Devices, entries iter.Seq2[ledger.Entry, error], u *delivery.Update,
) (deviceCounts, []string, error) {
	n := c.newCounts()
	var said, twice, mistaken []string
	runs := make([]bool, len(r.devices))
	for e, err := range entries {
		if err != nil {
			return n, nil, fmt.Errorf("reading the fleet's ledger: %w", err)
		}
		if e.Device >= len(r.devices) {
			return n, nil, c.unknownDevice(e.Device)
		}
		runs[e.Device] = wrongSoftware(e, u) == ""
		if e.AppliedTwice > 0 {
			n.add(e.Device, appliedTwice)
			twice = append(twice, fmt.Sprintf("%s (%d times too often)", devices.At(e.Device).ID, e.AppliedTwice))
		}
		if e.Misdirected > 0 {
			mistaken = append(mistaken, devices.At(e.Device).ID)
		}
	}
	if denied := r.countDevices(ctx, &n, devices, runs); len(denied) > 0 {
		but := ""
		if r.said.Failed > 0 {
			but = fmt.Sprintf(" but for %s", plaintext.Count(r.said.Failed, "device"))
		}
		said = append(said, fmt.Sprintf(
			"the service says that the rollout is over%s, and %s of %s not run the update: %s", but,
			plaintext.Thousands(int64(len(denied))), plaintext.Count(len(r.devices), "device")+" do", names(denied)))
	}
	if len(twice) > 0 {
		said = append(said, "applied the same update twice: "+names(twice))
	}
	if len(mistaken) > 0 {
		said = append(said, "got pushes that were meant for another device: "+names(mistaken))
	}
	return n, said, nil
}

// countDevices counts the devices by whether each runs the update. It returns those that the service
// says it updated and that don't run it, with what is known of each.
func (r *serviceRollout) countDevices(
	ctx context.Context, n *deviceCounts, devices load.Devices, runs []bool,
) (denied []string) {
	// An interrupted rollout isn't over, whatever the service says.
	claimsAll := r.said.Over && r.said.Gave == "" && ctx.Err() == nil
	gaveUp := make(map[string]bool, len(r.said.FailedIDs))
	for _, id := range r.said.FailedIDs {
		gaveUp[id] = true
	}
	r.updatedAnyway = nil
	left := 0
	for i := range r.devices {
		switch id := devices.At(i).ID; {
		case runs[i]:
			n.add(i, updated)
			if gaveUp[id] { // the answer that would have said so may have been lost
				r.updatedAnyway = append(r.updatedAnyway, id)
			}
		case ctx.Err() != nil:
		case !claimsAll || gaveUp[id]:
			n.add(i, failed)
		default:
			left++
			if r.said.FailedIDs == nil && left <= r.said.Failed { // it says how many, and not which
				n.add(i, failed)
				continue
			}
			n.add(i, lost)
			denied = append(denied, id+" "+cmp.Or(r.devices[i].wrong, "doesn't run it"))
		}
	}
	return denied
}

// names lists the first few of a list.
func names(list []string) string {
	if more := len(list) - deviceNames; more > 0 {
		return strings.Join(list[:deviceNames], ", ") + fmt.Sprintf(" and %s more", plaintext.Thousands(int64(more)))
	}
	return strings.Join(list, ", ")
}

// check adds what readers should know of a service's rollout beside the figures. It does nothing if v
// is nil.
func (v *serviceClient) check(m *measured, devices load.Devices) {
	if v == nil {
		return
	}
	r := v.last
	note := func(format string, args ...any) { m.notes = append(m.notes, fmt.Sprintf(format, args...)) }
	if r.ended != "" {
		m.findings = append(m.findings, health.Finding{Kind: health.ServiceEnded, Detail: r.ended})
	}
	if r.said.Gave != "" {
		note("%s", r.said.Gave)
	}
	if r.said.Err != nil {
		note("client.service.%v", r.said.Err)
	}
	if m.processes != nil && !m.processes.Known {
		why := "this system doesn't tell"
		if !v.config.RunsHere() {
			why = "it wasn't started by client.service.start"
		}
		note("processor time and memory of the service aren't known: %s", why)
	}
	if list := r.updatedAnyway; len(list) > 0 {
		note("the service says that %s failed, and the ledger that they run the update: %s",
			plaintext.Count(len(list), "device"), names(list))
	}
	var without, leftOut []string
	for i, d := range r.devices {
		if d.updated > 0 {
			continue
		}
		without = append(without, devices.At(i).ID+" "+d.wrong)
		if d.contacted == 0 && !r.said.Over && r.ended == "" && r.reachable != nil && r.reachable(i) {
			leftOut = append(leftOut, devices.At(i).ID)
		}
	}
	if len(leftOut) > 0 {
		detail := fmt.Sprintf("%s of %s not contacted within %v: %s",
			plaintext.Thousands(int64(len(leftOut))), plaintext.Count(len(r.devices), "device")+" were",
			v.took.Round(100*time.Millisecond), names(leftOut))
		m.findings = append(m.findings, health.Finding{Kind: health.DevicesLeftOut, Detail: detail})
	}
	if len(without) == 0 {
		return
	}
	when := "when the service said that its rollout is over"
	switch {
	case r.late:
		when = fmt.Sprintf("after %v (client.service.deadline)", v.spec.Deadline)
	case r.said.Gave != "":
		when = "when the trigger's command ended"
	case !r.said.Over:
		when = "at the end"
	}
	note("%s of %s not run the update %s: %s", plaintext.Thousands(int64(len(without))),
		plaintext.Count(len(r.devices), "device")+" did", when, names(without))
}
