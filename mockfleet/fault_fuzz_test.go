package mockfleet

import (
	"encoding/json"
	"testing"
)

// Whatever is read as a behaviour without complaint can be written, read again as the same, and made ready.
func FuzzFaults(f *testing.F) {
	for _, seed := range []string{
		`{"faults":[{"kind":"slow-read","rate":"uniform(1, 2)","share":"10%","first":3}]}`,
		`{"faults":[{"kind":"status-503","retry_after":"date(2s)"},{"kind":"status","status":418,"on":"version"}]}`,
		`{"faults":[{"kind":"reset-mid-upload","after_bytes":4096},{"kind":"redirect-307","origin":"other"}]}`,
		`{"latency":"lognormal(p50=5ms, p99=50ms)","faults":[{"kind":"stall-mid-upload","after_bytes":"lognormal(p50=1, p99=9)","delay":"1s"}]}`,
		`{"faults":[{"kind":"garbage","share":1e-3}]}`, `{"faults":[{"kind":"garbage","share":-0}]}`, `{"faults":[{"kind":"slow-read","rate":-1}]}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		var b Behavior
		if json.Unmarshal(text, &b) != nil || b.Validate() != nil {
			return
		}
		written, err := json.Marshal(b)
		if err != nil {
			t.Fatal(err)
		}
		var again Behavior
		if err := json.Unmarshal(written, &again); err != nil {
			t.Fatalf("%s: %v", written, err)
		}
		if !b.equal(again) {
			t.Fatalf("%+v was written as %s and read as %+v", b, written, again)
		}
		p := newPlan(b.withDefaults())
		for at := range p.levels {
			for i := range p.levels[at] {
				s := strike{armed: &p.levels[at][i], seed: 1, device: 2, attempt: 3}
				if s.delay() < 0 || s.delay() > MaxDelay || s.afterBytes() < 0 || s.afterBytes() > MaxAmount || s.rate() < 1 {
					t.Fatalf("%+v: out of bounds", s.Fault)
				}
			}
		}
	})
}
