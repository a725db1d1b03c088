package capture

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/fleetmark/fleetmark/profiles"
	"github.com/fleetmark/fleetmark/profiles/internal/stack"
)

// Goroutines holds the number of goroutines of this process at one moment, by stack.
type Goroutines map[string]int

// A GoroutineStack is a stack that some goroutines have.
type GoroutineStack struct {
	Count  int
	Frames []string // the innermost function first: its name, and file:line
}

// String returns the number and the functions on one line, the outermost first.
func (s GoroutineStack) String() string {
	names := slices.Clone(s.Frames)
	slices.Reverse(names)
	return fmt.Sprintf("%d at %s", s.Count, strings.Join(names, " > "))
}

// CountGoroutines counts the goroutines that have the pprof label with the given value, and those
// that have a function on their stack whose name begins with one of the prefixes.
func CountGoroutines(label, value string, prefixes ...string) (Goroutines, error) {
	p, err := snapshot(profiles.Goroutine)
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

// Count returns the number of goroutines.
func (g Goroutines) Count() (n int) {
	for _, count := range g {
		n += count
	}
	return n
}

// More returns the stacks that have more goroutines than before, the most first. A goroutine that
// has moved to another line counts as one more there, so compare the counts to see whether there
// are more in total.
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
