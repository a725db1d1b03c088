package fault

import (
	"encoding/json"
	"slices"
	"testing"

	"github.com/fleetmark/fleetmark/mockfleet/random"
)

// faults holds the faults of a behavior, and one of its other fields.
type faults struct {
	Latency random.Duration `json:"latency"`
	Faults  []Fault         `json:"faults,omitempty"`
}

// FuzzFaults checks that faults that are read and valid can be written, read again without a
// change, and compiled.
func FuzzFaults(f *testing.F) {
	for _, seed := range []string{
		`{"faults":[{"kind":"slow-read","rate":"uniform(1, 2)","share":"10%","first":3}]}`,
		`{"faults":[{"kind":"status-503","retry_after":"date(2s)"},{"kind":"status","status":418,"on":"version"}]}`,
		`{"faults":[{"kind":"reset-mid-upload","after_bytes":4096},{"kind":"redirect-307","origin":"other"}]}`,
		`{"latency":"lognormal(p50=5ms, p99=50ms)","faults":[{"kind":"stall-mid-upload","after_bytes":"lognormal(p50=1, p99=9)","delay":"1s"}]}`,
		`{"faults":[{"kind":"garbage","share":1e-3}]}`, `{"faults":[{"kind":"garbage","share":-0}]}`,
		`{"faults":[{"kind":"slow-read","rate":-1}]}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		var b faults
		if json.Unmarshal(text, &b) != nil || len(Validate(b.Faults)) > 0 {
			return
		}
		written, err := json.Marshal(b)
		if err != nil {
			t.Fatal(err)
		}
		var again faults
		if err := json.Unmarshal(written, &again); err != nil {
			t.Fatalf("%s: %v", written, err)
		}
		if b.Latency != again.Latency || !slices.Equal(b.Faults, again.Faults) {
			t.Fatalf("%+v was written as %s and read as %+v", b, written, again)
		}
		set := Compile(b.Faults)
		for at := range set.points {
			for i := range set.points[at] {
				in := Injection{&set.points[at][i], Attempt{Seed: 1, Device: 2, Number: 3}}
				if d, n := in.Wait(), in.Offset(); d < 0 || d > random.MaxDuration || n < 0 || n > random.MaxInt ||
					in.BytesPerSecond() < 1 {
					t.Fatalf("%+v: out of bounds", in.Fault)
				}
			}
		}
	})
}
