package profiles

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/google/pprof/profile"

	"github.com/fleetmark/fleetmark/profiles/internal/stack"
)

// A Component is one of the parts that an allocation profile is divided into: what was
// allocated in, or on behalf of, functions whose names begin in one of these ways, such
// as "net." or "net/http.Header.".
type Component struct {
	Name     string
	Prefixes []string
}

// BreakdownOptions say how a profile is divided.
type BreakdownOptions struct {
	// Components claim a stack by its innermost function that any of them knows; of two
	// that know it, the one with the longer prefix. So context.WithDeadline called by
	// net's dialer is the context's, and what the runtime allocates for it as well.
	Components []Component

	// Caller is a prefix such as your package path. A call site is named by the innermost function
	// of the stack whose name begins with it.
	Caller string

	// Sites is how many call sites are given, largest first; the rest are summed up in one
	// more. 0 is 10, less than 0 is all.
	Sites int
}

// A Breakdown divides an allocation profile in two ways, which have the same sum: that
// of the profile.
type Breakdown struct {
	Objects    int64            `json:"objects"`
	Bytes      int64            `json:"bytes"`
	Components []ComponentTotal `json:"components"` // in the order asked for, the rest last; each is there, were it 0
	Sites      []Site           `json:"sites"`      // by bytes; the last one may sum up those that are left out
}

// A ComponentTotal is what a component allocated.
type ComponentTotal struct {
	Name    string `json:"name"`
	Objects int64  `json:"objects"`
	Bytes   int64  `json:"bytes"`
}

// A Site is where something was allocated.
type Site struct {
	Function string `json:"function"` // that allocated; empty in the sum of the ones left out
	Caller   string `json:"caller"`   // the innermost of the asked-for package below it; empty: none is on the stack
	Position string `json:"place"`    // file:line in the caller, or else in the function; the file without its directory
	Objects  int64  `json:"objects"`
	Bytes    int64  `json:"bytes"`
}

// BreakdownOf divides the allocation profile of a file, as package capture writes it. Its sums
// are exact if the process ran with runtime.MemProfileRate 1 from the beginning; otherwise
// they are the estimate that the profile is.
//
// A file that is missing, cut, or no profile of allocations is a [*FileError].
func BreakdownOf(path string, opts BreakdownOptions) (*Breakdown, error) {
	p, err := Load(path)
	if err != nil {
		return nil, err
	}
	types := Allocs.sampleTypes()
	objects, bytes := valueIndex(p, types[0].Type), valueIndex(p, types[1].Type)
	if objects < 0 || bytes < 0 {
		return nil, &FileError{Path: path, Problem: OtherKind, Err: fmt.Errorf("it counts %s, not allocations", typeNames(p))}
	}
	return newBreakdown(p, objects, bytes, opts), nil
}

func valueIndex(p *profile.Profile, name string) int {
	return slices.IndexFunc(p.SampleType, func(t *profile.ValueType) bool { return t.Type == name })
}

func newBreakdown(p *profile.Profile, objects, bytes int, opts BreakdownOptions) *Breakdown {
	b := &Breakdown{}
	for _, c := range opts.Components {
		b.Components = append(b.Components, ComponentTotal{Name: c.Name})
	}
	b.Components = append(b.Components, ComponentTotal{Name: "other"})
	at := map[Site]int{}
	for _, sample := range p.Sample {
		n, size := sample.Value[objects], sample.Value[bytes]
		b.Objects += n
		b.Bytes += size
		frames := stack.Frames(sample.Location...)
		share := &b.Components[componentOf(frames, opts.Components)]
		share.Objects += n
		share.Bytes += size

		site := siteOf(frames, opts.Caller)
		i, ok := at[site]
		if !ok {
			i = len(b.Sites)
			at[site] = i
			b.Sites = append(b.Sites, site)
		}
		b.Sites[i].Objects += n
		b.Sites[i].Bytes += size
	}
	b.Sites = largest(b.Sites, opts.Sites)
	return b
}

// componentOf returns the index of the component that a stack belongs to, or their number if there
// is none.
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

// siteOf names where a stack allocated: the innermost function that isn't the runtime's
// own, and its caller.
func siteOf(frames []stack.Frame, caller string) (s Site) {
	for _, f := range frames {
		if s.Function == "" && f.File != "" && !strings.HasPrefix(f.Function, "runtime.") {
			s.Function, s.Position = f.Function, f.Position()
		}
		if caller != "" && strings.HasPrefix(f.Function, caller) {
			s.Caller, s.Position = f.Function, f.Position()
			break
		}
	}
	s.Function = cmp.Or(s.Function, "runtime")
	return s
}

// largest keeps the n largest sites and sums up the others.
func largest(sites []Site, n int) []Site {
	slices.SortFunc(sites, func(a, b Site) int {
		return cmp.Or(cmp.Compare(b.Bytes, a.Bytes), cmp.Compare(b.Objects, a.Objects), cmp.Compare(a.Function, b.Function), cmp.Compare(a.Position, b.Position), cmp.Compare(a.Caller, b.Caller))
	})
	n = cmp.Or(n, 10)
	if n < 0 || len(sites) <= n+1 { // to sum up one would save nothing
		return sites
	}
	var rest Site
	for _, s := range sites[n:] {
		rest.Objects += s.Objects
		rest.Bytes += s.Bytes
	}
	return append(slices.Clip(sites[:n]), rest)
}
