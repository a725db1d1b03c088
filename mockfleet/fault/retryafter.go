package fault

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/fleetmark/fleetmark/mockfleet/random"
)

// RetryAfter is a Retry-After field (RFC 9110 §10.2.3) to send. The zero value sends none. Its text
// forms are "2s", which sends seconds, and "date(2s)", which sends a date that is 2 s after the
// answer's own Date.
type RetryAfter struct {
	After time.Duration // above 0, at most MaxDuration; rounded up to whole seconds
	Date  bool          // sent as a date
}

// String returns the text form, or "" for the zero value.
func (r RetryAfter) String() string {
	switch {
	case r == RetryAfter{}:
		return ""
	case r.Date:
		return "date(" + r.After.String() + ")"
	}
	return r.After.String()
}

// MarshalText writes the text form.
func (r RetryAfter) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// UnmarshalText reads the text form.
func (r *RetryAfter) UnmarshalText(text []byte) error {
	inner, date := strings.CutPrefix(string(text), "date(")
	if date {
		inner = strings.TrimSuffix(inner, ")")
	}
	after, err := time.ParseDuration(inner)
	if err != nil || after <= 0 || after > random.MaxDuration {
		return fmt.Errorf(`retry-after %q: want a duration such as 2s, or "date(2s)", up to %v`, text, random.MaxDuration)
	}
	*r = RetryAfter{After: after, Date: date}
	return nil
}

// headerLine returns the header line for a response with that Date, or "" for the zero value.
func (r RetryAfter) headerLine(date time.Time) string {
	seconds := (r.After + time.Second - 1) / time.Second
	switch {
	case r == RetryAfter{}:
		return ""
	case r.Date:
		return "Retry-After: " + date.Add(seconds*time.Second).UTC().Format(http.TimeFormat) + "\r\n"
	}
	return "Retry-After: " + strconv.Itoa(int(seconds)) + "\r\n"
}
