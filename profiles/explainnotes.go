package profiles

import (
	"fmt"
	"slices"
	"strings"
)

// notes say what else than the code may make the difference between the first n repetitions and the others.
func (c *costs) notes(n int) (notes []string) {
	known := func(machines []string) []string {
		all := slices.Compact(slices.Sorted(slices.Values(machines)))
		return slices.DeleteFunc(all, func(m string) bool { return m == "" })
	}
	base, now := known(c.machines[:n]), known(c.machines[n:])
	if memory := strings.HasPrefix(c.sample, "alloc_") || strings.HasPrefix(c.sample, "inuse_"); memory {
		return nil // is the same anywhere
	}
	if len(base) > 0 && len(now) > 0 && (len(base)+len(now) > 2 || base[0] != now[0]) {
		notes = append(notes, fmt.Sprintf("profiled on different machines (%s, and now %s): time may differ because they do; allocations (--kind allocs) don't",
			strings.Join(base, ", "), strings.Join(now, ", ")))
	}
	return notes
}
