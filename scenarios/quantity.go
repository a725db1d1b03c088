package scenarios

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// Bytes is an amount of data. As text it is a number with an optional unit: B, kB,
// MB, GB, TB (powers of 1000) or KiB, MiB, GiB, TiB (of 1024).
type Bytes int64

const maxBytes = Bytes(1) << 50

var byteUnits = []struct {
	name string
	size float64
}{
	{"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}, {"TiB", 1 << 40},
	{"kB", 1e3}, {"KB", 1e3}, {"MB", 1e6}, {"GB", 1e9}, {"TB", 1e12}, {"B", 1},
}

// UnmarshalText reads "64KiB", "10 MB" or "1024".
func (b *Bytes) UnmarshalText(text []byte) error {
	wrong := fmt.Errorf("%q: want an amount of data such as 64KiB, 10MB or 1024", text)
	s, unit := strings.TrimSpace(string(text)), 1.0
	for _, u := range byteUnits {
		if rest, ok := strings.CutSuffix(s, u.name); ok {
			s, unit = strings.TrimSpace(rest), u.size
			break
		}
	}
	n, err := parseDecimal(s)
	if err != nil {
		return wrong
	}
	n *= unit
	if n > float64(maxBytes) || n != math.Trunc(n) {
		return wrong
	}
	*b = Bytes(n)
	return nil
}

// MarshalText writes the largest binary unit that divides it.
func (b Bytes) MarshalText() ([]byte, error) { return []byte(b.String()), nil }

func (b Bytes) String() string {
	for _, u := range []struct {
		name string
		size Bytes
	}{{"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}} {
		if b >= u.size && b%u.size == 0 {
			return strconv.FormatInt(int64(b/u.size), 10) + u.name
		}
	}
	return strconv.FormatInt(int64(b), 10) + "B"
}

// Rate is operations per second. As text it is a number per s, m or h: 2000/s, 90/m.
type Rate float64

const maxRate = 1e7

// UnmarshalText reads "2000/s".
func (r *Rate) UnmarshalText(text []byte) error {
	wrong := fmt.Errorf("%q: want a rate such as 10/s, 90/m or 0.5/s, 10000000/s at most", text)
	number, per, ok := strings.Cut(strings.TrimSpace(string(text)), "/")
	seconds, known := map[string]float64{"s": 1, "m": 60, "min": 60, "h": 3600}[strings.TrimSpace(per)]
	if !ok || !known {
		return wrong
	}
	n, err := parseDecimal(strings.TrimSpace(number))
	if err != nil || n/seconds > maxRate {
		return wrong
	}
	*r = Rate(n / seconds)
	return nil
}

// MarshalText writes operations per second.
func (r Rate) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

func (r Rate) String() string { return strconv.FormatFloat(float64(r), 'f', -1, 64) + "/s" }

// parseDecimal reads plain decimals: no sign, exponent, hexadecimal, Inf or NaN.
func parseDecimal(s string) (float64, error) {
	if s == "" || strings.Trim(s, "0123456789.") != "" {
		return 0, strconv.ErrSyntax
	}
	return strconv.ParseFloat(s, 64)
}

// Duration is a time.Duration that is text in files: 5s, 1m30s, 0s.
type Duration time.Duration

// Std is the standard library's type.
func (d Duration) Std() time.Duration { return time.Duration(d) }

// UnmarshalText reads what time.ParseDuration reads, from 0s on.
func (d *Duration) UnmarshalText(text []byte) error {
	v, err := time.ParseDuration(strings.TrimSpace(string(text)))
	if err != nil || v < 0 {
		return fmt.Errorf("%q: want a duration such as 5s, 250ms or 1m30s", text)
	}
	*d = Duration(v)
	return nil
}

// MarshalText writes what UnmarshalText reads.
func (d Duration) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

func (d Duration) String() string { return time.Duration(d).String() }
