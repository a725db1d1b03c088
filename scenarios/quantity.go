package scenarios

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/fleetmark/fleetmark/results"
)

// Bytes is an amount of data. In text it is a number with an optional unit: B; kB, MB, GB or TB
// (powers of 1000); or KiB, MiB, GiB or TiB (powers of 1024).
type Bytes int64

// UnmarshalText parses text such as "64KiB", "10 MB" or "1024".
func (b *Bytes) UnmarshalText(text []byte) error {
	n, err := results.ParseBytes(string(text))
	if err == nil {
		*b = Bytes(n)
	}
	return err
}

// MarshalText returns the amount in the largest binary unit that divides it.
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

// Rate is operations per second. In text it is a number per s, m or h: 2000/s, 90/m.
type Rate float64

// UnmarshalText parses text such as "2000/s" or "90/m".
func (r *Rate) UnmarshalText(text []byte) error {
	perSecond, err := results.ParseRate(string(text))
	if err == nil {
		*r = Rate(perSecond)
	}
	return err
}

// MarshalText returns the rate in operations per second.
func (r Rate) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

func (r Rate) String() string { return strconv.FormatFloat(float64(r), 'f', -1, 64) + "/s" }

// Duration is a time.Duration that is written as text: 5s, 1m30s, 0s.
type Duration time.Duration

// Std returns the duration as a time.Duration.
func (d Duration) Std() time.Duration { return time.Duration(d) }

// UnmarshalText parses text as time.ParseDuration does. It rejects negative durations.
func (d *Duration) UnmarshalText(text []byte) error {
	v, err := time.ParseDuration(strings.TrimSpace(string(text)))
	if err != nil || v < 0 {
		return fmt.Errorf("%q: want a duration such as 5s, 250ms or 1m30s", text)
	}
	*d = Duration(v)
	return nil
}

// MarshalText returns text that UnmarshalText parses.
func (d Duration) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

func (d Duration) String() string { return time.Duration(d).String() }
