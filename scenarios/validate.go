package scenarios

import (
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/fleetmark/fleetmark/delivery"
	"github.com/fleetmark/fleetmark/mockfleet"
)

var nameForm = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,63}$`)

// Validate reports every mistake, as *SpecError, joined.
func (s Spec) Validate() error { return joinSpec(s.check()) }

// Bounds of a scenario.
const (
	maxWorkers     = 65536
	maxRepetitions = 10_000
	maxWarmup      = 1000
)

func (s Spec) check() []*SpecError {
	var errs []*SpecError
	bad := func(field, format string, args ...any) {
		errs = append(errs, &SpecError{Field: field, Problem: fmt.Sprintf(format, args...)})
	}
	within := func(field string, v, low, high int) {
		if v < low || v > high {
			bad(field, "%d: want %d to %d", v, low, high)
		}
	}
	if !nameForm.MatchString(s.Name) {
		bad("name", "%q: want 1 to 64 lower-case letters, digits and dashes", s.Name)
	}
	s.checkSuite(bad)
	s.Fleet.check(bad, within)
	if s.Artifact.File == "" && (s.Artifact.Size < 1 || s.Artifact.Size > maxMadeArtifact) {
		bad("artifact.size", "%s: want 1B to %s; a larger artifact is pushed from a file", s.Artifact.Size, maxMadeArtifact)
	}
	switch s.Client.Transport {
	case delivery.Lean, delivery.NetHTTP:
		if err := s.Client.config().Validate(); err != nil {
			bad("client", "%s", oneLine(err.Error()))
		}
	default:
		bad("client.transport", "%q: want lean or nethttp", string(s.Client.Transport))
	}
	s.Client.checkHeaders(bad)
	s.Load.check(bad, within)
	s.checkThresholds(bad)
	if s.Load.Model == Rolling && s.Fleet.Devices > mostRolledOut {
		bad("fleet.devices", "%d: a rollout takes at most %d", s.Fleet.Devices, mostRolledOut)
	}
	within("repetitions", s.Repetitions, 1, maxRepetitions)
	within("warmup", s.Warmup, 0, maxWarmup)
	within("profiled", s.Profiled, 0, maxWarmup)
	return errs
}

func (f FleetSpec) check(bad func(field, format string, args ...any), within func(string, int, int, int)) {
	addressing := f.Addressing
	if addressing == "" {
		addressing = mockfleet.DefaultAddressing()
	}
	if _, err := mockfleet.ParseAddressing(string(addressing)); err != nil {
		bad("fleet.addressing", "%q: want ip, port or path", string(f.Addressing))
		return
	}
	if n, limit := f.Devices, addressing.Capacity(); n > limit {
		bad("fleet.devices", "%d: addressing %s holds at most %d; %s", n, addressing, limit, widerThan(addressing))
	} else {
		within("fleet.devices", n, 1, limit)
	}
	report := func(prefix string, err error, wanted func(field string) bool) {
		for _, e := range leaves(err) {
			var of *mockfleet.ConfigError
			switch {
			case !errors.As(e, &of):
				bad(strings.TrimSuffix(prefix, "."), "%s", oneLine(e.Error()))
			case wanted(of.Field):
				bad(prefix+of.Field, "%s: want %s", of.Value, of.Want)
			}
		}
	}
	report("fleet.behavior.", f.Behavior.Validate(), func(string) bool { return true })
	groups := mockfleet.Config{Devices: 1, Addressing: addressing, Groups: f.Groups, TLS: f.TLS, Capacity: float64(f.Capacity)}
	report("fleet.", groups.Validate(), func(field string) bool {
		return strings.HasPrefix(field, "groups") || field == "tls" || field == "capacity"
	})
}

// leaves are the errors that err joins.
func leaves(err error) []error {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		var list []error
		for _, e := range joined.Unwrap() {
			list = append(list, leaves(e)...)
		}
		return list
	}
	if err == nil {
		return nil
	}
	return []error{err}
}

// widerThan says what to do when an addressing is full.
func widerThan(a mockfleet.Addressing) string {
	if a == mockfleet.AddressPort {
		return "use ip or path addressing"
	}
	return "want fewer devices"
}

func (l LoadSpec) check(bad func(field, format string, args ...any), within func(string, int, int, int)) {
	switch l.Operation {
	case Push, Verify, Deliver:
	default:
		bad("load.operation", "%q: want push, verify or deliver", string(l.Operation))
	}
	within("load.workers", l.Workers, 1, maxWorkers)
	l.checkModel(bad, within)
}
