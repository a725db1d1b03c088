// Package target provides the devices that a run drives, wherever they are: in a process of their
// own, in this process, at an address where somebody else started them, or listed in a file.
//
// [Open] starts or finds them, as [Options] say, and returns a [Target]: the list of the devices,
// and a [Witness] that tells what the devices saw, unless nobody does. A [Process] is a fleet for
// drivers that are processes themselves.
//
// The package doesn't know what is done with the devices, what is measured or what is written down.
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
	Devices() *DeviceList // a device's place in it is its index
	Pid() int             // of the process that Open started; 0 if it started none

	// CA returns the certificates of the authority of the devices, in PEM. It returns "" if the
	// devices speak no TLS, or if the target doesn't know.
	CA() string

	// Addressing returns how the fleet says that its devices are addressed, or "" if only the
	// scenario says it.
	Addressing() address.Mode

	// MayReboot reports whether devices break connections by rebooting, as far as that is known.
	MayReboot() bool

	// Witness returns nil if nobody tells what the devices saw.
	Witness() Witness

	// Exited returns a channel that is closed if the fleet ends before Close is called. It returns
	// nil if that can't be known.
	Exited() <-chan struct{}

	// Close ends what Open began, and waits for it.
	Close() error
}

// A Witness is the fleet's own account of what happened. A [*mockfleet.Control] is one.
type Witness interface {
	Reset(ctx context.Context) error
	Ledger(ctx context.Context) iter.Seq2[ledger.Entry, error]
	Status(ctx context.Context) (mockfleet.Status, error)
}

// A Profiler is a Target whose process can be profiled.
type Profiler interface {
	// StartProfile begins to profile a repetition into the directory dir. stop ends that, says of
	// how many operations the profiles are, and must be called.
	StartProfile(
		ctx context.Context, dir string, repetition int, labels map[string]string,
	) (stop func(operations int64) error, err error)
}

// The kinds of targets say where the devices are. The first two are values of Options.Address, too.
const (
	OwnProcess = "process"   // in a process of their own, started and ended by Open and Close
	InProcess  = "inprocess" // in this process
	Remote     = "remote"    // at an address, started by somebody else
	Listed     = "listed"    // from a file
)

// Options say which devices a run drives.
type Options struct {
	Address string // OwnProcess, InProcess, or the http address of a fleet, without user or password; empty: OwnProcess

	// Of OwnProcess: the program and its arguments that lead to [Serve], where that process says
	// what it has to say, whether it is to be profiled, and how long it may take to end.
	Command     []string
	Stderr      io.Writer // nil: nowhere
	Profile     bool
	StopTimeout time.Duration // 0: 10 s

	// Of a fleet at an address: its control port, if it may be asked, the token for that, which is
	// never written anywhere, and the authority of its devices' certificates, in PEM; empty: the
	// system's.
	Control, Token, CA string

	Shared bool // for drivers that take turns at one fleet: take no lease, which would keep the others out

	DeviceFile string // a file of devices, one address a line, instead of a fleet
}

// ErrNotProfiled is the cause of an [*scenarios.OptionError] about Target.Profile.
var ErrNotProfiled = errors.New("only a fleet in a process of its own is profiled")

// Validate returns a [*scenarios.OptionError] if the options can't be used. It asks nobody and
// reads no file.
func (o Options) Validate() error {
	if err := checkNoSecret("Target.Address", o.Address); err != nil {
		return err
	}
	if o.Profile && (o.DeviceFile != "" || o.Address != "" && o.Address != OwnProcess) {
		return &scenarios.OptionError{Option: "Target.Profile", Err: ErrNotProfiled}
	}
	return checkNoSecret("Target.Control", o.Control)
}

// checkNoSecret refuses an address that holds a user or a password. It is called before anything is
// written down or quoted, and doesn't quote the address either.
func checkNoSecret(option, address string) error {
	if !strings.Contains(address, "@") {
		return nil
	}
	return &scenarios.OptionError{
		Option: option, Problem: "the address (not shown) holds a user or a password", Want: "want http://HOST:PORT",
	}
}

// Open starts or finds the devices of a scenario. trust is for asking devices at an address whether
// they are there; nil trusts the system's authorities. If it can't, it returns a
// [*scenarios.OptionError] or another error, and leaves nothing behind.
func Open(ctx context.Context, o Options, s scenarios.Spec, trust *tls.Config) (Target, error) {
	switch {
	case o.DeviceFile != "":
		return openList(o.DeviceFile)
	case o.Address == "" || o.Address == OwnProcess:
		p, err := startProcess(ctx, o, s, startTimeout)
		if err != nil {
			return nil, err // not p, which isn't nil as a Target
		}
		return p, nil
	case o.Address == InProcess:
		return openInProcess(ctx, s)
	}
	return openRemote(ctx, o, s, trust)
}

// known is what every target knows of itself.
type known struct {
	kind      string
	devices   *DeviceList
	mayReboot bool
}

func (k *known) Kind() string           { return k.kind }
func (k *known) Devices() *DeviceList   { return k.devices }
func (k *known) MayReboot() bool        { return k.mayReboot }
func (*known) Pid() int                 { return 0 }
func (*known) CA() string               { return "" }
func (*known) Addressing() address.Mode { return "" }
func (*known) Exited() <-chan struct{}  { return nil }

// knownOf returns what is known of the fleet of a scenario, once it is up at an address.
func knownOf(kind string, s scenarios.Spec, address string) (known, error) {
	cfg := s.FleetConfig()
	devices, err := ListDevices(address, cfg.Addressing, cfg.Devices)
	return known{kind, devices, mayReboot(cfg)}, err
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
