package runner

import (
	"context"
	"errors"
	"iter"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/delivery"
	"github.com/fleetmark/fleetmark/mockfleet/ledger"
	"github.com/fleetmark/fleetmark/results"
	"github.com/fleetmark/fleetmark/scenarios/load"
)

const xDigest = "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881" // printf x | sha256sum

func xUpdate(t *testing.T) *delivery.Update {
	a, err := delivery.ArtifactFromBytes([]byte("x"))
	require.NoError(t, err)
	u, err := delivery.NewUpdate("2", a)
	require.NoError(t, err)
	return u
}

func ledgerOf(entries ...ledger.Entry) iter.Seq2[ledger.Entry, error] {
	return func(yield func(ledger.Entry, error) bool) {
		for _, e := range entries {
			if !yield(e, nil) {
				return
			}
		}
	}
}

func newClaims(devices int) *claims { return &claims{Outcomes: load.NewOutcomes(devices)} }

// claim makes the client claim that operations with a device succeeded and failed.
func claim(c *claims, device int, succeeded, failed uint32) {
	for range succeeded {
		c.Succeed(device)
	}
	for range failed {
		c.Fail(device)
	}
}

func TestReconcile(t *testing.T) {
	well := ledger.Entry{Counts: ledger.Counts[uint32]{Pushes: 1, Applied: 1, Verifies: 1}, Version: "2", Digest: xDigest}
	at := func(device int, e ledger.Entry) ledger.Entry {
		e.Device = device
		return e
	}
	with := func(change func(*ledger.Entry)) ledger.Entry {
		e := well
		change(&e)
		return e
	}
	for name, row := range map[string]struct {
		succeeded, failed []uint32
		ledger            []ledger.Entry
		operation         delivery.Op
		want              results.Counts
		says              string // part of the contradictions; empty if there are none
	}{
		"all well": {[]uint32{1, 1}, []uint32{0, 0}, []ledger.Entry{at(0, well), at(1, well)}, delivery.OpDeliver,
			results.Counts{Devices: 2, Updated: 2}, ""},
		"one failed": {[]uint32{1, 0}, []uint32{0, 1}, []ledger.Entry{at(0, well)}, delivery.OpDeliver,
			results.Counts{Devices: 2, Updated: 1, Failed: 1}, ""},
		"failed, though applied": {[]uint32{0}, []uint32{1}, []ledger.Entry{well}, delivery.OpDeliver,
			results.Counts{Devices: 1, Failed: 1}, ""},
		"claimed, never came": {[]uint32{1, 1}, []uint32{0, 0}, []ledger.Entry{at(1, well)}, delivery.OpDeliver,
			results.Counts{Devices: 2, Updated: 1, Lost: 1},
			"device 0: the client claims 1 successes, the ledger knows nothing of it"},
		"claimed, the last never came": {[]uint32{1, 1}, []uint32{0, 0}, []ledger.Entry{at(0, well)}, delivery.OpDeliver,
			results.Counts{Devices: 2, Updated: 1, Lost: 1}, "device 1: the client claims"},
		"claimed, old version": {[]uint32{1}, []uint32{0}, []ledger.Entry{with(func(e *ledger.Entry) { e.Version = "1" })},
			delivery.OpDeliver,
			results.Counts{Devices: 1, Lost: 1}, `it runs "1", not "2"`},
		"claimed, other content": {[]uint32{1}, []uint32{0},
			[]ledger.Entry{with(func(e *ledger.Entry) { e.Digest = "00" })}, delivery.OpDeliver,
			results.Counts{Devices: 1, Lost: 1}, "it runs content 00"},
		"applied twice": {[]uint32{1}, []uint32{0},
			[]ledger.Entry{with(func(e *ledger.Entry) { e.Applied, e.AppliedTwice = 2, 1 })}, delivery.OpDeliver,
			results.Counts{Devices: 1, Updated: 1, AppliedTwice: 1}, "applied the same update twice"},
		"never verified": {[]uint32{1}, []uint32{0}, []ledger.Entry{with(func(e *ledger.Entry) { e.Verifies = 0 })},
			delivery.OpDeliver,
			results.Counts{Devices: 1, Lost: 1}, "it was verified 0 times"},
		"a push needs no verification": {[]uint32{1}, []uint32{0},
			[]ledger.Entry{with(func(e *ledger.Entry) { e.Verifies = 0 })}, delivery.OpPush,
			results.Counts{Devices: 1, Updated: 1}, ""},
		"many pushes, as many acknowledged": {[]uint32{5}, []uint32{0},
			[]ledger.Entry{with(func(e *ledger.Entry) { e.Repeats = 4 })}, delivery.OpPush,
			results.Counts{Devices: 1, Updated: 1}, ""},
		"many pushes, one too few": {[]uint32{5}, []uint32{0},
			[]ledger.Entry{with(func(e *ledger.Entry) { e.Repeats = 3 })}, delivery.OpPush,
			results.Counts{Devices: 1, Lost: 1}, "it acknowledged 4 updates"},
		"many deliveries, one push": {[]uint32{5}, []uint32{0},
			[]ledger.Entry{with(func(e *ledger.Entry) { e.Verifies = 5 })}, delivery.OpDeliver,
			results.Counts{Devices: 1, Updated: 1}, ""},
		"many deliveries, one never looked": {[]uint32{5}, []uint32{0},
			[]ledger.Entry{with(func(e *ledger.Entry) { e.Verifies = 4 })}, delivery.OpDeliver,
			results.Counts{Devices: 1, Lost: 1}, "it was verified 4 times"},
		"delivered, nothing acknowledged": {[]uint32{1}, []uint32{0},
			[]ledger.Entry{with(func(e *ledger.Entry) { e.Applied = 0 })}, delivery.OpDeliver,
			results.Counts{Devices: 1, Lost: 1}, "it acknowledged 0 updates"},
		"verified, applied before the load": {[]uint32{1}, []uint32{0},
			[]ledger.Entry{with(func(e *ledger.Entry) { e.Applied = 0 })}, delivery.OpVerify,
			results.Counts{Devices: 1, Updated: 1}, ""},
		"applied, claimed by nobody": {[]uint32{0}, []uint32{0}, []ledger.Entry{well}, delivery.OpDeliver,
			results.Counts{Devices: 1}, "the client claims nothing of"},
		"meant for another": {[]uint32{1}, []uint32{0}, []ledger.Entry{with(func(e *ledger.Entry) { e.Misdirected = 1 })},
			delivery.OpDeliver,
			results.Counts{Devices: 1, Updated: 1}, "meant for another device"},
	} {
		t.Run(name, func(t *testing.T) {
			c := newClaims(len(row.succeeded))
			for i := range row.succeeded {
				claim(c, i, row.succeeded[i], row.failed[i])
			}
			for _, e := range row.ledger {
				c.Sent(e.Device, int(e.Pushes), int(e.Verifies))
			}
			got, said, err := c.reconcile(t.Context(), ledgerOf(row.ledger...), xUpdate(t), row.operation)
			require.NoError(t, err)
			require.Equal(t, row.want, got.Counts)
			if row.says == "" {
				require.Empty(t, said)
				return
			}
			require.Len(t, said, 1)
			require.Contains(t, said[0], row.says)
		})
	}
}

