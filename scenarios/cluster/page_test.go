package cluster

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestProtocolPage checks that docs/reference/cluster.md has every subject, and the figures of the
// code.
func TestProtocolPage(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("..", "..", "docs", "reference", "cluster.md"))
	require.NoError(t, err)
	page := strings.Join(strings.Fields(string(text)), " ")
	run := runSubject + "RUN"
	for _, subject := range []string{
		discoverSubject, offerSubject + "NAME", nameSubject + "NAME", run + stateOfRun, run + clockOfRun, run + aliveOfRun,
		run + ofAgents + "NAME" + stateOfAgent, run + ofAgents + "NAME" + resultsOfAgent,
	} {
		require.Contains(t, page, "| `"+subject+"` |")
	}
	short := func(d time.Duration) string { return strings.TrimSuffix(d.String(), "0s") }
	require.Equal(t, 5, beatsPerLease, "the page says five times")
	for _, figure := range []string{
		fmt.Sprintf("`--lease`, %v; %v to %s", defaultLease, minLease, short(maxLease)),
		fmt.Sprintf("`--agents-wait` (%s)", short(defaultWait)),
		fmt.Sprintf("%d exchanges when it prepares, and %d more before a repetition", firstExchanges, nextExchanges),
		fmt.Sprintf("%.0f µs a second at most", clockDrift*1e6),
		fmt.Sprintf("sleeps until %.1f ms before it", preciseWait.Seconds()*1e3),
		fmt.Sprintf("messages of up to %d KiB", maxMessage>>10),
		fmt.Sprintf("%d tries of %.0f s each", offerTries, offerWait.Seconds()),
		fmt.Sprintf("%.1f s each", roundTime.Seconds()),
	} {
		require.Contains(t, page, figure)
	}
}
