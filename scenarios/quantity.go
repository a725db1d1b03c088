package scenarios

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/fleetmark/fleetmark/results"
)

// Bytes is an amount of data. As text it is a number with an optional unit: B, kB,
// MB, GB, TB (powers of 1000) or KiB, MiB, GiB, TiB (of 1024).
type Bytes int64

// UnmarshalText reads "64KiB", "10 MB" or "1024".
func (b *Bytes) UnmarshalText(text []byte) error {
	n, err := results.ParseBytes(string(text))
	if err == nil {
		*b = Bytes(n)
	}
	return err
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

// UnmarshalText reads "2000/s".
func (r *Rate) UnmarshalText(text []byte) error {
	perSecond, err := results.ParseRate(string(text))
	if err == nil {
		*r = Rate(perSecond)
	}
	return err
}

// MarshalText writes operations per second.
func (r Rate) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

func (r Rate) String() string { return strconv.FormatFloat(float64(r), 'f', -1, 64) + "/s" }

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
