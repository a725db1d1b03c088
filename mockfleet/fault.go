package mockfleet

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
)

// Fault is one way in which a device misbehaves. docs/faults.md has the table of kinds, what each
// takes, and what is seen of it on the wire. Which devices a fault strikes, at which attempts, and
// with which amounts is a pure function of (seed, device, attempt).
//
// What an attempt is depends on the kind: a connection, a request on a connection that was used before,
// an update, or a look at the version, each counted from 1 since the device was given its behaviour.
type Fault struct {
	Kind       string `json:"kind" yaml:"kind"`                                 // "blackhole", "status-503", …
	On         string `json:"on,omitempty" yaml:"on,omitempty"`                 // of a fault in answers: "" or "update", or "version"
	First      int    `json:"first,omitempty" yaml:"first,omitempty"`           // strikes only the first so many attempts; 0 is all
	Share      Share  `json:"share,omitempty" yaml:"share,omitempty"`           // strikes this share of the devices; 0 is all
	AfterBytes Amount `json:"after_bytes,omitzero" yaml:"after_bytes,omitzero"` // bytes of the artifact that come in first
	Rate       Amount `json:"rate,omitzero" yaml:"rate,omitzero"`               // bytes a second
	// Delay is how long it waits, hangs or lasts; each kind says which, and what 0 means.
	Delay      Distribution `json:"delay,omitzero" yaml:"delay,omitzero"`
	Status     int          `json:"status,omitempty" yaml:"status,omitempty"`         // HTTP status to answer
	RetryAfter RetryAfter   `json:"retry_after,omitzero" yaml:"retry_after,omitzero"` // with that status
	Origin     string       `json:"origin,omitempty" yaml:"origin,omitempty"`         // where a redirect leads: "" or "same", or "other"
}

const (
	onUpdate    = "update"
	onVersion   = "version"
	originSame  = "same"
	originOther = "other"

	maxFaults = 32 // on one device
)

// validate reports what is wrong with f, the i-th of a behaviour, each as a *ConfigError.
func (f Fault) validate(i int, table []kind) (errs []error) {
	bad := func(field, value, want string) {
		errs = append(errs, &ConfigError{Field: fmt.Sprintf("faults[%d].%s", i, field), Value: value, Want: want})
	}
	k, ok := kindNamed(table, f.Kind)
	if !ok {
		bad("kind", strconv.Quote(f.Kind), "one of "+strings.Join(kindNames(table), ", "))
		return errs
	}
	for _, p := range f.given() {
		if k.takes&p.is == 0 {
			bad(p.name, p.value, "none: "+k.name+" takes "+k.takes.String())
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
	low, high := k.statuses()
	switch {
	case k.takes&takesStatus == 0 || f.Status == 0 && k.preset.Status != 0:
	case f.Status < low || f.Status > high:
		bad("status", strconv.Itoa(f.Status), fmt.Sprintf("an HTTP status from %d to %d", low, high))
	}
	if r := f.RetryAfter.After; r < 0 || r > MaxDelay {
		bad("retry_after", r.String(), "0 to "+MaxDelay.String())
	}
	if k.needsRate && f.Rate == (Amount{}) {
		bad("rate", f.Rate.String(), "bytes a second, from 1")
	}
	return errs
}

// given lists the parameters that f sets, but for the ones that every kind takes.
func (f Fault) given() []givenParameter {
	var list []givenParameter
	add := func(set bool, is parameter, name string, value any) {
		if set {
			list = append(list, givenParameter{is, name, fmt.Sprint(value)})
		}
	}
	add(f.On != "", takesOn, "on", f.On)
	add(f.First != 0, takesFirst, "first", f.First)
	add(f.AfterBytes != Amount{}, takesAfter, "after_bytes", f.AfterBytes)
	add(f.Rate != Amount{}, takesRate, "rate", f.Rate)
	add(f.Delay != Distribution{}, takesDelay, "delay", f.Delay)
	add(f.Status != 0, takesStatus, "status", f.Status)
	add(f.RetryAfter != RetryAfter{}, takesRetryAfter, "retry_after", f.RetryAfter)
	add(f.Origin != "", takesOrigin, "origin", f.Origin)
	return list
}

type givenParameter struct {
	is          parameter
	name, value string
}

// withDefaults is f with what its kind takes for the parameters that were left out.
func (f Fault) withDefaults(k kind) Fault {
	f.Delay, f.Status = cmp.Or(f.Delay, k.preset.Delay), cmp.Or(f.Status, k.preset.Status)
	return f
}

// checkReach tells whether all of b can be had at devices that are addressed as a.
func (b Behavior) checkReach(a Addressing) error {
	var errs []error
	bad := func(field, value, want string) {
		errs = append(errs, &ConfigError{Field: field, Value: value, Want: want})
	}
	if n := b.Network.MaxConnections; n > 0 && a == AddressPath {
		bad("network.max_connections", strconv.Itoa(n), "ip or port addressing: in path addressing a connection is no device's")
	}
	table := kinds()
	for i, f := range b.Faults {
		k, _ := kindNamed(table, f.Kind)
		if !k.needsPort || a == AddressPort && canShut {
			continue
		}
		want := "port addressing: in " + string(a) + " addressing one listener serves all devices"
		if !canShut {
			want = "Linux, and port addressing"
		}
		bad(fmt.Sprintf("faults[%d].kind", i), strconv.Quote(f.Kind), want)
	}
	return errors.Join(errs...)
}
