package random

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// Int is a distribution of whole numbers, of bytes or bytes a second, from 0 to MaxInt. The zero
// value is always 0. Its text forms are "4096", "uniform(1000, 50000)" and "lognormal(p50=1000,
// p99=50000)"; in JSON, the first may be a number. Each number may have a unit, B, kB, MB, GB
// (powers of 1000), KiB, MiB or GiB (of 1024), which "/s" may follow: "64KiB", "20kB/s". String
// writes no unit.
type Int struct{ of Duration } // n is stored as n nanoseconds, to share the forms and the sampling of Duration

// MaxInt is the largest number of an Int: 3.6e12, more bytes than any artifact has.
const MaxInt = int64(MaxDuration)

const intForms = `a whole number such as 4096, 64KiB or 20kB/s, ` +
	`"uniform(1000, 50000)" or "lognormal(p50=1000, p99=50000)", none above 3600000000000`

// FixedInt returns the distribution that is always n, which must be from 0 to MaxInt.
func FixedInt(n int64) (Int, error) {
	d, err := Fixed(time.Duration(n))
	if err != nil {
		return Int{}, fmt.Errorf("amount %d: want %s", n, intForms)
	}
	return Int{d}, nil
}

// ParseInt reads the text form of a distribution. Empty text is the zero value.
func ParseInt(s string) (Int, error) {
	d, ok, err := parseForm(s, parseBytes)
	if !ok || err != nil {
		return Int{}, fmt.Errorf("amount %q: want %s", s, intForms)
	}
	return Int{d}, nil
}

// parseBytes reads "4096", "64KiB" or "20kB/s". It returns a nanosecond for each byte.
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
	case n != math.Trunc(n) || n > float64(MaxInt):
		return 0, strconv.ErrRange
	}
	return time.Duration(n), nil
}

// Sample returns the quantile of a at u, a number in the open interval (0, 1): for a uniform u, a
// sample of a. It is a pure function and never outside 0 to MaxInt.
func (a Int) Sample(u float64) int64 { return int64(a.of.Sample(u)) }

// IsZero reports whether a is the zero value, which is left out of JSON and YAML.
func (a Int) IsZero() bool { return a == Int{} }

// String returns the text form, which ParseInt reads back.
func (a Int) String() string {
	switch a.of.shape {
	case uniform:
		return fmt.Sprintf("uniform(%d, %d)", a.of.a, a.of.b)
	case lognormal:
		return fmt.Sprintf("lognormal(p50=%d, p99=%d)", a.of.a, a.of.b)
	}
	return strconv.FormatInt(int64(a.of.a), 10)
}

// MarshalText writes the text form.
func (a Int) MarshalText() ([]byte, error) { return []byte(a.String()), nil }

// MarshalJSON writes a number if a is fixed, and the text form otherwise.
func (a Int) MarshalJSON() ([]byte, error) {
	if a.of.shape == fixed {
		return []byte(a.String()), nil
	}
	return json.Marshal(a.String())
}

// UnmarshalJSON reads a number or the text form.
func (a *Int) UnmarshalJSON(b []byte) error { return unmarshalScalar(b, a.UnmarshalText) }

// UnmarshalText reads the text form.
func (a *Int) UnmarshalText(text []byte) error {
	parsed, err := ParseInt(string(text))
	if err != nil {
		return err
	}
	*a = parsed
	return nil
}
