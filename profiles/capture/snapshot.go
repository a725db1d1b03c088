package capture

import (
	"bytes"
	"fmt"
	"reflect"
	"runtime/pprof"
	"slices"

	"github.com/google/pprof/profile"

	"github.com/fleetmark/fleetmark/profiles"
	"github.com/fleetmark/fleetmark/profiles/internal/stack"
)

// snapshot returns the current content of a runtime profile, with the columns of its kind.
func snapshot(k profiles.Kind) (*profile.Profile, error) {
	source := pprof.Lookup(string(k))
	if source == nil {
		return nil, fmt.Errorf("%s profile: this Go runtime has none: leave the kind out", k)
	}
	var buf bytes.Buffer
	if err := source.WriteTo(&buf, 0); err != nil {
		return nil, fmt.Errorf("%s profile: taking it from the runtime: %w", k, err)
	}
	return parseRuntime(k, buf.Bytes())
}

// parseRuntime parses a profile that the runtime wrote, and keeps the columns of kind k.
func parseRuntime(k profiles.Kind, data []byte) (*profile.Profile, error) {
	p, err := profiles.Decode(data, profiles.MaxSize)
	if err != nil {
		return nil, fmt.Errorf("%s profile: the runtime's answer: %w", k, err)
	}
	if err := profiles.KeepColumns(p, k); err != nil {
		return nil, fmt.Errorf("%s profile: the runtime's answer: %w", k, err)
	}
	return p, nil
}

// accumulates reports whether the runtime counts kind k from the start of the process, so that the
// profile of a repetition is a difference.
func accumulates(k profiles.Kind) bool {
	return k == profiles.Allocs || k == profiles.Mutex || k == profiles.Block
}

// subtract returns what was counted between base and after, which is never negative, since the
// runtime's counts only grow. It changes the values in base. The result's duration is the time
// between the two.
func subtract(after, base *profile.Profile) (*profile.Profile, error) {
	from, to := base.TimeNanos, after.TimeNanos
	base.Scale(-1)
	p, err := profile.Merge([]*profile.Profile{after, base})
	if err != nil {
		return nil, err
	}
	p.TimeNanos = from
	p.DurationNanos = max(0, to-from) // the wall clock may have been set back
	return p, nil
}

// dropOwn removes samples without a value, and samples of the capture itself.
//
// The first column decides, which is a count in every kind. If it is 0, nanoseconds are only an
// error of rounding cycles to nanoseconds twice.
func dropOwn(p *profile.Profile) *profile.Profile {
	p.Sample = slices.DeleteFunc(p.Sample, func(s *profile.Sample) bool {
		return s.Value[0] <= 0 || isOwn(s)
	})
	p = p.Compact()
	profiles.KeepNames(p)
	return p
}

// isOwn reports whether a stack belongs to the capture itself: it holds a function of this package,
// the goroutine in which the runtime collects CPU samples, or the one that writes a trace.
func isOwn(s *profile.Sample) bool {
	roots := []string{reflect.TypeFor[Capture]().PkgPath() + ".", "runtime/pprof.profileWriter", "runtime/trace.Start."}
	return stack.Holds(s, func(function string) bool { return stack.IsOwn(function, roots) })
}
