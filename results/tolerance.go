package results

import (
	"fmt"
	"strings"
)

// Tolerances replace the smallest relative changes that count, by the name of the metric: 0.05 means
// that a change of 5% is the smallest that matters. They apply to a comparison with a baseline
// ([Unit.Tolerance]) and to one of sides that take turns ([Unit.Sequential]) alike.
type Tolerances map[string]float64

// maxTolerance bounds a tolerance. Beyond it, a metric is as good as not judged.
const maxTolerance = 10

// Check returns an error if a metric can't have a tolerance, or not this one. Counts that are compared
// exactly have none, nor have metrics that are only shown.
func (t Tolerances) Check(metric string) error {
	unit, known := LookupUnit(metric)
	switch v := t[metric]; {
	case !known:
		return fmt.Errorf("%q: no such metric: want one of %s", metric, strings.Join(toleratingUnits(), ", "))
	case unit.Exact:
		return fmt.Errorf("%s is compared exactly, without a tolerance: want one of %s", metric,
			strings.Join(toleratingUnits(), ", "))
	case !unit.tolerates():
		return fmt.Errorf("%s isn't judged: want one of %s", metric,
			strings.Join(toleratingUnits(), ", "))
	case !(v > 0 && v <= maxTolerance):
		return fmt.Errorf("%v: want a share above 0 and at most %d, such as 5%%", v, maxTolerance)
	}
	return nil
}

// Apply returns the unit with the tolerance that is given for it, if there is one.
func (t Tolerances) Apply(u Unit) Unit {
	if v, ok := t[u.Name]; ok && u.tolerates() {
		u.Tolerance = v
		if !u.Sequential.IsZero() {
			u.Sequential.Relative = v
		}
	}
	return u
}

// tolerates reports whether a relative change decides on the metric.
func (u Unit) tolerates() bool {
	return !u.Exact && u.Judged() && u.Tolerance > 0
}

// toleratingUnits returns the names of all metrics that may have a tolerance.
func toleratingUnits() (names []string) {
	for _, u := range Units() {
		if u.tolerates() {
			names = append(names, u.Name)
		}
	}
	return names
}
