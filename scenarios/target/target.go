// Package target provides the devices that a run drives, wherever they are: in a process of their
// own, in this process, at an address where somebody else started them, or listed in a file.
//
// [Open] starts or finds them, as [Options] say, and returns a [Target]: the list of the devices,
// and a [Witness] that reports what the devices saw, if there is one. A [Process] is a fleet for
// drivers in other processes.
//
// The package doesn't know what is done with the devices, what is measured, or what is written.
package target

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"iter"
	"slices"
	"strings"
	"time"

	"github.com/fleetmark/fleetmark/mockfleet"
	"github.com/fleetmark/fleetmark/mockfleet/address"
	"github.com/fleetmark/fleetmark/mockfleet/behavior"
	"github.com/fleetmark/fleetmark/mockfleet/fault"
	"github.com/fleetmark/fleetmark/mockfleet/ledger"
	"github.com/fleetmark/fleetmark/scenarios"
)

// A Target is the devices that a run drives.
type Target interface {
	Kind() string         // such as OwnProcess
	Devices() *DeviceList // of the scenario's shard; a device's place in it is its index
	Pid() int             // the id of the process that Open started; 0 if it started none

	// CA returns the certificates of the authority of the devices, in PEM. It returns "" if the
	// devices speak no TLS, or if the target doesn't know.
	CA() string

	// Addressing returns how the fleet reports that its devices are addressed. It returns "" if the
	// fleet doesn't report that.
	Addressing() address.Mode

	// MayReboot reports whether devices break connections by rebooting, as far as that is known.
	MayReboot() bool

	// Groups returns which device is in which group. It returns nil if the devices have no groups, and
	// if that isn't known although they may have; unknown then says why.
	Groups() (m *behavior.Membership, unknown string)

	// Witness returns the devices' witness, or nil if there is none.
	Witness() Witness

	// Exited returns a channel that is closed if the fleet ends before Close is called. It returns
	// nil if that can't be known.
	Exited() <-chan struct{}

	// Close ends what Open started, and waits until it has ended.
	Close() error
}

// A Witness reports what the devices saw. A [*mockfleet.Control] is one.
type Witness interface {
	Reset(ctx context.Context) error
	Ledger(ctx context.Context) iter.Seq2[ledger.Entry, error]
	Status(ctx context.Context) (mockfleet.Status, error)
}

// A Profiler is a Target whose process can be profiled.
type Profiler interface {
	// StartProfile begins to profile a repetition into the directory dir. stop ends the profiling,
	// labels the profiles with the number of operations, and must be called.
	StartProfile(
		ctx context.Context, dir string, repetition int, labels map[string]string,
	) (stop func(operations int64) error, err error)
}

// The kinds of targets, by where the devices are. The first two are values of Options.Address, too.
const (
	OwnProcess = "process"   // in a process of their own, started and ended by Open and Close
	InProcess  = "inprocess" // in this process
	Remote     = "remote"    // at an address, started by somebody else
	Listed     = "listed"    // from a file
)

// Options say which devices a run drives.
type Options struct {
	Address string // OwnProcess, InProcess, or the http address of a fleet, without user or password; empty: OwnProcess

	// For OwnProcess: the program and its arguments that make it call [Serve], where that process
	// writes its messages, whether it is profiled, and how long it may take to exit.
	Command     []string
	Stderr      io.Writer // nil: discarded
	Profile     bool
	StopTimeout time.Duration // 0: 10 s

	// For a fleet at an address: its control port, if it may be asked; the token for that, which is
	// never written anywhere; and the authority of its devices' certificates, in PEM, or empty for
	// the system's.
	Control, Token, CA string

	Shared bool // take no lease, since several drivers take turns at the fleet

	DeviceFile string // a file of devices, one address a line, instead of a fleet
}

// ErrNotProfiled is the cause of an [*scenarios.OptionError] about Target.Profile.
var ErrNotProfiled = errors.New("only a fleet in a process of its own is profiled")

// Validate returns a [*scenarios.OptionError] if the options can't be used. It sends no requests
// and reads no files.
func (o Options) Validate() error {
	if err := checkNoSecret("Target.Address", o.Address); err != nil {
		return err
	}
	if o.Profile && (o.DeviceFile != "" || o.Address != "" && o.Address != OwnProcess) {
		return &scenarios.OptionError{Option: "Target.Profile", Err: ErrNotProfiled}
	}
	return checkNoSecret("Target.Control", o.Control)
}

// checkNoSecret returns an error if an address contains a user or a password. It is called before
// anything is written or quoted, and its error doesn't quote the address either.
func checkNoSecret(option, address string) error {
	if !strings.Contains(address, "@") {
		return nil
	}
	return &scenarios.OptionError{
		Option: option, Problem: "the address (not shown) holds a user or a password", Want: "want http://HOST:PORT",
	}
}

// Open starts or finds the devices of a scenario, or of its shard; the scenario is that of
// [scenarios.Spec.Part]. trust is for checking that devices at an address
// answer; nil trusts the system's authorities. If Open returns an error, such as a
// [*scenarios.OptionError], it leaves nothing behind.
func Open(ctx context.Context, o Options, s scenarios.Spec, trust *tls.Config) (Target, error) {
	switch {
	case o.DeviceFile != "":
		if !s.Shard.IsWhole() {
			return nil, &scenarios.OptionError{
				Option: "Target.DeviceFile", Problem: "a list of devices has no shards",
				Want: "give each shard its own list, and no shard",
			}
		}
		return openList(o.DeviceFile, len(s.Fleet.Groups) > 0)
	case o.Address == "" || o.Address == OwnProcess:
		p, err := startProcess(ctx, o, s, startTimeout)
		if err != nil {
			return nil, err // don't return p, since a nil *Process isn't a nil Target
		}
		return p, nil
	case o.Address == InProcess:
		return openInProcess(ctx, s)
	}
	return openRemote(ctx, o, s, trust)
}

// known holds what every target knows about itself.
type known struct {
	kind      string
	devices   *DeviceList
	mayReboot bool
	groups    *behavior.Membership // nil if there are none, or if they aren't known
	ungrouped string               // why they aren't known
}

func (k *known) Kind() string                           { return k.kind }
func (k *known) Devices() *DeviceList                   { return k.devices }
func (k *known) MayReboot() bool                        { return k.mayReboot }
func (k *known) Groups() (*behavior.Membership, string) { return k.groups, k.ungrouped }
func (*known) Pid() int                                 { return 0 }
func (*known) CA() string                               { return "" }
func (*known) Addressing() address.Mode                 { return "" }
func (*known) Exited() <-chan struct{}                  { return nil }

// knownOf returns what is known about the fleet of a scenario that is up.
func knownOf(kind string, s scenarios.Spec, at mockfleet.Ready) (known, error) {
	cfg := s.FleetConfig()
	devices, err := ListDevices(at.Address, cfg.Addressing, at.Network, cfg.Shard, cfg.Devices)
	return known{kind: kind, devices: devices, mayReboot: mayReboot(cfg), groups: groupsOf(s)}, err
}

// mayReboot reports whether devices of a fleet break connections by rebooting.
func mayReboot(c mockfleet.Config) bool {
	inGroup := func(g behavior.Group) bool { return reboots(g.Behavior) }
	return reboots(c.Behavior) || slices.ContainsFunc(c.Groups, inGroup)
}

func reboots(b behavior.Behavior) bool {
	isReboot := func(f fault.Fault) bool { return f.Kind == "reboot" }
	return b.Life != (behavior.InstallTimes{}) || slices.ContainsFunc(b.Faults, isReboot)
}
