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

// subtract answers after less base, which it scales in place. The runtime's counts
// only grow, so what is left is what came between the two; its time is that span.
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

// ours tells the work of a capture from the work that it looks at.
func ours(s *profile.Sample) bool {
	for _, location := range s.Location {
		for _, line := range location.Line {
			if line.Function != nil && ourFunction(line.Function.Name) {
				return true
			}
		}
	}
	return false
}

// The roots of everything that a capture does; profileWriter is the goroutine with
// which runtime/pprof collects CPU samples.
const (
	ownStart  = "github.com/fleetmark/fleetmark/profiles.Start"
	ownStop   = "github.com/fleetmark/fleetmark/profiles.(*Capture).Stop"
	ownWatch  = "github.com/fleetmark/fleetmark/profiles.(*Capture).watch"
	ownFollow = "github.com/fleetmark/fleetmark/profiles.(*Capture).follow"
	cpuWriter = "runtime/pprof.profileWriter"
	tracer    = "runtime/trace.Start"
)

func ourFunction(name string) bool {
	for _, root := range [...]string{ownStart, ownStop, ownWatch, ownFollow, cpuWriter, tracer} {
		rest, ok := strings.CutPrefix(name, root)
		if ok && (rest == "" || rest[0] == '.') { // itself or a closure of it
			return true
		}
	}
	return false
}

// ErrBusy answers a Start while another capture, or another user of the CPU
// profiler such as "go test -cpuprofile", holds this process's profilers.
var ErrBusy = errors.New("this process is being profiled already: stop the other capture first")

// The runtime has one set of profilers and rates a process, and pprof's driver one set of settings. Two
// users at a time would mix them up in silence, so these two locks are the only state of this package.
var (
	capturing = semaphore.NewWeighted(1) // the runtime's profilers
	rendering = semaphore.NewWeighted(1) // pprof's driver
)

// Goroutines are those of this process at one moment, by their stacks.
type Goroutines struct {
	byStack map[string]int
}

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

// CountGoroutines takes those as they are in whose stack is a function whose name begins in one of these
// ways; without any, all.
func CountGoroutines(prefixes ...string) (*Goroutines, error) {
	p, err := snapshot(Goroutine)
	if err != nil {
		return nil, err
	}
	g := &Goroutines{byStack: map[string]int{}}
	for _, s := range p.Sample {
		stack := frames(s.Location...)
		if len(prefixes) > 0 && owner(stack, prefixes) < 0 {
			continue
		}
		lines := make([]string, len(stack))
		for i, f := range stack {
			lines[i] = f.function + " " + f.place()
		}
		g.byStack[strings.Join(lines, "\n")] += int(s.Value[0])
	}
	return g, nil
}

// Count is how many there are.
func (g *Goroutines) Count() (n int) {
	for _, count := range g.byStack {
		n += count
	}
	return n
}

// More are those that g has and before hadn't, the most first. A goroutine of before that has gone on
// to another line is among them: it is their sum that says whether there are more.
func (g *Goroutines) More(before *Goroutines) []GoroutineStack {
	var more []GoroutineStack
	for stack, n := range g.byStack {
		if n -= before.byStack[stack]; n > 0 {
			more = append(more, GoroutineStack{n, strings.Split(stack, "\n")})
		}
	}
	slices.SortFunc(more, func(a, b GoroutineStack) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), slices.Compare(a.Frames, b.Frames))
	})
	return more
}
