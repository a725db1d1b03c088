package delivery

import (
	"bytes"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// maxRetryAfter bounds what a device may ask for; more is taken as this much.
const maxRetryAfter = 24 * time.Hour

// retryAfter reads the values of Retry-After, a line each, and returns the longest wait
// (RFC 9110 §10.2.3). A value is a number of seconds, however large, or a date, which is
// read against the answer's own Date, because the device's clock need not be ours; without
// one it is read against now (§6.6.1). It returns 0 if nothing usable was said.
func retryAfter(values, date []byte, now time.Time) time.Duration {
	longest := time.Duration(0)
	for value := range bytes.Lines(values) {
		longest = max(longest, oneRetryAfter(string(bytes.TrimSpace(value)), date, now))
	}
	return longest
}

func oneRetryAfter(value string, date []byte, now time.Time) time.Duration {
	if seconds, err := strconv.ParseUint(value, 10, 64); err == nil || errors.Is(err, strconv.ErrRange) {
		if err != nil || seconds > uint64(maxRetryAfter/time.Second) {
			return maxRetryAfter
		}
		return time.Duration(seconds) * time.Second
	}
	until, err := http.ParseTime(value)
	if err != nil {
		// A proxy may have made a list of two (RFC 9110 §5.3).
		if first, rest, list := strings.Cut(value, ","); list {
			return max(oneRetryAfter(first, date, now), oneRetryAfter(strings.TrimSpace(rest), date, now))
		}
		return 0
	}
	if said, err := http.ParseTime(string(date)); err == nil {
		now = said
	}
	return max(0, min(until.Sub(now), maxRetryAfter))
}
