package progress

import (
	"bytes"
	"encoding/json"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fleetmark/fleetmark/scenarios/runner"
	"github.com/stretchr/testify/require"
)

func TestJSONView(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		o := New(&out, JSON)
		s := runner.Repetition{Scenario: "x", Phase: runner.Timed, Number: 2, Total: 3, Planned: 1000,
			Duration: 4 * time.Second, Rate: 300}
		o.Begin(s)
		for at := 200 * time.Millisecond; at <= 2*time.Second; at += 200 * time.Millisecond {
			o.Progress(s, runner.Progress{Done: int64(at / (4 * time.Millisecond)), Failed: 2, Elapsed: at, PlannedRate: 250,
				P50: 1, P99: 2, Classes: map[string]int{"timeout": 2}})
		}
		o.End(s, runner.Progress{Done: 1000, Elapsed: 4 * time.Second})
		o.Close()
		var got []jsonProgress
		for lines := json.NewDecoder(&out); lines.More(); {
			var p jsonProgress
			require.NoError(t, lines.Decode(&p))
			got = append(got, p)
		}
		require.Len(t, got, 3, "one a second, and the end")
		require.Equal(t, jsonProgress{
			Scenario: "x", Kind: runner.Timed, Repetition: 2, Of: 3, Done: 500, Failed: 2, Planned: 1000, ElapsedNS: 2e9,
			LeftNS:       got[1].LeftNS,
			OpsPerSecond: 250, PlannedOpsPerSecond: 250, TryingOpsPerSecond: 300, P50NS: 1, P99NS: 2,
			Failures: map[string]int{"timeout": 2},
		}, got[1])
		require.Positive(t, got[1].LeftNS)
		require.True(t, got[2].Ended)
		require.EqualValues(t, 1000, got[2].Done)
	})
}
