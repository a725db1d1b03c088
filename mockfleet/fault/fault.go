package fault

import (
	"cmp"
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/fleetmark/fleetmark/mockfleet/internal/field"
	"github.com/fleetmark/fleetmark/mockfleet/random"
)

// Fault is one way in which a device misbehaves. docs/reference/faults.md has the table of kinds,
// with their parameters and what each does on the wire. Which devices a fault acts on, at which
// attempts, and with which amounts is a pure function of (seed, device, attempt).
//
// What an attempt is depends on the kind: a connection, a request on a connection that was used
// before, an update, or a version request. Each is counted from 1 since the device was given its
// behavior.
type Fault struct {
	Kind string `json:"kind" yaml:"kind"` // "blackhole", "status-503", …
	// On selects the answers that a fault at PointResponse acts on: "" and "update" mean answers to
	// updates, "version" means answers to version requests.
	On    string       `json:"on,omitempty" yaml:"on,omitempty"`
	First int          `json:"first,omitempty" yaml:"first,omitempty"` // how many attempts, from the first; 0 is all
	Share random.Share `json:"share,omitempty" yaml:"share,omitempty"` // acts on this share of the devices; 0 is all
	// AfterBytes is how many bytes of the artifact the device receives before the fault acts.
	AfterBytes random.Int `json:"after_bytes,omitzero" yaml:"after_bytes,omitzero"`
	Rate       random.Int `json:"rate,omitzero" yaml:"rate,omitzero"` // bytes a second
	// Delay is how long the fault waits, hangs or lasts. The kind defines which, and what 0 means.
	Delay      random.Duration `json:"delay,omitzero" yaml:"delay,omitzero"`
	Status     int             `json:"status,omitempty" yaml:"status,omitempty"`         // HTTP status to answer
	RetryAfter RetryAfter      `json:"retry_after,omitzero" yaml:"retry_after,omitzero"` // sent with Status
	// Origin is where a redirect leads: "" and "same" mean the origin of the device itself, "other"
	// another one.
	Origin string `json:"origin,omitempty" yaml:"origin,omitempty"`
}

const (
	onUpdate    = "update"
	onVersion   = "version"
	originSame  = "same"
	originOther = "other"

	// MaxPerDevice is how many faults one device may have.
	MaxPerDevice = 32
)

// Validate reports what is wrong with the faults of a behavior, each as a *mockfleet.ConfigError.
func Validate(faults []Fault) (errs []error) {
	if len(faults) == 0 {
		return nil
	}
	table := Table()
	for i, f := range faults {
		errs = append(errs, f.validate(i, table)...)
	}
	return errs
}

// validate reports what is wrong with f, the i-th fault of a behavior, each as a *field.Error.
func (f Fault) validate(i int, table []Kind) (errs []error) {
	bad := func(name, value, want string) {
		errs = append(errs, &field.Error{Field: fmt.Sprintf("faults[%d].%s", i, name), Value: value, Want: want})
	}
	k, ok := lookup(table, f.Kind)
	if !ok {
		bad("kind", strconv.Quote(f.Kind), "one of "+strings.Join(namesOf(table), ", "))
		return errs
	}
	for _, p := range f.parametersSet() {
		if k.Params&p.is == 0 {
			bad(p.name, p.value, "none: "+k.Name+" takes "+k.Params.String())
		}
	}
	if f.First < 0 || f.First > math.MaxInt32 {
		bad("first", strconv.Itoa(f.First), "0 to "+strconv.Itoa(math.MaxInt32))
	}
	if !(f.Share >= 0 && f.Share <= 1) {
		bad("share", fmt.Sprint(float64(f.Share)), "0 to 1")
	}
	if f.On != "" && f.On != onUpdate && f.On != onVersion {
		bad("on", strconv.Quote(f.On), onUpdate+" or "+onVersion)
	}
	if f.Origin != "" && f.Origin != originSame && f.Origin != originOther {
		bad("origin", strconv.Quote(f.Origin), originSame+" or "+originOther)
	}
	low, high := k.Statuses()
	switch {
	case k.Params&ParamStatus == 0 || f.Status == 0 && k.Defaults.Status != 0:
	case f.Status < low || f.Status > high:
		bad("status", strconv.Itoa(f.Status), fmt.Sprintf("an HTTP status from %d to %d", low, high))
	}
	if r := f.RetryAfter.After; r < 0 || r > random.MaxDuration {
		bad("retry_after", r.String(), "0 to "+random.MaxDuration.String())
	}
	if k.NeedsRate && f.Rate == (random.Int{}) {
		bad("rate", f.Rate.String(), "bytes a second, from 1")
	}
	return errs
}

// parametersSet lists the parameters that f sets, except for share, which every kind takes.
func (f Fault) parametersSet() []parameterValue {
	var list []parameterValue
	add := func(set bool, is Params, name string, value any) {
		if set {
			list = append(list, parameterValue{is, name, fmt.Sprint(value)})
		}
	}
	add(f.On != "", ParamOn, "on", f.On)
	add(f.First != 0, ParamFirst, "first", f.First)
	add(f.AfterBytes != random.Int{}, ParamAfterBytes, "after_bytes", f.AfterBytes)
	add(f.Rate != random.Int{}, ParamRate, "rate", f.Rate)
	add(f.Delay != random.Duration{}, ParamDelay, "delay", f.Delay)
	add(f.Status != 0, ParamStatus, "status", f.Status)
	add(f.RetryAfter != RetryAfter{}, ParamRetryAfter, "retry_after", f.RetryAfter)
	add(f.Origin != "", ParamOrigin, "origin", f.Origin)
	return list
}

type parameterValue struct {
	is          Params
	name, value string
}

// withDefaults returns f with its kind's defaults for the parameters that are left out.
func (f Fault) withDefaults(k *Kind) Fault {
	f.Delay, f.Status = cmp.Or(f.Delay, k.Defaults.Delay), cmp.Or(f.Status, k.Defaults.Status)
	return f
}
