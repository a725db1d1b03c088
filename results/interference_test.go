package results

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestDisturbed(t *testing.T) {
	for _, c := range []struct {
		name string
		i    *Interference
		want string
	}{
		{"not known", nil, ""},
		{"at rest", &Interference{OthersFraction: 0.02, StolenFraction: 0.01}, ""},
		{"just within", &Interference{OthersFraction: 0.10, StolenFraction: 0.10}, ""},
		{"a build beside it", &Interference{OthersFraction: 0.45}, "other processes used 45% of all cores"},
		{"busy neighbours", &Interference{StolenFraction: 0.2}, "the hypervisor took 20%"},
		{"both", &Interference{OthersFraction: 0.5, StolenFraction: 0.2}, "other processes used 50% of all cores and the hypervisor took 20%"},
	} {
		t.Run(c.name, func(t *testing.T) { require.Equal(t, c.want, c.i.Disturbed()) })
	}
}

// TestJudgeRunOnABusyMachine: what run.json says of the machine reaches the verdict.
func TestJudgeRunOnABusyMachine(t *testing.T) {
	machine := Machine{OS: "linux", Arch: "amd64", GOMAXPROCS: 2, Identity: "0123456789ab"}
	base := &Baseline{Machine: machine, Scenarios: []BaselineScenario{{
		Name: "rollout", WorkloadDigest: "d", Records: sample("ns/op", spread(100, 1, 5)...),
	}}}
	run := Run{Scenario: "rollout", WorkloadDigest: "d", Machine: machine, Valid: true}
	slower := sample("ns/op", spread(200, 1, 5)...)
	require.Equal(t, Regressed, JudgeRun(base, run, slower).Verdict)
	run.Harness.Interference = &Interference{OthersFraction: 0.4}
	j := JudgeRun(base, run, slower)
	require.Equal(t, Inconclusive, j.Verdict)
	require.Contains(t, j.Reason, "other processes used 40% of all cores meanwhile")
}
