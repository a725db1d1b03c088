// Package random draws the values that a fleet leaves to chance, each as a pure function of a seed,
// a device and an attempt. [Draw] returns a number, which a distribution ([Duration], [Int]) or a
// [Share] of the devices turns into a value. Distributions have text forms, which scenarios and the
// control port use. The package holds no state, so that what happens to a device's n-th update
// doesn't depend on what came before.
package random

import (
	"fmt"
	"math"
	"strings"
	"time"
)

// MaxDuration is the largest parameter of a Duration, and the largest sample.
const MaxDuration = time.Hour

// Duration is a distribution of time spans from 0 to MaxDuration. The zero value is always 0.
// Its text forms are "5ms", "uniform(1ms, 5ms)" and "lognormal(p50=5ms, p99=50ms)".
type Duration struct {
	shape shape
	a, b  time.Duration // fixed: a; uniform: from a to b; lognormal: p50 a, p99 b
}

type shape uint8

const (
	fixed shape = iota
	uniform
	lognormal
)

// z99 is the 99th percentile of the standard normal distribution.
const z99 = 2.3263478740408408

const durationForms = `a duration such as 5ms, "uniform(1ms, 5ms)" or "lognormal(p50=5ms, p99=50ms)", none above 1h`

// Fixed returns the distribution that is always d. It returns an error unless d is from 0 to
// MaxDuration.
func Fixed(d time.Duration) (Duration, error) {
	return Duration{shape: fixed, a: d}.canonical()
}

// Uniform returns the uniform distribution of values from low to high. It returns an error unless 0
// <= low <= high <= MaxDuration.
func Uniform(low, high time.Duration) (Duration, error) {
	return Duration{shape: uniform, a: low, b: high}.canonical()
}

// Lognormal returns the lognormal distribution with its median at p50 and its 99th percentile at
// p99. It returns an error unless 0 < p50 <= p99 <= MaxDuration.
func Lognormal(p50, p99 time.Duration) (Duration, error) {
	return Duration{shape: lognormal, a: p50, b: p99}.canonical()
}

// ParseDuration reads the text form of a distribution. Empty text is the zero value.
func ParseDuration(s string) (Duration, error) {
	d, ok, err := parseForm(s, time.ParseDuration)
	if !ok {
		return Duration{}, fmt.Errorf("distribution %q: want %s", s, durationForms)
	}
	return d, err
}

// parseForm reads one of the text forms, and each number in it with the function number. ok is
// false if s is none of the forms.
func parseForm(s string, number func(string) (time.Duration, error)) (d Duration, ok bool, err error) {
	text := strings.TrimSpace(s)
	if text == "" {
		return Duration{}, true, nil
	}
	name, rest, call := strings.Cut(text, "(")
	if !call {
		n, err := number(text)
		if err != nil {
			return Duration{}, false, err
		}
		d, err = Fixed(n)
		return d, true, err
	}
	arguments, closed := strings.CutSuffix(rest, ")")
	first, second, two := strings.Cut(arguments, ",")
	if !closed || !two {
		return Duration{}, false, nil
	}
	first, second = strings.TrimSpace(first), strings.TrimSpace(second)
	build := Uniform
	switch strings.TrimSpace(name) {
	case "uniform":
	case "lognormal":
		build = Lognormal
		var named50, named99 bool
		first, named50 = strings.CutPrefix(first, "p50=")
		second, named99 = strings.CutPrefix(second, "p99=")
		if !named50 || !named99 {
			return Duration{}, false, nil
		}
	default:
		return Duration{}, false, nil
	}
	low, errLow := number(strings.TrimSpace(first))
	high, errHigh := number(strings.TrimSpace(second))
	if errLow != nil || errHigh != nil {
		return Duration{}, false, nil
	}
	d, err = build(low, high)
	return d, true, err
}

// canonical returns d, or an error if a parameter is out of bounds or the two are in the wrong
// order.
func (d Duration) canonical() (Duration, error) {
	if d.a < 0 || d.a > MaxDuration || d.b < 0 || d.b > MaxDuration {
		return Duration{}, fmt.Errorf("distribution %q: want durations from 0 to %v", d, MaxDuration)
	}
	if d.shape == fixed {
		return d, nil
	}
	if d.b < d.a {
		return Duration{}, fmt.Errorf("distribution %q: want the lower duration first", d)
	}
	if d.shape == lognormal && d.a == 0 {
		return Duration{}, fmt.Errorf("distribution %q: want a p50 above 0", d)
	}
	return d, nil
}

// IsZero reports whether d is the zero value.
func (d Duration) IsZero() bool { return d == Duration{} }

// String returns the text form, which ParseDuration reads back.
func (d Duration) String() string {
	switch d.shape {
	case uniform:
		return fmt.Sprintf("uniform(%v, %v)", d.a, d.b)
	case lognormal:
		return fmt.Sprintf("lognormal(p50=%v, p99=%v)", d.a, d.b)
	}
	return d.a.String()
}

// MarshalText writes the text form.
func (d Duration) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText reads the text form.
func (d *Duration) UnmarshalText(text []byte) error {
	parsed, err := ParseDuration(string(text))
	if err != nil {
		return err
	}
	*d = parsed
	return nil
}

// Sample returns the quantile of d at u, a number in the open interval (0, 1): for a uniform u, a
// sample of d. It is a pure function and never outside 0 to MaxDuration.
func (d Duration) Sample(u float64) time.Duration {
	switch d.shape {
	case uniform:
		return d.a + time.Duration(u*float64(d.b-d.a))
	case lognormal:
		sigma := math.Log(float64(d.b)/float64(d.a)) / z99
		z := math.Sqrt2 * math.Erfinv(2*u-1)
		// math.Min also takes the infinity of a u at the end of the interval.
		return time.Duration(math.Min(float64(d.a)*math.Exp(sigma*z), float64(MaxDuration)))
	}
	return d.a
}
