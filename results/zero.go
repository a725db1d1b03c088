package results

import (
	"fmt"
	"slices"
)

// canBeZero reports whether a metric may honestly be measured as zero: that nothing was
// allocated, repeated or lost. No operation takes no time, and none is sent without a
// byte; such a zero is a meter that didn't run, and would pass for the best value there is.
func (u Unit) canBeZero() bool {
	switch u.Class {
	case ClassAllocation:
		return true
	case ClassCount:
		return u.Name != "requests/device" && u.Name != "wire-B/device"
	}
	return false
}

// zero says which side holds a zero, or less, that can't be, and is empty where neither does.
func (p *pair) zero(unit Unit) string {
	no := func(v float64) bool { return v < 0 || v == 0 && !unit.canBeZero() }
	if i := slices.IndexFunc(p.now, no); i >= 0 {
		return fmt.Sprintf("%v is no measurement of it: find out why nothing was measured", p.now[i])
	}
	if i := slices.IndexFunc(p.old, no); i >= 0 {
		return fmt.Sprintf("the baseline's %v is no measurement of it: measure the baseline anew", p.old[i])
	}
	return ""
}
