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

// snapshot takes a runtime profile as it stands, with the columns of its kind.
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

// parseRuntime reads what the runtime wrote and keeps the columns of kind k.
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

// accumulates reports whether the runtime counts kind k from the start of the process, so that one
// repetition is a difference.
func accumulates(k profiles.Kind) bool {
	return k == profiles.Allocs || k == profiles.Mutex || k == profiles.Block
}

// subtract returns after less base, which it scales in place: what was counted between the two,
// since the runtime's counts only grow. Its time is that span.
func subtract(after, base *profile.Profile) (*profile.Profile, error) {
	from, to := base.TimeNanos, after.TimeNanos
	base.Scale(-1)
	p, err := profile.Merge([]*profile.Profile{after, base})
	if err != nil {
		return nil, err
	}
	p.TimeNanos = from
	p.DurationNanos = max(0, to-from) // a wall clock may be set back meanwhile
	return p, nil
}

// dropOwn drops samples whose values are zero, and samples of the capture itself.
//
// A sample that counts no event but some nanoseconds is the rest of rounding cycles
// to nanoseconds twice, so the first column, which is a count in every kind, decides.
func dropOwn(p *profile.Profile) *profile.Profile {
	p.Sample = slices.DeleteFunc(p.Sample, func(s *profile.Sample) bool {
		return s.Value[0] <= 0 || isOwn(s)
	})
	p = p.Compact()
	profiles.KeepNames(p)
	return p
}

// isOwn reports whether a stack is of a capture itself: whether a function of this package is on
// it, or that of the goroutine with which the runtime collects CPU samples, or the one that writes
// a trace.
func isOwn(s *profile.Sample) bool {
	roots := []string{reflect.TypeFor[Capture]().PkgPath() + ".", "runtime/pprof.profileWriter", "runtime/trace.Start."}
	return stack.Holds(s, func(function string) bool { return stack.IsOwn(function, roots) })
}
