// Package behavior configures how devices behave: how long they take, how they fail, the network
// between them and their clients, and which parts of a fleet behave alike. It also draws samples
// from that configuration, each a pure function of seed, device and attempt. Packages
// internal/device and internal/server act on them.
package behavior

import (
	"cmp"
	"errors"
	"math"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/fleetmark/fleetmark/mockfleet/fault"
	"github.com/fleetmark/fleetmark/mockfleet/internal/field"
	"github.com/fleetmark/fleetmark/mockfleet/random"
)

// Behavior is how a device answers updates. The zero value answers at once and never fails.
// What a device does with its n-th update is a pure function of (seed, device, n).
type Behavior struct {
	// Latency is the delay between an update's last byte and its answer.
	Latency random.Duration `json:"latency" yaml:"latency"`
	// FailFirst is how many updates the device answers with FailStatus and doesn't apply, counted
	// from the first that reaches it.
	FailFirst int `json:"fail_first" yaml:"fail_first"`
	// FailStatus is the status of the answers to the first FailFirst updates, 400 to 599; 0 means
	// 503.
	FailStatus int `json:"fail_status" yaml:"fail_status"`
	// Faults are further ways to misbehave, at most 32. Faults that act at different points (the
	// connection, the upload, the answer, …) may act on the same attempt. At each point, only the
	// first fault in the list that applies to the attempt acts.
	Faults []fault.Fault `json:"faults,omitempty" yaml:"faults,omitempty"`
	// Require lists header fields, at most 8, that an update must have. The device answers 400 if
	// one is missing or has another value.
	Require []HeaderField `json:"require,omitempty" yaml:"require,omitempty"`
	// Life is how long the device installs and reboots after an update.
	Life InstallTimes `json:"life,omitzero" yaml:"life,omitzero"`
	// Network is the simulated network between the device and its clients.
	Network Network `json:"network,omitzero" yaml:"network,omitzero"`
}

// Validate reports every field that is out of bounds, each as a *mockfleet.ConfigError on a line of
// its own.
func (b Behavior) Validate() error {
	var errs []error
	bad := func(name, value, want string) {
		errs = append(errs, &field.Error{Field: name, Value: value, Want: want})
	}
	if b.FailFirst < 0 || b.FailFirst > math.MaxInt32 {
		bad("fail_first", strconv.Itoa(b.FailFirst), "0 to "+strconv.Itoa(math.MaxInt32))
	}
	if b.FailStatus != 0 && (b.FailStatus < 400 || b.FailStatus > 599) {
		bad("fail_status", strconv.Itoa(b.FailStatus), "an HTTP status from 400 to 599, or 0 for 503")
	}
	if len(b.Faults) > fault.MaxPerDevice {
		bad("faults", strconv.Itoa(len(b.Faults))+" of them", "at most "+strconv.Itoa(fault.MaxPerDevice))
	}
	errs = append(errs, b.Network.validate()...)
	errs = append(errs, validateRequire(b.Require)...)
	return errors.Join(append(errs, fault.Validate(b.Faults)...)...)
}

// Equal reports whether b and other are the same configuration. Faults and Require must have the
// same order.
func (b Behavior) Equal(other Behavior) bool {
	return b.Latency == other.Latency && b.FailFirst == other.FailFirst && b.FailStatus == other.FailStatus &&
		b.Life == other.Life && b.Network == other.Network &&
		slices.Equal(b.Require, other.Require) && slices.Equal(b.Faults, other.Faults)
}

// WithDefaults returns a copy of b that shares no memory with it. If FailStatus is 0, the copy has
// 503.
func (b Behavior) WithDefaults() Behavior {
	b.FailStatus = cmp.Or(b.FailStatus, http.StatusServiceUnavailable)
	b.Faults = slices.Clone(b.Faults) // the caller may change its own
	b.Require = slices.Clone(b.Require)
	return b
}

// Fails reports whether the device fails its attempt-th update, counted from 1.
func (b *Behavior) Fails(attempt uint32) bool { return attempt <= uint32(b.FailFirst) }

// Delay returns how long the device takes to answer its attempt-th update.
func (b *Behavior) Delay(seed uint64, device int, attempt uint32) time.Duration {
	if b.Latency == (random.Duration{}) {
		return 0
	}
	return b.Latency.Sample(random.Draw(seed, device, attempt, random.StreamLatency))
}

// Healed returns b without faults and without FailFirst. Latency, life, network and required fields
// stay.
func (b Behavior) Healed() Behavior {
	b.Faults, b.FailFirst, b.FailStatus = nil, 0, http.StatusServiceUnavailable
	return b
}
