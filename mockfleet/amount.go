package mockfleet

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// Amount is a distribution of whole numbers, of bytes or bytes a second, from 0 to MaxAmount.
// The zero value is always 0. Its text forms are "4096", "uniform(1000, 50000)" and
// "lognormal(p50=1000, p99=50000)"; in JSON, the first may be a number. Each number may have a unit, B, kB,
// MB, GB (powers of 1000), KiB, MiB or GiB (of 1024), and a second after it: "64KiB", "20kB/s". As text it is
// written without.
type Amount struct{ of Distribution } // a unit of it as a nanosecond: the forms and their mathematics are the same

// MaxAmount bounds every number of an Amount: 3.6e12, more bytes than any artifact has.
const MaxAmount = int64(MaxDelay)

const amountForms = `a whole number such as 4096, 64KiB or 20kB/s, "uniform(1000, 50000)" or "lognormal(p50=1000, p99=50000)", none above 3600000000000`

// Exactly is always n, which must be from 0 to MaxAmount.
func Exactly(n int64) (Amount, error) {
	d, err := Fixed(time.Duration(n))
	if err != nil {
		return Amount{}, fmt.Errorf("amount %d: want %s", n, amountForms)
	}
	return Amount{d}, nil
}

// ParseAmount reads the text form of an amount. Empty text is the zero value.
func ParseAmount(s string) (Amount, error) {
	d, ok, err := parseForm(s, parseBytes)
	if !ok || err != nil {
		return Amount{}, fmt.Errorf("amount %q: want %s", s, amountForms)
	}
	return Amount{d}, nil
}

// parseBytes reads "4096", "64KiB" or "20kB/s"; a nanosecond is a byte.
func parseBytes(text string) (time.Duration, error) {
	digits, unit := strings.TrimSpace(strings.TrimSuffix(text, "/s")), int64(1)
	for _, u := range []struct {
		name string
		size int64
	}{{"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}, {"kB", 1e3}, {"MB", 1e6}, {"GB", 1e9}, {"B", 1}} {
		if rest, ok := strings.CutSuffix(digits, u.name); ok {
			digits, unit = strings.TrimSpace(rest), u.size
			break
		}
	}
	if unit == 1 { // whole numbers are exact
		n, err := strconv.ParseInt(digits, 10, 64)
		return time.Duration(n), err
	}
	if strings.Trim(digits, "0123456789.") != "" { // no sign, exponent or hexadecimal
		return 0, strconv.ErrSyntax
	}
	n, err := strconv.ParseFloat(digits, 64)
	switch n *= float64(unit); {
	case err != nil:
		return 0, err
	case n != math.Trunc(n) || n > float64(MaxAmount):
		return 0, strconv.ErrRange
	}
	return time.Duration(n), nil
}

// Sample is the quantile of a at u, as that of a Distribution.
func (a Amount) Sample(u float64) int64 { return int64(a.of.Sample(u)) }

// IsZero tells whether a is the zero value, which is left out of JSON and YAML.
func (a Amount) IsZero() bool { return a == Amount{} }

// String is the text form, which ParseAmount reads back.
func (a Amount) String() string {
	switch a.of.kind {
	case uniform:
		return fmt.Sprintf("uniform(%d, %d)", a.of.a, a.of.b)
	case lognormal:
		return fmt.Sprintf("lognormal(p50=%d, p99=%d)", a.of.a, a.of.b)
	}
	return strconv.FormatInt(int64(a.of.a), 10)
}

// MarshalText writes the text form.
func (a Amount) MarshalText() ([]byte, error) { return []byte(a.String()), nil }

// MarshalJSON writes a number where a is one, and the text form otherwise.
func (a Amount) MarshalJSON() ([]byte, error) {
	if a.of.kind == fixed {
		return []byte(a.String()), nil
	}
	return json.Marshal(a.String())
}

// UnmarshalJSON reads a number or the text form.
func (a *Amount) UnmarshalJSON(b []byte) error { return unmarshalScalar(b, a.UnmarshalText) }

// UnmarshalText reads the text form.
func (a *Amount) UnmarshalText(text []byte) error {
	parsed, err := ParseAmount(string(text))
	if err != nil {
		return err
	}
	*a = parsed
	return nil
}

// unmarshalScalar hands a JSON string's text, or a number as it is written, to read.
func unmarshalScalar(b []byte, read func([]byte) error) error {
	if len(b) == 0 || b[0] != '"' {
		return read(b)
	}
	var text string
	if err := json.Unmarshal(b, &text); err != nil {
		return err
	}
	return read([]byte(text))
}

// Share is a part of all devices, 0 to 1. Its text form is a number, or a percentage such as "10%".
type Share float64

// UnmarshalJSON reads a number or the text form.
func (s *Share) UnmarshalJSON(b []byte) error { return unmarshalScalar(b, s.UnmarshalText) }

// UnmarshalText reads the text form.
func (s *Share) UnmarshalText(text []byte) error {
	digits, percent := strings.CutSuffix(string(text), "%")
	f, err := strconv.ParseFloat(digits, 64)
	if percent {
		f /= 100
	}
	if err != nil || !(f >= 0 && f <= 1) {
		return fmt.Errorf("share %q: want a number from 0 to 1, or a percentage", text)
	}
	*s = Share(f)
	return nil
}

// RetryAfter is a Retry-After field (RFC 9110 §10.2.3) to send. The zero value sends none. Its text
// forms are "2s", for the field in seconds, and "date(2s)", for the field as a date that lies so far
// behind the answer's own Date.
type RetryAfter struct {
	After time.Duration // above 0 to MaxDelay; a part of a second counts as a whole one
	Date  bool          // as a date
}

// String is the text form.
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
	if err != nil || after <= 0 || after > MaxDelay {
		return fmt.Errorf(`retry-after %q: want a duration such as 2s, or "date(2s)", up to %v`, text, MaxDelay)
	}
	*r = RetryAfter{After: after, Date: date}
	return nil
}
