package runner

import (
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/mockfleet/address"
	"github.com/fleetmark/fleetmark/scenarios"
)

// TestWorkloadDigests keeps the digests stable, because runs find their baselines by them. Those of
// rollout and throughput are in BASELINE_METRICS.md, too.
func TestWorkloadDigests(t *testing.T) {
	var all strings.Builder
	for _, name := range scenarios.CatalogNames() {
		s, err := scenarios.Find(name)
		require.NoError(t, err)
		if s.Artifact.Size > 1<<20 {
			continue // its artifact takes seconds to make
		}
		s.Fleet.Addressing = address.IP // the default depends on the system
		digest, err := WorkloadDigest(t.Context(), s)
		require.NoError(t, err)
		all.WriteString(name + " " + digest + "\n")
	}
	require.Contains(t, all.String(), "rollout 109e30cf79cc09cb\n")
	require.Contains(t, all.String(), "throughput 7e15ace2a86f503d\n")
	want, err := os.ReadFile("testdata/digests.txt")
	require.NoError(t, err)
	require.Equal(t, strings.ReplaceAll(string(want), "\r\n", "\n"), all.String())
}
