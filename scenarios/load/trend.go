package load

import (
	"math"
	"time"

	"github.com/aclements/go-moremath/stats"
)

// A Trend follows the response times of a load in parts of equal length. If operations come faster
// than they are done, each waits longer than the one before. It is a [Hook].
type Trend struct {
	lasts time.Duration
	parts [trendParts]sums
}

const (
	trendParts = 16
	// openingParts is the number of parts at the beginning that Growth leaves out, because
	// connections are opened in them.
	openingParts = trendParts / 4
)

// NewTrend returns the trend of a load that lasts so long.
func NewTrend(lasts time.Duration) *Trend { return &Trend{lasts: lasts} }

// sums holds the number of operations in a part, and the sums of their times, in seconds.
type sums struct{ n, planned, response float64 }

// Operation implements [Hook]. It ignores operations that failed.
func (t *Trend) Operation(planned, response time.Duration, succeeded bool) {
	if !succeeded {
		return
	}
	part := &t.parts[min(trendParts-1, int(trendParts*planned/t.lasts))]
	part.n++
	part.planned += planned.Seconds()
	part.response += response.Seconds()
}

// Merge adds another trend of the same load.
func (t *Trend) Merge(other *Trend) {
	for i, part := range other.parts {
		t.parts[i].n += part.n
		t.parts[i].planned += part.planned
		t.parts[i].response += part.response
	}
}

// Growth returns how response times grow after the first quarter of the load: the slope of the line
// through the means of the parts, by weighted least squares, with its margin.
//
// The margin comes from the distances between the means of the parts and the line, rather than from
// single operations. Operations at about the same time aren't independent: if the machine pauses,
// all of them are late. Treated as independent samples, they would make the margin far too small.
func (t *Trend) Growth() Growth {
	var n, x, y, used float64
	for _, part := range t.parts[openingParts:] {
		n, x, y = n+part.n, x+part.planned, y+part.response
		if part.n > 0 {
			used++
		}
	}
	if used < 3 { // any two points are on a line
		return Growth{Margin: math.Inf(1)}
	}
	x, y = x/n, y/n // means
	var xx, xy, yy float64
	for _, part := range t.parts[openingParts:] {
		if part.n > 0 {
			dx, dy := part.planned/part.n-x, part.response/part.n-y
			xx, xy, yy = xx+part.n*dx*dx, xy+part.n*dx*dy, yy+part.n*dy*dy
		}
	}
	slope := xy / xx
	squaredError := max(0, yy-slope*xy) / (used - 2) / xx
	return Growth{PerSecond: slope, Margin: stats.InvCDF(stats.TDist{V: used - 2})(confidence) * math.Sqrt(squaredError)}
}

// confidence is the probability that the true growth is at most Margin above the measured one. It
// is also the probability that it is at most Margin below.
const confidence = 0.975

// Growth says by how many seconds response times grow in each second of a load. If operations come
// at r times the rate at which they are served, response times grow by r-1, since serving the
// operations of a second takes r seconds.
type Growth struct {
	PerSecond float64
	Margin    float64 // how far off PerSecond may be in either direction; +Inf if there were too few operations
}

// Outcome returns the outcome of a trial with this growth. tolerance is how exactly the limit is to
// be found, relative to it. The rate exceeded the limit if it was certainly more than tolerance/2
// above it. It held if it was certainly at most tolerance above it. If neither is certain, the
// outcome is Unclear.
func (g Growth) Outcome(tolerance float64) TrialOutcome {
	switch {
	case g.PerSecond-g.Margin > tolerance/2:
		return Exceeded
	case g.PerSecond+g.Margin <= tolerance:
		return Held
	default:
		return Unclear
	}
}
