package runner

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/delivery"
	"github.com/fleetmark/fleetmark/scenarios"
	"github.com/fleetmark/fleetmark/scenarios/health"
	"github.com/fleetmark/fleetmark/scenarios/load"
)

// TestJudgeTrial checks that a rate holds only if that is proved: growth of response times that may
// be more than the tolerance, of 5%, leaves it unclear.
func TestJudgeTrial(t *testing.T) {
	steady, steep := load.Growth{Margin: 0.01}, load.Growth{PerSecond: 0.4, Margin: 0.1}
	unsteady, tooFew := load.Growth{PerSecond: 0.04, Margin: 0.18}, load.Growth{Margin: math.Inf(1)}
	const pileUp = "operations pile up: response times grew by 40.0% of the time that passed"
	saturated := []health.Finding{{Kind: health.HarnessSaturated, Detail: "it was late"}}
	contradicted := []health.Finding{{Kind: health.Contradiction}}
	for name, row := range map[string]struct {
		growth            load.Growth
		succeeded, failed int64
		notSent           int64
		findings          []health.Finding
		want              load.TrialOutcome
		reason            string
	}{
		"steady": {growth: steady, succeeded: 20, want: load.Held},
		"steep":  {growth: steep, succeeded: 20, want: load.Exceeded, reason: pileUp},
		"unsteady": {growth: unsteady, succeeded: 20, want: load.Unclear,
			reason: "response times grew by 4.0% of the time that passed, give or take 18.0%, where up to 5.0% would do"},
		"too few": {growth: tooFew, succeeded: 2, want: load.Unclear,
			reason: "2 operations are too few to tell whether they pile up"},
		"not sent": {growth: unsteady, succeeded: 20, notSent: 4, want: load.Exceeded,
			reason: "4 of 24 operations were not sent in time"},
		"failed":               {growth: steady, succeeded: 19, failed: 1, want: load.Exceeded, reason: "1 of 20 operations failed"},
		"failed, and unsteady": {growth: unsteady, succeeded: 19, failed: 1, want: load.Exceeded, reason: "1 of 20 operations failed"},
		"nearly all failed": {growth: tooFew, succeeded: 1, failed: 19, want: load.Exceeded,
			reason: "19 of 20 operations failed, and hardly any succeeded"},
		"saturated": {growth: steady, succeeded: 20, findings: saturated, want: load.Exceeded,
			reason: "the harness was the bottleneck: it was late"},
		"steep, and saturated": {growth: steep, succeeded: 20, findings: saturated, want: load.Exceeded, reason: pileUp},
		"contradicted":         {growth: steady, succeeded: 20, findings: contradicted, want: load.Held}, // it makes the run invalid
	} {
		t.Run(name, func(t *testing.T) {
			m := &measured{findings: row.findings}
			m.Succeeded, m.Failed = row.succeeded, row.failed
			m.Operations.NotSent, m.Operations.Planned = row.notSent, row.succeeded+row.failed+row.notSent
			m.latencies, _ = load.NewRecording(load.RecordingConfig{Op: delivery.OpPush}).Merge()
			spec := scenarios.Spec{Load: scenarios.LoadSpec{Operation: delivery.OpPush}}
			outcome, reason := judgeTrial(spec, m, row.growth, 0.05)
			require.Equal(t, row.want, outcome)
			require.Equal(t, row.reason, reason)
		})
	}
}
