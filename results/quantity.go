package results

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// A Quantity is what a metric counts. It decides how a value is shown, and how a limit is written.
type Quantity int

// The quantities.
const (
	Number         Quantity = iota // shown as the metric's name suggests
	Objects                        // shown with two decimals
	Duration                       // nanoseconds; a limit may be "20ms"
	Bytes                          // a limit may be "64KiB"
	BytesPerSecond                 // shown in units of 1,000,000
	Rate                           // per second; a limit may be "90/m"
	Ratio                          // per device; a limit may be "5%"
	Share                          // from 0 to 1, shown in percent; a limit may be "1%"
)

// ParseLimit parses a limit: a number in the metric's own unit, or text with a unit of the
// quantity.
func (q Quantity) ParseLimit(text string) (float64, error) {
	// ParseFloat would also accept Inf, NaN and hexadecimal numbers.
	if n, err := strconv.ParseFloat(text, 64); err == nil && strings.Trim(text, "0123456789.eE+-") == "" {
		return n, nil
	}
	switch q {
	case Duration:
		if d, err := time.ParseDuration(text); err == nil && d >= 0 {
			return float64(d), nil
		}
		return 0, fmt.Errorf("%q: want a duration such as 20ms, or nanoseconds", text)
	case Bytes:
		n, err := ParseBytes(text)
		return float64(n), err
	case Rate:
		return ParseRate(text)
	case Ratio, Share:
		if digits, ok := strings.CutSuffix(text, "%"); ok {
			if n, err := parseDecimal(strings.TrimSpace(digits)); err == nil {
				return n / 100, nil
			}
		}
		return 0, fmt.Errorf("%q: want a number, or a percentage such as 1%%", text)
	}
	return 0, fmt.Errorf("%q: want a number", text)
}

// MaxBytes is the largest number of bytes that [ParseBytes] accepts.
const MaxBytes = 1 << 50

// ParseBytes parses an amount of data, such as "64KiB", "10 MB" or "1024": a number with an
// optional unit, B, kB, MB, GB, TB (powers of 1000) or KiB, MiB, GiB, TiB (powers of 1024).
func ParseBytes(text string) (int64, error) {
	number, size := strings.TrimSpace(text), 1.0
	for _, u := range []struct {
		name string
		size float64
	}{
		{"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}, {"TiB", 1 << 40},
		{"kB", 1e3}, {"KB", 1e3}, {"MB", 1e6}, {"GB", 1e9}, {"TB", 1e12}, {"B", 1},
	} {
		if rest, ok := strings.CutSuffix(number, u.name); ok {
			number, size = strings.TrimSpace(rest), u.size
			break
		}
	}
	n, err := parseDecimal(number)
	if n *= size; err != nil || n > MaxBytes || n != math.Trunc(n) {
		return 0, fmt.Errorf("%q: want an amount of data such as 64KiB, 10MB or 1024", text)
	}
	return int64(n), nil
}

// MaxRate is the highest rate per second that [ParseRate] accepts.
const MaxRate = 1e7

// ParseRate parses a number per second (s), minute (m or min) or hour (h), such as "2000/s" or
// "90/m". It returns the rate per second.
func ParseRate(text string) (float64, error) {
	number, per, _ := strings.Cut(strings.TrimSpace(text), "/")
	seconds, ok := map[string]float64{"s": 1, "m": 60, "min": 60, "h": 3600}[strings.TrimSpace(per)]
	n, err := parseDecimal(strings.TrimSpace(number))
	if !ok || err != nil || n/seconds > MaxRate {
		return 0, fmt.Errorf("%q: want a rate such as 10/s, 90/m or 0.5/s, %d/s at most", text, int(MaxRate))
	}
	return n / seconds, nil
}

// parseDecimal parses a decimal number without a sign or an exponent.
func parseDecimal(text string) (float64, error) {
	if text == "" || strings.Trim(text, "0123456789.") != "" {
		return 0, errors.New("not a decimal number")
	}
	return strconv.ParseFloat(text, 64)
}
