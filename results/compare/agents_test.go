package compare

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/results"
)

// TestInputs_agents checks that a merged run is read as any other, and that a warning says if its
// times don't compare with the base's.
func TestInputs_agents(t *testing.T) {
	other := testMachine
	other.Identity = "ba9876543210"
	one := func(change func(*results.Machine)) results.Machine {
		m := results.MergedMachine([]results.Machine{testMachine, other})
		m.GOMAXPROCS = testMachine.GOMAXPROCS // so that the names of benchmarks are the same
		change(&m)
		return m
	}
	same := func(*results.Machine) {}
	for name, c := range map[string]struct {
		base, now results.Machine
		want      []string
	}{
		"no agents":       {testMachine, other, nil},
		"the same agents": {one(same), one(same), nil},
		"agents and a process": {testMachine, one(same), []string{
			"now was measured by 2 agents on 2 machines, and base by one process: times and rates don't compare"}},
		"a process and agents": {one(same), testMachine, []string{
			"now was measured by one process, and base by 2 agents on 2 machines: times and rates don't compare"}},
		"other machines": {one(same), one(func(m *results.Machine) { m.Identity = "0011223344ff" }), []string{
			"now was measured by 2 agents on 2 machines, and base by as many on others: times and rates don't compare"}},
	} {
		t.Run(name, func(t *testing.T) {
			var inputs []Input
			for i, m := range []results.Machine{c.base, c.now} {
				d, run := newDirectory(t)
				run.Machine, run.Valid = m, true
				require.NoError(t, d.AppendRepetition(rolloutRecords(uint64(i), 10, 1)))
				require.NoError(t, d.WriteRun(run))
				in, err := Open([]string{"base=", "now="}[i] + filepath.Clean(d.Path()))
				require.NoError(t, err)
				inputs = append(inputs, in)
			}
			compared, err := Inputs(inputs, Options{})
			require.NoError(t, err)
			require.Positive(t, compared.Compared())
			if c.want == nil {
				require.NotContains(t, compared.Warnings, "agents")
			}
			require.Subset(t, append(compared.Warnings, ""), append(c.want, ""))
			require.Len(t, compared.Warnings, len(c.want)+len(inputs[0].Warnings)+len(inputs[1].Warnings))
		})
	}
}