// TestLedgerOffset checks that what the ledger contained before the load neither supports nor
// contradicts a claim of the load.
func TestLedgerOffset(t *testing.T) {
	c := newClaims(3)
	entry := func(device int, verifies uint32) ledger.Entry {
		return ledger.Entry{Device: device, Counts: ledger.Counts[uint32]{Pushes: 1, Applied: 1, Verifies: verifies},
			Version: "2", Digest: xDigest}
	}
	require.NoError(t, c.setOffset(ledgerOf(entry(0, 2), entry(1, 2), entry(2, 1))))
	// Device 0 is verified twice more, as claimed. Device 1 is claimed too, but the ledger saw no
	// further verification. Device 2 had no operation.
	claim(c, 0, 2, 0)
	c.Sent(0, 0, 2)
	claim(c, 1, 1, 0)
	c.Sent(1, 0, 1)
	n, said, err := c.reconcile(t.Context(), c.minusOffset(ledgerOf(entry(0, 4), entry(1, 2), entry(2, 1))), xUpdate(t),
		delivery.OpVerify)
	require.NoError(t, err)
	require.Equal(t, results.Counts{Devices: 3, Updated: 1, Lost: 1}, n.Counts)
	require.Len(t, said, 1)
	require.Contains(t, said[0], "device 1: the client claims 1 successes, the ledger: it was verified 0 times")

	c.reset()
	c.Reset()
	n, _, err = c.reconcile(t.Context(), c.minusOffset(ledgerOf(entry(2, 1))), xUpdate(t), delivery.OpVerify)
	require.NoError(t, err)
	require.Equal(t, results.Counts{Devices: 3}, n.Counts, "reset removes the offset, and no operation claims the update")
	require.ErrorContains(t, c.setOffset(ledgerOf(entry(3, 1))), "device 3")
}

