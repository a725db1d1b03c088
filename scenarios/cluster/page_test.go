package cluster

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/internal/plaintext"
	"github.com/fleetmark/fleetmark/mockfleet/address"
)

// readPage returns a page of docs/reference with single spaces.
func readPage(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "docs", "reference", name))
	require.NoError(t, err)
	return strings.Join(strings.Fields(string(text)), " ")
}

// TestProtocolPage checks that docs/reference/cluster.md has every subject, and the figures of the
// code.
func TestProtocolPage(t *testing.T) {
	page := readPage(t, "cluster.md")
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
		fmt.Sprintf("one object, `%s`, which is a tar archive of the files `KIND.REPETITION.pb.gz`, of %d MiB at most",
			profilesObject("NAME"), maxUpload>>20),
		fmt.Sprintf("%d tries of %.0f s each", offerTries, offerWait.Seconds()),
		fmt.Sprintf("%.1f s each", roundTime.Seconds()),
	} {
		require.Contains(t, page, figure)
	}
}

// TestScalePage checks that docs/reference/scale.md has the bounds of the code.
func TestScalePage(t *testing.T) {
	page := readPage(t, "scale.md")
	delay := func(agents int) time.Duration { return (&session{drivers: make([]*member, agents)}).startDelay() }
	for _, bound := range []string{
		fmt.Sprintf("| agents that drive | %s |", plaintext.Thousands(address.MaxShards)),
		fmt.Sprintf("| devices of all agents | %s |", plaintext.Thousands(address.MaxDevices)),
		fmt.Sprintf("`ip` addressing on loopback | %s |", plaintext.Thousands(address.IP.Capacity())),
		fmt.Sprintf("`port` addressing | %s |", plaintext.Thousands(address.Port.Capacity())),
		fmt.Sprintf("| results that wait in an agent | %d MiB |", maxQueued>>20),
		fmt.Sprintf("once, %d agents at a time", offersAtTime),
		fmt.Sprintf("%d to begin with, %d before a repetition", firstExchanges, nextExchanges),
		fmt.Sprintf("batches at most %d times a second", time.Second/batchTime),
		"100 ms + 0.1 ms an agent that the start is ahead: 200 ms",
	} {
		require.Contains(t, page, bound)
	}
	require.Equal(t, []time.Duration{100 * time.Millisecond, 200 * time.Millisecond},
		[]time.Duration{delay(0), delay(1000)})
}
