package cluster

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/results"
	"github.com/fleetmark/fleetmark/scenarios/portion"
)

// TestFigures_withoutTime checks that run.json can be written if an agent says that a repetition
// took no time.
func TestFigures_withoutTime(t *testing.T) {
	f, sum := newFigures(), newHistogramSum(time.Second)
	require.NoError(t, f.add(&portion.Portion{Times: []portion.Times{{}}}, 0, sum))
	var a results.Agent
	f.addTo(&a, sum)
	_, err := json.Marshal(a)
	require.NoError(t, err)
	require.Zero(t, a.Rate)
}
