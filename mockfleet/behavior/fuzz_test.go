package behavior

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/mockfleet/fault"
	"github.com/fleetmark/fleetmark/mockfleet/random"
)

// FuzzBehavior checks that a behavior that is read and valid can be written and read again without
// a change, and that its samples are within their bounds.
func FuzzBehavior(f *testing.F) {
	for _, seed := range []string{
		`{}`, `{"latency":"5ms","fail_first":2,"fail_status":500}`, `{"fail_first":2147483647,"fail_status":600}`,
		`{"latency":"lognormal(p50=5ms, p99=50ms)","faults":[{"kind":"stall-mid-upload","after_bytes":"lognormal(p50=1, p99=9)","delay":"1s"}]}`,
		`{"life":{"install":"uniform(1ms, 1h)","reboot":"2s"},"require":[{"name":"X-Tenant","value":"a"},{"name":"Authorization"}]}`,
		`{"network":{"rtt":"20ms","bandwidth":"20kB/s","receive_buffer":4096,"max_connections":3,"max_requests":1,"http_1_0":true}}`,
		`{"network":{"bandwidth":"uniform(0, 1)"},"faults":[{"kind":"slow-read","rate":"uniform(1, 2)","share":"10%","first":3}]}`,
		`{"faults":[{"kind":"status-503","retry_after":"date(2s)"},{"kind":"status","status":418,"on":"version"}]}`,
		`{"faults":[{"kind":"reset-mid-upload","after_bytes":4096},{"kind":"redirect-307","origin":"other"}]}`,
		`{"faults":[{"kind":"garbage","share":1e-3},{"kind":"garbage","share":-0}]}`,
		`{"faults":[{"kind":"slow-read","rate":-1}]}`,
		`{"faults":[],"require":[],"life":{},"network":{}}`, `{"latency":null,"faults":null}`, `{"require":[{"name":"a b"}]}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		var b Behavior
		if json.Unmarshal(text, &b) != nil || b.Validate() != nil {
			return
		}
		written, err := json.Marshal(b)
		require.NoError(t, err)
		var again Behavior
		require.NoError(t, json.Unmarshal(written, &again), "%s", written)
		require.True(t, b.Equal(again), "%+v was written as %s and read as %+v", b, written, again)
		require.NoError(t, again.Validate())

		b = b.WithDefaults()
		require.True(t, b.Equal(b.WithDefaults()))
		require.NoError(t, b.Validate())
		require.NoError(t, b.Healed().Validate())
		const seed, device, attempt = 1, 2, 3
		life := b.Life.Lifecycle(seed, device, attempt)
		for _, d := range []time.Duration{
			b.Delay(seed, device, attempt), b.Network.ExtraDelay(seed, device, attempt, random.StreamRTT), life.Install,
			life.Reboot,
		} {
			require.True(t, d >= 0 && d <= random.MaxDuration, d)
		}
		rate := b.Network.BytesPerSecond(seed, device, attempt)
		require.True(t, rate >= 0 && rate <= random.MaxInt, rate)
		if !b.Network.Bandwidth.IsZero() {
			require.Positive(t, rate, "0 would be as fast as they come")
		}
		set := fault.Compile(b.Faults)
		acting := set.Injections(fault.Attempt{Seed: seed, Device: device, Number: attempt}, &fault.Request{})
		for _, in := range []fault.Injection{acting.Upload, acting.Body, acting.Install, acting.Response} {
			if in.IsZero() {
				continue
			}
			require.True(t, in.Wait() >= 0 && in.Wait() <= random.MaxDuration, "%+v", in.Fault)
			require.True(t, in.Offset() >= 0 && in.Offset() <= random.MaxInt, "%+v", in.Fault)
			require.Positive(t, in.BytesPerSecond(), "%+v", in.Fault)
		}
	})
}
