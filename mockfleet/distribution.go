package mockfleet

import (
	"fmt"
	"math"
	"strings"
	"time"
)

// MaxDelay bounds every duration of a Distribution, and every sample drawn from one.
const MaxDelay = time.Hour

// Distribution is a distribution of durations from 0 to MaxDelay. The zero value is always 0.
// Its text forms are "5ms", "uniform(1ms, 5ms)" and "lognormal(p50=5ms, p99=50ms)".
type Distribution struct {
	kind distributionKind
	a, b time.Duration // fixed: a; uniform: from a to b; lognormal: p50 a, p99 b
}

type distributionKind uint8

const (
	fixed distributionKind = iota
	uniform
	lognormal
)

// z99 is the 99th percentile of the standard normal distribution.
const z99 = 2.3263478740408408

const distributionForms = `a duration such as 5ms, "uniform(1ms, 5ms)" or "lognormal(p50=5ms, p99=50ms)", none above 1h`

// Fixed is always d.
func Fixed(d time.Duration) (Distribution, error) {
	return Distribution{kind: fixed, a: d}.checked()
}

// Uniform spreads evenly from low to high.
func Uniform(low, high time.Duration) (Distribution, error) {
	return Distribution{kind: uniform, a: low, b: high}.checked()
}

// Lognormal has its median at p50, above 0, and its 99th percentile at p99.
func Lognormal(p50, p99 time.Duration) (Distribution, error) {
	return Distribution{kind: lognormal, a: p50, b: p99}.checked()
}

// ParseDistribution reads the text form of a distribution. Empty text is the zero value.
func ParseDistribution(s string) (Distribution, error) {
	d, ok, err := parseForm(s, time.ParseDuration)
	if !ok {
		return Distribution{}, fmt.Errorf("distribution %q: want %s", s, distributionForms)
	}
	return d, err
}

// parseForm reads one of the text forms, its numbers as number reads them; ok is false where text is none of them.
func parseForm(s string, number func(string) (time.Duration, error)) (d Distribution, ok bool, err error) {
	text := strings.TrimSpace(s)
	if text == "" {
		return Distribution{}, true, nil
	}
	name, rest, call := strings.Cut(text, "(")
	if !call {
		n, err := number(text)
		if err != nil {
			return Distribution{}, false, err
		}
		d, err = Fixed(n)
		return d, true, err
	}
	arguments, closed := strings.CutSuffix(rest, ")")
	first, second, two := strings.Cut(arguments, ",")
	if !closed || !two {
		return Distribution{}, false, nil
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
			return Distribution{}, false, nil
		}
	default:
		return Distribution{}, false, nil
	}
	low, errLow := number(strings.TrimSpace(first))
	high, errHigh := number(strings.TrimSpace(second))
	if errLow != nil || errHigh != nil {
		return Distribution{}, false, nil
	}
	d, err = build(low, high)
	return d, true, err
}

// checked returns d in its one canonical form, so that equal distributions compare equal.
func (d Distribution) checked() (Distribution, error) {
	if d.a < 0 || d.a > MaxDelay || d.b < 0 || d.b > MaxDelay {
		return Distribution{}, fmt.Errorf("distribution %q: want durations from 0 to %v", d, MaxDelay)
	}
	if d.kind == fixed {
		return d, nil
	}
	if d.b < d.a {
		return Distribution{}, fmt.Errorf("distribution %q: want the lower duration first", d)
	}
	if d.kind == lognormal && d.a == 0 {
		return Distribution{}, fmt.Errorf("distribution %q: want a p50 above 0", d)
	}
	return d, nil
}

// IsZero tells whether d is the zero value.
func (d Distribution) IsZero() bool { return d == Distribution{} }

// String is the text form, which ParseDistribution reads back.
func (d Distribution) String() string {
	switch d.kind {
	case uniform:
		return fmt.Sprintf("uniform(%v, %v)", d.a, d.b)
	case lognormal:
		return fmt.Sprintf("lognormal(p50=%v, p99=%v)", d.a, d.b)
	}
	return d.a.String()
}

// MarshalText writes the text form.
func (d Distribution) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText reads the text form.
func (d *Distribution) UnmarshalText(text []byte) error {
	parsed, err := ParseDistribution(string(text))
	if err != nil {
		return err
	}
	*d = parsed
	return nil
}

// Sample is the quantile of d at u, a number in the open interval (0, 1): for a uniform u, a sample
// of d. It is a pure function and never outside 0 to MaxDelay.
func (d Distribution) Sample(u float64) time.Duration {
	switch d.kind {
	case uniform:
		return d.a + time.Duration(u*float64(d.b-d.a))
	case lognormal:
		sigma := math.Log(float64(d.b)/float64(d.a)) / z99
		z := math.Sqrt2 * math.Erfinv(2*u-1)
		// math.Min also takes the infinity of a u at the end of the interval.
		return time.Duration(math.Min(float64(d.a)*math.Exp(sigma*z), float64(MaxDelay)))
	}
	return d.a
}
