package load

import (
	"time"

	"github.com/fleetmark/fleetmark/internal/hdr"
)

// defaultLongest is the longest time that histograms hold by default.
const defaultLongest = 100 * time.Second

// Latencies holds the times of one operation's successes.
type Latencies struct {
	Response *hdr.Histogram // from planned to done
	Service  *hdr.Histogram // from sent to done; the same histogram without a plan
	Count    int64
	Overflow int64 // number of times beyond the histogram, which counts them as its highest value

	Sum int64 // of response times, in nanoseconds, for an exact mean
}

// NewLatencies returns empty latencies for times up to longest. If planned is set, it keeps service
// times apart from response times.
func NewLatencies(planned bool, longest time.Duration) *Latencies {
	l := &Latencies{Response: hdr.New(longest)}
	l.Service = l.Response
	if planned {
		l.Service = hdr.New(longest)
	}
	return l
}

// Planned reports whether l keeps service times apart from response times.
func (l *Latencies) Planned() bool { return l.Service != l.Response }

// Reset removes all times.
func (l *Latencies) Reset() {
	l.Response.Reset()
	l.Service.Reset()
	l.Sum, l.Count, l.Overflow = 0, 0, 0
}

// Add adds the times of a success.
func (l *Latencies) Add(response, service time.Duration) {
	l.Count++
	l.Sum += int64(response)
	if !l.Response.Record(response) {
		l.Overflow++
	}
	if l.Service != l.Response && !l.Service.Record(service) {
		l.Overflow++
	}
}

// Merge adds the times of o, whose histograms must have the same range.
func (l *Latencies) Merge(o *Latencies) {
	if o.Count == 0 {
		return
	}
	l.Response.Merge(o.Response)
	if l.Service != l.Response {
		l.Service.Merge(o.Service)
	}
	l.Sum += o.Sum
	l.Count += o.Count
	l.Overflow += o.Overflow
}

// Mean returns the mean response time in nanoseconds, or 0 if nothing succeeded.
func (l *Latencies) Mean() float64 {
	if l.Count == 0 {
		return 0
	}
	return float64(l.Sum) / float64(l.Count)
}
