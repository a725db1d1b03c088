package cluster

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/scenarios/cluster/bus"
)

// TestRunWithKeys checks that the permissions of the roles are enough for a whole run, with an
// artifact from the object store: what is forbidden is reported, and makes the run fail.
func TestRunWithKeys(t *testing.T) {
	keys := filepath.Join(t.TempDir(), "keys")
	require.NoError(t, bus.MakeKeys(keys, bus.KeyOptions{}))
	cluster := newTestClusterWith(t, bus.ServerOptions{Listen: "127.0.0.1:0", Store: t.TempDir(), Keys: keys})
	cluster.agents(t, 2)
	file := filepath.Join(t.TempDir(), "firmware.bin")
	writeRandom(t, file, 300<<10)
	s := spec(t, "artifact.file="+file)
	got, err := run(t, cluster.controller(t, Options{Agents: 2}), cluster.options(s))
	require.NoError(t, err)
	require.Equal(t, 50, got.Run.Counts.Updated)
	require.True(t, got.Run.Valid, "%v", got.Run.Invalid)
	require.Empty(t, cluster.errors.all())

	left, err := bus.Left(t.Context(), jetStream(t, cluster.connect(t, bus.Controller)))
	require.NoError(t, err)
	require.Empty(t, left, "nothing stays in JetStream")
}