func TestReconcileNamesAFewAndCountsAll(t *testing.T) {
	c := newClaims(100)
	for i := range c.Len() {
		claim(c, i, 1, 0)
	}
	n, said, err := c.reconcile(t.Context(), ledgerOf(), xUpdate(t), delivery.OpDeliver)
	require.NoError(t, err)
	require.Equal(t, 100, n.Lost)
	require.Len(t, said, maxContradictions+1)
	require.Equal(t, "and 95 more contradictions", said[maxContradictions])
}

func TestReconcileNeedsTheWholeLedger(t *testing.T) {
	c := newClaims(1)
	_, _, err := c.reconcile(t.Context(),
		func(yield func(ledger.Entry, error) bool) { yield(ledger.Entry{}, errors.New("cut")) }, xUpdate(t),
		delivery.OpDeliver)
	require.ErrorContains(t, err, "cut")
	_, _, err = c.reconcile(context.Background(), ledgerOf(ledger.Entry{Device: 1}), xUpdate(t), delivery.OpDeliver)
	require.ErrorContains(t, err, "ledger has device 1")
}

func TestClientsWord(t *testing.T) {
	c := newClaims(3)
	claim(c, 0, 2, 0)
	claim(c, 1, 0, 1)
	require.Equal(t, results.Counts{Devices: 3, Updated: 1, Failed: 1}, c.count().Counts)
	c.reset()
	c.Reset()
	require.Equal(t, results.Counts{Devices: 3}, c.count().Counts)
}

// TestReconcile_uncounted checks that requests of an operation whose process died, which could not
// report them, contradict nobody, and that claims of the same device are still compared.
func TestReconcile_uncounted(t *testing.T) {
	thrice := ledger.Entry{
		Counts: ledger.Counts[uint32]{Pushes: 3, Applied: 1, Repeats: 2, Verifies: 2}, Version: "2", Digest: xDigest,
	}
	for name, row := range map[string]struct {
		uncounted bool
		succeeded uint32
		version   string
		says      string
	}{
		"counted":                     {false, 0, "2", "it received 3 pushes, the client says that it sent 1"},
		"not counted":                 {true, 0, "2", ""},
		"another operation succeeded": {true, 1, "2", ""},
		"another operation lied":      {true, 1, "1", `it runs "1", not "2"`},
	} {
		t.Run(name, func(t *testing.T) {
			c := newClaims(1)
			claim(c, 0, row.succeeded, 1)
			c.Sent(0, 1, 1)
			if row.uncounted {
				c.SentUnknown(0)
			}
			e := thrice
			e.Version = row.version
			_, said, err := c.reconcile(t.Context(), ledgerOf(e), xUpdate(t), delivery.OpDeliver)
			require.NoError(t, err)
			if row.says == "" {
				require.Empty(t, said)
				return
			}
			require.NotEmpty(t, said)
			require.Contains(t, said[0], row.says)
		})
	}
}

