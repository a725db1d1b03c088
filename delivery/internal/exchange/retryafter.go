package exchange

import (
	"bytes"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// MaxRetryAfter is the longest wait that a device may ask for. A longer one is shortened to it.
const MaxRetryAfter = 24 * time.Hour

// RetryWait returns the longest wait that the Retry-After fields ask for (RFC 9110 §10.2.3). A
// value is a number of seconds, however large, or a date. A date is compared with the response's
// own Date, because the device's clock need not be ours, or with now if it has none (§6.6.1).
// RetryWait returns 0 if no value can be read.
func (r *Response) RetryWait(now time.Time) time.Duration {
	longest := time.Duration(0)
	for value := range bytes.Lines(r.RetryAfter) {
		longest = max(longest, retryWait(string(bytes.TrimSpace(value)), r.Date, now))
	}
	return longest
}

func retryWait(value string, date []byte, now time.Time) time.Duration {
	if seconds, err := strconv.ParseUint(value, 10, 64); err == nil || errors.Is(err, strconv.ErrRange) {
		if err != nil || seconds > uint64(MaxRetryAfter/time.Second) {
			return MaxRetryAfter
		}
		return time.Duration(seconds) * time.Second
	}
	until, err := http.ParseTime(value)
	if err != nil {
		// A proxy may have made a list of two (RFC 9110 §5.3).
		if first, rest, list := strings.Cut(value, ","); list {
			return max(retryWait(first, date, now), retryWait(strings.TrimSpace(rest), date, now))
		}
		return 0
	}
	if said, err := http.ParseTime(string(date)); err == nil {
		now = said
	}
	return max(0, min(until.Sub(now), MaxRetryAfter))
}
