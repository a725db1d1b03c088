package scenarios

import (
	"cmp"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/fleetmark/fleetmark/delivery"
	"github.com/fleetmark/fleetmark/internal/yamlnode"
	"github.com/fleetmark/fleetmark/mockfleet"
)

var nameForm = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,63}$`)

// Validate reports every mistake, as *SpecError, joined.
func (s Spec) Validate() error { return joinSpec(s.check()) }

// Bounds of a scenario.
const (
	maxMadeArtifact Bytes = 1 << 40 // made from the seed
	MaxWorkers            = 65536
	maxRepetitions        = 10_000
	maxWarmup             = 1000
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
	s.Client.check(bad, within)
	s.Client.checkHeaders(bad)
	s.Load.check(bad, within)
	s.checkThresholds(bad)
	if s.Load.Model == Rolling && s.Fleet.Devices > mostRolledOut {
		bad("fleet.devices", "%d: a rollout takes at most %d", s.Fleet.Devices, mostRolledOut)
	}
	within("repetitions", s.Repetitions, 1, maxRepetitions)
	within("warmup", s.Warmup, 0, maxWarmup)
	within("profiled", s.Profiled, 0, maxWarmup)
	if s.SlowTrace < 0 || s.SlowTrace > MaxTimeout {
		bad("slow_trace", "%v: want 0s (none) to %v", s.SlowTrace.Std(), MaxTimeout.Std())
	}
	if s.SlowTrace > 0 && s.Profiled == 0 {
		bad("slow_trace", "%v: traces are of profiled repetitions, and there are none: want profiled to be 1 or more", s.SlowTrace.Std())
	}
	return errs
}

// Bounds of the client, which are those of package delivery.
const (
	MaxTimeout  = Duration(24 * time.Hour)
	MaxAttempts = 1000
	maxIdle     = 1 << 20
)

func (s ClientSpec) check(bad func(field, format string, args ...any), within func(string, int, int, int)) {
	switch s.Transport {
	case delivery.Lean, delivery.NetHTTP:
	default:
		bad("client.transport", "%q: want lean or nethttp", string(s.Transport))
		return
	}
	if s.Defaults != "" && s.Defaults != Shipped {
		bad("client.defaults", "%q: want shipped, or nothing", string(s.Defaults))
	}
	rest := s // without what is told by its own name
	for _, f := range []struct {
		field string
		value Duration
		rest  *Duration
	}{
		{"client.dial_timeout", s.DialTimeout, &rest.DialTimeout}, {"client.answer_timeout", s.AnswerTimeout, &rest.AnswerTimeout},
		{"client.total_timeout", s.TotalTimeout, &rest.TotalTimeout},
		{"client.poll", s.Poll, &rest.Poll}, {"client.poll_for", s.PollFor, &rest.PollFor},
		{"client.retry_base", s.RetryBase, &rest.RetryBase}, {"client.retry_cap", s.RetryCap, &rest.RetryCap},
	} {
		if *f.rest = 0; f.value < 0 || f.value > MaxTimeout {
			bad(f.field, "%s: want 0s, for the client's default, to %s", f.value, MaxTimeout)
		}
	}
	within("client.max_attempts", s.MaxAttempts, 0, MaxAttempts)
	within("client.max_idle", s.MaxIdle, 0, maxIdle)
	within("client.good_reads", s.GoodReads, 0, MaxAttempts)
	rest.MaxAttempts, rest.MaxIdle, rest.GoodReads = 0, 0, 0
	if err := rest.Config().Validate(); err != nil {
		bad("client", "%s", yamlnode.OneLine(err.Error()))
	}
}

func (f FleetSpec) check(bad func(field, format string, args ...any), within func(string, int, int, int)) {
	addressing := cmp.Or(f.Addressing, mockfleet.DefaultAddressing())
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
		for _, e := range SplitErrors(err) {
			var of *mockfleet.ConfigError
			switch {
			case !errors.As(e, &of):
				bad(strings.TrimSuffix(prefix, "."), "%s", yamlnode.OneLine(e.Error()))
			case wanted(of.Field):
				bad(prefix+of.Field, "%s: want %s", of.Value, of.Want)
			}
		}
	}
	behavior := mockfleet.Config{Devices: 1, Addressing: addressing, Behavior: f.Behavior}
	report("fleet.behavior.", behavior.Validate(), func(string) bool { return true })
	groups := mockfleet.Config{Devices: min(max(f.Devices, 1), addressing.Capacity()), Addressing: addressing, Groups: f.Groups, TLS: f.TLS, Capacity: float64(f.Capacity)}
	report("fleet.", groups.Validate(), func(field string) bool {
		return strings.HasPrefix(field, "groups") || field == "tls" || field == "capacity"
	})
}

// SplitErrors returns the errors that err joins, as [errors.Join] does. An error that wraps several others and
// has a text of its own, as with two %w, stays whole. It returns nil if err is nil.
func SplitErrors(err error) []error {
	if err == nil {
		return nil
	}
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		return []error{err}
	}
	var parts []error
	var lines []string
	for _, e := range joined.Unwrap() {
		parts = append(parts, SplitErrors(e)...)
		lines = append(lines, e.Error())
	}
	if err.Error() != strings.Join(lines, "\n") {
		return []error{err}
	}
	return parts
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
	if l.Workers != 0 || !l.known() || !l.IsOpen() {
		within("load.workers", l.Workers, 1, MaxWorkers)
	}
	if l.Drain > maxDrain {
		bad("load.drain", "%s: want %s at most, or 0s for %s", l.Drain, maxDrain, DefaultDrain)
	} else if l.Drain > 0 && l.known() && !l.Drains() && l.modelDrains() {
		bad("load.drain", "%s: the load ends by itself; want a duration (of bursts, burst.every), or no drain", l.Drain)
	}
	l.checkModel(bad, within)
}
