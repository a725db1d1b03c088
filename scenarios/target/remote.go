package target

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"slices"
	"time"

	"github.com/fleetmark/fleetmark/mockfleet"
	"github.com/fleetmark/fleetmark/mockfleet/address"
	"github.com/fleetmark/fleetmark/scenarios"
)

// remote is a fleet that somebody else started. It has a witness only if its control port and the
// token for it are known.
type remote struct {
	known
	addressing address.Mode
	network    netip.Prefix // of the devices in ip addressing, as the fleet reports it; zero is the loopback network
	control    *mockfleet.Control
	lease      *lease // nil if the fleet has no leases
}

func (r *remote) Addressing() address.Mode { return r.addressing }

func (r *remote) Witness() Witness {
	if r.control == nil {
		return nil
	}
	return r.control
}

func (r *remote) Close() error {
	if r.lease != nil {
		r.lease.end()
	}
	if r.control != nil {
		r.control.Close()
	}
	return nil
}

// openRemote returns the fleet at an address, after checking that it has the scenario's devices:
// with a smaller fleet, many operations would fail.
func openRemote(ctx context.Context, o Options, s scenarios.Spec, trust *tls.Config) (_ Target, err error) {
	cfg := s.FleetConfig()
	r := &remote{known: known{kind: Remote, mayReboot: mayReboot(cfg)}, addressing: cfg.Addressing}
	defer func() {
		if err != nil {
			err = errors.Join(err, r.Close())
		}
	}()
	ends, tries := []int{0, s.Devices() - 1}, 1
	if len(cfg.Groups) > 0 {
		r.ungrouped = groupsUnasked
	}
	if o.Control != "" {
		if err := r.ask(ctx, o, s); err != nil {
			return nil, err
		}
		// The fleet is known to be large enough, and its first device may be one that never answers.
		ends, tries = ends[:1], nearbyDevices
	}
	if r.devices, err = ListDevices(o.Address, r.addressing, r.network, cfg.Shard, cfg.Devices); err != nil {
		return nil, o.addressError(err, "")
	}
	hint := ""
	if r.control == nil && r.addressing == address.IP {
		hint = "; only with {Target.Control} can it be on a network of its own"
	}
	for _, end := range ends {
		if err := anyHealthy(ctx, r.devices, end, tries, trust); err != nil {
			return nil, o.addressError(err, "device %d of %d does not answer at %s; "+
				"is the fleet up, and do {fleet.devices} and {fleet.addressing} agree with it?"+hint,
				end, s.Devices(), r.devices.At(end).Address)
		}
	}
	return r, nil
}

// addressError returns the error about a fleet at an address. err is its cause, or nil.
func (o Options) addressError(err error, format string, args ...any) error {
	problem := fmt.Sprintf(format, args...)
	return &scenarios.OptionError{Option: "Target.Address", Value: o.Address, Problem: problem, Err: err}
}

// ask takes the lease of the fleet, and asks its control port whether it is the fleet that the
// scenario needs.
func (r *remote) ask(ctx context.Context, o Options, s scenarios.Spec) (err error) {
	refused := func(err error) error {
		return &scenarios.OptionError{Option: "Target.Control", Value: o.Control, Err: err}
	}
	if r.control, err = mockfleet.NewControl(o.Control, o.Token); err != nil {
		return refused(err)
	}
	status, err := r.control.Status(ctx)
	if err != nil {
		return refused(err)
	}
	if !o.Shared {
		if r.lease, err = takeLease(ctx, r.control, s.Name); err != nil {
			if e, ok := errors.AsType[*mockfleet.ControlError](err); ok && e.Status == http.StatusConflict {
				return o.addressError(nil, "%s: wait until the other driver has ended, or drive a fleet of your own",
					e.Message)
			}
			return refused(err)
		}
	}
	if err := o.checkShard(status, s); err != nil {
		return err
	}
	if want := s.Devices(); status.Devices < uint64(want) {
		return o.addressError(nil, "it has %d devices, the scenario %d: use {fleet.devices} %[1]d, or a larger fleet",
			status.Devices, want)
	}
	switch want := s.Fleet.Addressing; {
	case status.Addressing == "": // an old fleet doesn't report its addressing
	case want == "":
		r.addressing = status.Addressing
	case want != status.Addressing:
		return o.addressError(nil, "it has %s addressing, the scenario %s: "+
			"leave the addressing out, or start the fleet with {fleet.addressing} %[2]s", status.Addressing, want)
	}
	r.network = status.Network
	groups, err := r.control.Groups(ctx)
	if err != nil {
		return refused(err)
	}
	if r.groups, r.ungrouped, err = askGroups(ctx, r.control, status, groups); err != nil {
		return refused(err)
	}
	if r.groups == nil && r.ungrouped == "" && len(s.Fleet.Groups) > 0 {
		r.ungrouped = groupsOfOther
	}
	inGroup := func(g mockfleet.GroupStatus) bool { return reboots(g.Behavior) }
	r.mayReboot = r.mayReboot || slices.ContainsFunc(groups, inGroup)
	return nil
}

// checkShard returns an error unless the fleet is the part of a fleet that the scenario has.
func (o Options) checkShard(status mockfleet.Status, s scenarios.Spec) error {
	is, want := status.Shard, s.Shard.Fleet()
	switch {
	case is.IsWhole() && want.IsWhole():
		return nil
	case is != want:
		return o.addressError(nil, "it is shard %v, the scenario shard %v: drive it as what it is", is, want)
	case status.WholeDevices != uint64(s.Fleet.Devices):
		return o.addressError(nil, "it is a shard of %d devices, the scenario of %d: use {fleet.devices} %[1]d",
			status.WholeDevices, s.Fleet.Devices)
	}
	return nil
}

// nearbyDevices is how many devices are asked until one answers.
const nearbyDevices = 16

// anyHealthy returns nil if one of the n devices from first on answers, and otherwise the error of
// the first.
func anyHealthy(ctx context.Context, list *DeviceList, first, n int, trust *tls.Config) error {
	const timeout = 5 * time.Second // for all requests together
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	var why error
	for i := first; i < min(first+n, list.Len()); i++ {
		err := healthy(ctx, list.At(i).Address, timeout/time.Duration(n), trust)
		if err == nil {
			return nil
		}
		why = cmp.Or(why, err)
	}
	return why
}

func healthy(ctx context.Context, address string, timeout time.Duration, trust *tls.Config) (err error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address+"/health", nil)
	if err != nil {
		return err
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true, TLSClientConfig: trust}}
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, resp.Body.Close()) }()
	if _, err := io.Copy(io.Discard, io.LimitReader(resp.Body, 1<<10)); err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("GET /health answers %s", resp.Status)
	}
	return nil
}