// TestSurplus compares what a device received with what the client reports having sent, request by
// request.
func TestSurplus(t *testing.T) {
	clean := ledger.Entry{Counts: ledger.Counts[uint32]{Pushes: 1, Applied: 1, Verifies: 1}, Version: "2", Digest: xDigest}
	with := func(change func(*ledger.Entry)) ledger.Entry {
		e := clean
		change(&e)
		return e
	}
	for name, row := range map[string]struct {
		pushes, verifies int // requests that the client reports
		failed           int // failed operations of the previous repetition
		reboots          uint32
		e                ledger.Entry
		says             string
	}{
		"as told":        {1, 1, 0, 0, clean, ""},
		"less than told": {3, 3, 0, 0, clean, ""},
		"a push too many": {1, 1, 0, 0, with(func(e *ledger.Entry) { e.Pushes, e.Repeats = 2, 1 }),
			"received 2 pushes, the client says that it sent 1"},
		"a push broken off": {1, 1, 0, 0, with(func(e *ledger.Entry) { e.Pushes, e.Incomplete = 2, 1 }),
			"received 2 pushes"},
		"a verification too many": {1, 1, 0, 0, with(func(e *ledger.Entry) { e.Verifies = 2 }),
			"received 2 verifications, the client says that it sent 1"},
		"another driver's": {0, 0, 0, 0, clean, "received 1 pushes, the client says that it sent 0"},
		"followed a redirect": {1, 1, 0, 0,
			with(func(e *ledger.Entry) { e.Pushes, e.Rejected, e.Faults = 2, 1, map[string]uint32{"redirect-307": 1} }), ""},
		"one made two by its network": {1, 1, 0, 0,
			with(func(e *ledger.Entry) { e.Pushes, e.Repeats, e.Faults = 2, 1, map[string]uint32{"duplicate": 1} }), ""},
		"more than the redirects": {1, 1, 0, 0,
			with(func(e *ledger.Entry) { e.Pushes, e.Rejected, e.Faults = 3, 1, map[string]uint32{"redirect-307": 1} }),
			"received 3 pushes"},
		"sent without Expect": {1, 1, 0, 0,
			with(func(e *ledger.Entry) { e.Pushes, e.Rejected, e.Faults = 2, 1, map[string]uint32{"status-417": 1} }), ""},
		"other faults are no excuse": {1, 1, 0, 0,
			with(func(e *ledger.Entry) { e.Pushes, e.Rejected, e.Faults = 2, 1, map[string]uint32{"status-503": 1} }),
			"received 2 pushes"},
		"asked again, connection cut": {1, 1, 0, 0, with(func(e *ledger.Entry) { e.Verifies, e.ConnectionsAborted = 2, 1 }),
			""},
		"asked again over a reboot": {1, 1, 0, 4, with(func(e *ledger.Entry) { e.Verifies = 5 }), ""},
		"late from before":          {1, 1, 1, 0, with(func(e *ledger.Entry) { e.Pushes, e.Incomplete = 2, 1 }), ""},
	} {
		t.Run(name, func(t *testing.T) {
			c := newClaims(1)
			c.reboots = row.reboots
			claim(c, 0, 0, uint32(row.failed))
			c.reset()
			c.Reset()
			claim(c, 0, 1, 0)
			c.Sent(0, row.pushes, row.verifies)
			_, said, err := c.reconcile(t.Context(), ledgerOf(row.e), xUpdate(t), delivery.OpDeliver)
			require.NoError(t, err)
			if row.says == "" {
				require.Empty(t, said)
				return
			}
			require.Len(t, said, 1)
			require.Contains(t, said[0], row.says)
		})
	}
}
