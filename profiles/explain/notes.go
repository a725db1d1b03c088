package explain

import (
	"fmt"
	"slices"
	"strings"

	"github.com/fleetmark/fleetmark/profiles"
)

// notes returns reasons besides the code why the first n repetitions may differ from the others.
func (c *costTable) notes(n int) (notes []string) {
	differ := func(labels []string, format string) {
		base, now := distinct(labels[:n]), distinct(labels[n:])
		if len(base) > 0 && len(now) > 0 && (len(base)+len(now) > 2 || base[0] != now[0]) {
			notes = append(notes, fmt.Sprintf(format, strings.Join(base, "; "), strings.Join(now, "; ")))
		}
	}
	// Allocations don't depend on the machine, or on other kinds that were captured.
	if profiles.KindOf(c.sample) == profiles.Allocs {
		differ(c.sampled, "allocations were counted in different ways (a sample for %s bytes, and now for %s): "+
			"a sample for each byte counts them all, any other number estimates them")
		return notes
	}
	differ(c.machines, "profiled on different machines (%s, and now %s): "+
		"time may differ because they do; allocations don't")
	differ(c.with, "profiled together with different kinds (%s, and now %s): the difference includes what those cost")
	return notes
}

// distinct returns the known values, each once, in order.
func distinct(labels []string) []string {
	all := slices.Compact(slices.Sorted(slices.Values(labels)))
	return slices.DeleteFunc(all, func(l string) bool { return l == "" })
}
