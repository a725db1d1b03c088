package profiles

import (
	"fmt"
	"slices"
	"strings"

	"github.com/google/pprof/profile"

	"github.com/fleetmark/fleetmark/profiles/internal/stack"
)

// A Breakdown divides an allocation profile by component. The components' sums are the profile's.
type Breakdown struct {
	Objects    int64            `json:"objects"`
	Bytes      int64            `json:"bytes"`
	Components []ComponentTotal `json:"components"` // in the requested order, even those of 0; "other" is last
}

// A ComponentTotal is what a component allocated.
type ComponentTotal struct {
	Name    string `json:"name"`
	Objects int64  `json:"objects"`
	Bytes   int64  `json:"bytes"`
}

// A Component is a part of a program. It consists of the functions whose names begin with certain
// prefixes, such as "net." or "net/http.Header.".
type Component struct {
	Name     string
	Prefixes []string
}

// BreakdownOf divides the allocation profile in a file by component. A stack belongs to the
// component of its innermost function that has one. If two components match that function, the
// longer prefix wins. For example, context.WithDeadline that net's dialer calls belongs to context,
// with all that the runtime allocates for it.
//
// The sums are exact if runtime.MemProfileRate was 1 from the start of the process; otherwise they
// are estimates. The error about a file that is missing, cut short or isn't an allocation profile
// is a [*FileError].
func BreakdownOf(path string, components []Component) (*Breakdown, error) {
	p, err := Load(path)
	if err != nil {
		return nil, err
	}
	types := Allocs.sampleTypes()
	objects, bytes := valueIndex(p, types[0].Type), valueIndex(p, types[1].Type)
	if objects < 0 || bytes < 0 {
		err := fmt.Errorf("it counts %s, not allocations", typeNames(p))
		return nil, &FileError{Path: path, Problem: OtherKind, Err: err}
	}
	return newBreakdown(p, objects, bytes, components), nil
}

func valueIndex(p *profile.Profile, name string) int {
	return slices.IndexFunc(p.SampleType, func(t *profile.ValueType) bool { return t.Type == name })
}

func newBreakdown(p *profile.Profile, objects, bytes int, components []Component) *Breakdown {
	b := &Breakdown{}
	for _, c := range components {
		b.Components = append(b.Components, ComponentTotal{Name: c.Name})
	}
	b.Components = append(b.Components, ComponentTotal{Name: "other"})
	for _, sample := range p.Sample {
		n, size := sample.Value[objects], sample.Value[bytes]
		b.Objects += n
		b.Bytes += size
		part := &b.Components[componentOf(stack.Frames(sample.Location...), components)]
		part.Objects += n
		part.Bytes += size
	}
	return b
}

// componentOf returns the index of the component that a stack belongs to, or len(components) if it
// belongs to none.
func componentOf(frames []stack.Frame, components []Component) int {
	for _, f := range frames {
		best, length := len(components), 0
		for i, c := range components {
			for _, prefix := range c.Prefixes {
				if len(prefix) > length && strings.HasPrefix(f.Function, prefix) {
					best, length = i, len(prefix)
				}
			}
		}
		if best < len(components) {
			return best
		}
	}
	return len(components)
}
