package profiles

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"runtime/pprof"
	"slices"
	"strings"

	"github.com/google/pprof/profile"
	"golang.org/x/sync/semaphore"

	"github.com/fleetmark/fleetmark/profiles/internal/stack"
)

// snapshot takes a runtime profile as it stands, with the columns of its kind.
func snapshot(k Kind) (*profile.Profile, error) {
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
func parseRuntime(k Kind, data []byte) (*profile.Profile, error) {
	p, err := decode(data, maxProfile)
	if err != nil {
		return nil, fmt.Errorf("%s profile: the runtime's answer: %w", k, err)
	}
	if err := keepColumns(p, k.sampleTypes()); err != nil {
		return nil, fmt.Errorf("%s profile: the runtime's answer: %w", k, err)
	}
	return p, nil
}

// keepColumns reduces p to the given sample types, in their order.
func keepColumns(p *profile.Profile, want []profile.ValueType) error {
	index := make([]int, len(want))
	types := make([]*profile.ValueType, len(want))
	for i, w := range want {
		index[i] = slices.IndexFunc(p.SampleType, func(t *profile.ValueType) bool { return *t == w })
		if index[i] < 0 {
			return fmt.Errorf("no sample type %s in %s", w.Type, w.Unit)
		}
		types[i] = p.SampleType[index[i]]
	}
	p.SampleType = types
	for _, s := range p.Sample {
		values := make([]int64, len(index))
		for i, from := range index {
			values[i] = s.Value[from]
		}
		s.Value = values
	}
	return nil
}

// subtract returns after less base, which it scales in place: what was counted between the two, since the
// runtime's counts only grow. Its time is that span.
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

// clean drops samples that count nothing and those of the capture itself.
//
// A sample that counts no event but some nanoseconds is the rest of rounding cycles
// to nanoseconds twice, so the first column, which is a count in every kind, decides.
func clean(p *profile.Profile) *profile.Profile {
	p.Sample = slices.DeleteFunc(p.Sample, func(s *profile.Sample) bool {
		return s.Value[0] <= 0 || ours(s)
	})
	p = p.Compact()
	keepNames(p)
	return p
}

// keepNames tells pprof that the names are in the file. The runtime says so only of a
// binary whose every address it could name, which cgo and the race detector spoil; pprof
// then names all of it again from whatever binary lies at that path, inlined calls lost.
func keepNames(p *profile.Profile) {
	for _, location := range p.Location {
		if location.Mapping != nil && len(location.Line) > 0 {
			location.Mapping.HasFunctions = true
		}
	}
}

// ours reports whether a stack is of a capture itself.
func ours(s *profile.Sample) bool {
	const here = "github.com/fleetmark/fleetmark/profiles."
	// Everything that a capture does begins in one of these. The goroutine with which runtime/pprof collects
	// CPU samples begins in profileWriter.
	roots := []string{
		here + "Start", here + "(*Capture).Stop", here + "(*Capture).watch", here + "(*Capture).follow",
		"runtime/pprof.profileWriter", "runtime/trace.Start",
	}
	return stack.Holds(s, func(function string) bool {
		return slices.ContainsFunc(roots, func(root string) bool {
			rest, ok := strings.CutPrefix(function, root)
			return ok && (rest == "" || rest[0] == '.') // itself or a closure of it
		})
	})
}

// ErrBusy is the error of [Start] while another capture, or another user of the CPU profiler such as
// "go test -cpuprofile", holds this process's profilers.
var ErrBusy = errors.New("this process is being profiled already: stop the other capture first")

// The runtime has one set of profilers and rates a process, and pprof's driver one set of settings. Two
// users at a time would mix them up in silence, so these two locks are the only state of this package.
var (
	capturing = semaphore.NewWeighted(1) // the runtime's profilers
	rendering = semaphore.NewWeighted(1) // pprof's driver
)

// Goroutines counts the goroutines of this process at one moment, by their stacks.
type Goroutines map[string]int

// A GoroutineStack is where some goroutines are.
type GoroutineStack struct {
	Count  int
	Frames []string // the innermost function first: its name, and file:line
}

// String is the stack on one line, from the goroutine's beginning on.
func (s GoroutineStack) String() string {
	names := slices.Clone(s.Frames)
	slices.Reverse(names)
	return fmt.Sprintf("%d at %s", s.Count, strings.Join(names, " > "))
}

// CountGoroutines counts the goroutines that have the pprof label, and besides those that have a
// function on their stack whose name begins with one of the prefixes.
func CountGoroutines(label, value string, prefixes ...string) (Goroutines, error) {
	p, err := snapshot(Goroutine)
	if err != nil {
		return nil, err
	}
	g := Goroutines{}
	for _, s := range p.Sample {
		frames := stack.Frames(s.Location...)
		if !slices.Contains(s.Label[label], value) && stack.OwnerIndex(frames, prefixes) < 0 {
			continue
		}
		lines := make([]string, len(frames))
		for i, f := range frames {
			lines[i] = f.Function + " " + f.Position()
		}
		g[strings.Join(lines, "\n")] += int(s.Value[0])
	}
	return g, nil
}

// Count returns how many there are.
func (g Goroutines) Count() (n int) {
	for _, count := range g {
		n += count
	}
	return n
}

// More returns those that g has and before hadn't, the most first. A goroutine of before that has gone on
// to another line is among them: it is their sum that says whether there are more.
func (g Goroutines) More(before Goroutines) []GoroutineStack {
	var more []GoroutineStack
	for at, n := range g {
		if n -= before[at]; n > 0 {
			more = append(more, GoroutineStack{n, strings.Split(at, "\n")})
		}
	}
	slices.SortFunc(more, func(a, b GoroutineStack) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), slices.Compare(a.Frames, b.Frames))
	})
	return more
}
