package delivery

import (
	"net/http"
	"strconv"
	"time"
)

// maxRetryAfter bounds what a device may ask for; more is taken as this much.
const maxRetryAfter = 24 * time.Hour

// retryAfter reads a Retry-After header in both its forms (RFC 9110 §10.2.3):
// seconds, or a date, which is read against the answer's own Date, because the
// device's clock need not be ours (§6.6.1). 0 means that nothing usable was said.
func retryAfter(value, date []byte) time.Duration {
	if len(value) == 0 {
		return 0
	}
	if seconds, err := strconv.ParseUint(string(value), 10, 32); err == nil {
		return min(time.Duration(seconds)*time.Second, maxRetryAfter)
	}
	until, err := http.ParseTime(string(value))
	if err != nil {
		return 0
	}
	now, err := http.ParseTime(string(date))
	if err != nil {
		return 0
	}
	return max(0, min(until.Sub(now), maxRetryAfter))
}
