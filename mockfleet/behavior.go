package mockfleet

import (
	"errors"
	"math"
	"net/http"
	"slices"
	"strconv"
	"time"
)

// Behavior is how a device answers updates. The zero value answers at once and never fails.
// What a device does with its n-th update is a pure function of (seed, device, n).
type Behavior struct {
	// Latency is the delay between an update's last byte and its answer.
	Latency Distribution `json:"latency" yaml:"latency"`
	// FailFirst is how many updates, from the first that reaches the device, it answers FailStatus
	// and does not apply.
	FailFirst int `json:"fail_first" yaml:"fail_first"`
	// FailStatus is that status, 400 to 599; 0 is 503.
	FailStatus int `json:"fail_status" yaml:"fail_status"`
	// Faults are further ways to misbehave, at most 32. Of those that strike at the same place (the
	// connection, the upload, the answer, …), the first in the list that strikes an attempt is the
	// one that acts.
	Faults []Fault `json:"faults,omitempty" yaml:"faults,omitempty"`
	// Require are header fields without which the device refuses an update with 400; at most 8.
	Require []HeaderField `json:"require,omitempty" yaml:"require,omitempty"`
	// Life is what the device goes through after it took an update.
	Life Life `json:"life,omitzero" yaml:"life,omitzero"`
	// Network is what lies between the device and its clients.
	Network Network `json:"network,omitzero" yaml:"network,omitzero"`
}

// Validate reports every field that is out of bounds, each as a *ConfigError on a line of its own.
func (b Behavior) Validate() error {
	var errs []error
	if b.FailFirst < 0 || b.FailFirst > math.MaxInt32 {
		errs = append(errs, &ConfigError{
			Field: "fail_first", Value: strconv.Itoa(b.FailFirst), Want: "0 to " + strconv.Itoa(math.MaxInt32),
		})
	}
	if b.FailStatus != 0 && (b.FailStatus < 400 || b.FailStatus > 599) {
		errs = append(errs, &ConfigError{
			Field: "fail_status", Value: strconv.Itoa(b.FailStatus), Want: "an HTTP status from 400 to 599, or 0 for 503",
		})
	}
	if len(b.Faults) > maxFaults {
		errs = append(errs, &ConfigError{
			Field: "faults", Value: strconv.Itoa(len(b.Faults)) + " of them", Want: "at most " + strconv.Itoa(maxFaults),
		})
	}
	errs = append(errs, b.Network.validate()...)
	errs = append(errs, validateRequire(b.Require)...)
	if len(b.Faults) > 0 {
		table := kinds()
		for i, f := range b.Faults {
			errs = append(errs, f.validate(i, table)...)
		}
	}
	return errors.Join(errs...)
}

func (b Behavior) equal(other Behavior) bool {
	return b.Latency == other.Latency && b.FailFirst == other.FailFirst && b.FailStatus == other.FailStatus &&
		slices.Equal(b.Require, other.Require) && b.Life == other.Life && b.Network == other.Network && slices.Equal(b.Faults, other.Faults)
}

func (b Behavior) withDefaults() Behavior {
	if b.FailStatus == 0 {
		b.FailStatus = http.StatusServiceUnavailable
	}
	b.Faults = slices.Clone(b.Faults) // the caller may go on with his
	b.Require = slices.Clone(b.Require)
	return b
}

// fails tells whether the device fails its attempt-th update, counted from 1.
func (b *Behavior) fails(attempt uint32) bool { return attempt <= uint32(b.FailFirst) }

// delay is how long the device takes to answer its attempt-th update.
func (b *Behavior) delay(seed uint64, device int, attempt uint32) time.Duration {
	if b.Latency == (Distribution{}) {
		return 0
	}
	return b.Latency.Sample(draw(seed, device, attempt, purposeLatency))
}
