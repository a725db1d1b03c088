package load

import (
	"math"
	"time"

	"github.com/aclements/go-moremath/stats"
)

// A Trend is how response times went over a time, by parts of equal length. If operations come
// faster than they are done, each waits longer than the one before. It is a [Hook].
type Trend struct {
	lasts time.Duration
	parts [trendParts]sums
}

const (
	trendParts = 16
	// openingParts is how many parts Growth leaves out: they have the opening of connections.
	openingParts = trendParts / 4
)

// NewTrend returns the trend of a load that lasts so long.
func NewTrend(lasts time.Duration) *Trend { return &Trend{lasts: lasts} }

// sums has the number of operations of a part and the sums of their times, in seconds.
type sums struct{ n, planned, response float64 }

// Operation implements [Hook]. It leaves out operations that failed.
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
// The margin comes from how far the means of the parts lie off the line, not single operations.
// Operations at about the same time aren't independent: if the machine pauses, all of them are
// late. Taken as independent samples, they would make the margin far too small.
func (t *Trend) Growth() Growth {
	var n, x, y, used float64
	for _, part := range t.parts[openingParts:] {
		n, x, y = n+part.n, x+part.planned, y+part.response
		if part.n > 0 {
			used++
		}
	}
	if used < 3 { // a line goes through any two
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

// confidence is the probability that the true growth is at most Margin above what was measured. It
// is as probable that it is at most Margin below.
const confidence = 0.975

// Growth is by how much response times grow over a second of a load, in seconds. A load at r times
// the rate that is served grows by r-1: after a second, (r-1) seconds' worth of what is served
// waits.
type Growth struct {
	PerSecond float64
	Margin    float64 // how far off PerSecond may be, to either side; +Inf if operations were too few to tell
}

// Outcome returns what the growth says of a rate that was tried, for a limit that is wanted to the
// given share of itself. The rate exceeds the limit if it is certainly more than half of that above
// it, and it holds only if it is certainly no more than all of that above it. If neither is
// certain, the outcome is Unclear.
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
