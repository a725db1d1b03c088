package load

import (
	"fmt"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// Limits of the histograms, in nanoseconds. Their resolution is 0.1% from 16 µs on, and 16 ns
// below.
const (
	histLowest = 16
	histDigits = 3
)

// defaultLongest is the longest time that histograms hold by default.
const defaultLongest = 100 * time.Second

// Latencies holds the times of one operation's successes.
type Latencies struct {
	Response *hdrhistogram.Histogram // from planned to done, in nanoseconds
	Service  *hdrhistogram.Histogram // from sent to done; the same histogram without a plan
	Count    int64
	Overflow int64 // number of times beyond the histogram, which counts them as its highest value

	sum int64 // of response times, in nanoseconds, for an exact mean
}

// NewLatencies returns empty latencies for times up to longest. If planned is set, it keeps service
// times apart from response times.
func NewLatencies(planned bool, longest time.Duration) *Latencies {
	l := &Latencies{Response: newHistogram(longest)}
	l.Service = l.Response
	if planned {
		l.Service = newHistogram(longest)
	}
	return l
}

func (l *Latencies) reset() {
	l.Response.Reset()
	l.Service.Reset()
	l.sum, l.Count, l.Overflow = 0, 0, 0
}

// Add adds the times of a success.
func (l *Latencies) Add(response, service time.Duration) {
	l.Count++
	l.sum += int64(response)
	if !recordClamped(l.Response, response) {
		l.Overflow++
	}
	if l.Service != l.Response && !recordClamped(l.Service, service) {
		l.Overflow++
	}
}

func (l *Latencies) merge(o *Latencies) {
	l.Response.Merge(o.Response)
	if l.Service != l.Response {
		l.Service.Merge(o.Service)
	}
	l.sum += o.sum
	l.Count += o.Count
	l.Overflow += o.Overflow
}

// Mean returns the mean response time in nanoseconds, or 0 if nothing succeeded.
func (l *Latencies) Mean() float64 {
	if l.Count == 0 {
		return 0
	}
	return float64(l.sum) / float64(l.Count)
}

// newHistogram returns a histogram of times up to longest.
func newHistogram(longest time.Duration) *hdrhistogram.Histogram {
	return hdrhistogram.New(histLowest, int64(longest), histDigits)
}

// recordClamped adds a time to a histogram. It reports whether the time is within the histogram's
// range; a time beyond it counts as the highest.
func recordClamped(h *hdrhistogram.Histogram, d time.Duration) bool {
	highest := h.HighestTrackableValue()
	v := min(max(int64(d), 0), highest)
	// A histogram accepts every value in its range, so an error is a mistake of this package.
	if err := h.RecordValue(v); err != nil {
		panic(fmt.Sprintf("load: recorder: %v", err))
	}
	return int64(d) <= highest
}
