package runner

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/delivery"
	"github.com/fleetmark/fleetmark/mockfleet/ledger"
)

// Scripts read the sentences under "invalid" in run.json, and reports print them, so they must not
// change. These tests have whole sentences; other tests only check parts of them. See also the
// tests of package health.

func TestSentencesOfContradictions(t *testing.T) {
	const well, other = xDigest, "other"
	entry := func(device int, change func(*ledger.Entry)) ledger.Entry {
		e := ledger.Entry{Device: device, Counts: ledger.Counts[uint32]{Pushes: 1, Applied: 1, Verifies: 1}, Version: "2",
			Digest: well}
		change(&e)
		return e
	}
	for _, row := range []struct {
		op       delivery.Op
		claimed  uint32 // successes that the client claims for each of devices 0 to 4
		sent     int    // pushes and verifications that it reports for each
		ledger   []ledger.Entry
		sentence string
	}{
		{delivery.OpDeliver, 1, 9, []ledger.Entry{
			entry(0, func(e *ledger.Entry) { e.AppliedTwice = 1 }),
			entry(1, func(e *ledger.Entry) { e.Misdirected = 3 }),
			entry(2, func(e *ledger.Entry) { e.Version = "1" }),
			entry(3, func(e *ledger.Entry) { e.Digest = other }),
		}, "device 0: applied the same update twice (1 times too often); device 1: got 3 pushes that were meant for another device; " +
			`device 2: the client claims 1 successes, the ledger: it runs "1", not "2"; ` +
			"device 3: the client claims 1 successes, the ledger: it runs content other, not " + well + "; " +
			"device 4: the client claims 1 successes, the ledger knows nothing of it"},
		{delivery.OpPush, 2, 9, []ledger.Entry{
			entry(0, func(e *ledger.Entry) {}),
			entry(1, func(e *ledger.Entry) { e.Applied, e.Repeats = 1, 1 }),
		}, "device 0: the client claims 2 successes, the ledger: it acknowledged 1 updates; " +
			"device 2: the client claims 2 successes, the ledger knows nothing of it; " +
			"device 3: the client claims 2 successes, the ledger knows nothing of it; " +
			"device 4: the client claims 2 successes, the ledger knows nothing of it"},
		{delivery.OpDeliver, 0, 1, []ledger.Entry{
			entry(0, func(e *ledger.Entry) { e.Pushes = 2 }),
			entry(1, func(e *ledger.Entry) { e.Verifies = 2 }),
			entry(2, func(e *ledger.Entry) {}),
		}, "device 0: it received 2 pushes, the client says that it sent 1: another driver, or a client that doesn't tell all; " +
			"device 1: it received 2 verifications, the client says that it sent 1: another driver, or a client that doesn't tell all; " +
			"device 2: applied an update that the client claims nothing of"},
	} {
		c := newClaims(5)
		for device := range 5 {
			claim(c, device, row.claimed, 0)
			c.Sent(device, row.sent, row.sent)
		}
		_, said, err := c.reconcile(t.Context(), ledgerOf(row.ledger...), xUpdate(t), row.op)
		require.NoError(t, err)
		require.Equal(t, row.sentence, strings.Join(said, "; "))
	}
}
