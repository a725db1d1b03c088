package exchange

import "time"

// CheckInterval is how often an upload that is stuck is checked for progress, and for an early
// answer.
const CheckInterval = 250 * time.Millisecond

// ThroughputMonitor decides whether an upload is too slow. It reads no clock, so a table tests it.
type ThroughputMonitor struct {
	min   MinThroughput
	since time.Time // when it was last fast enough
	taken int64     // what had been taken then
}

// Begin starts an upload. taken is the count of bytes, as in IsTooSlow, that were taken already.
func (m *ThroughputMonitor) Begin(now time.Time, taken int64, least MinThroughput) {
	*m = ThroughputMonitor{min: least, since: now, taken: taken}
}

// IsTooSlow reports whether the upload has been too slow for a whole window. taken is the count of
// bytes that the device took.
func (m *ThroughputMonitor) IsTooSlow(now time.Time, taken int64) bool {
	if m.min.BytesPerSecond < 0 {
		return false
	}
	if float64(taken-m.taken) >= m.min.minBytes() {
		m.since, m.taken = now, taken
		return false
	}
	return now.Sub(m.since) >= m.min.Window
}

// Postpone leaves a wait of the client's own out of the upload's time.
func (m *ThroughputMonitor) Postpone(wait time.Duration) { m.since = m.since.Add(wait) }

// Interval returns how often to check the upload: often enough to notice one that stops soon after
// its window is over, and an early answer at once.
func (m *ThroughputMonitor) Interval() time.Duration {
	return max(min(CheckInterval, m.min.Window/4), time.Millisecond)
}
