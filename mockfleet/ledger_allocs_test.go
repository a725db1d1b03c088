package mockfleet

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/mockfleet/ledger"
)

// TestALedgerAllocatesLittle checks that reading and writing a ledger allocates little, because
// texts that devices have in common are kept once.
func TestALedgerAllocatesLittle(t *testing.T) {
	f := updatedFleet(t, 1000)
	var written []byte
	line := make([]byte, 0, 1<<10)
	entries := testing.AllocsPerRun(3, func() {
		written = written[:0]
		for e := range f.Ledger() {
			written = append(written, e.AppendLine(line)...)
		}
	})
	require.InDelta(t, 1000, entries, 50, "its ID is all that a device has for itself")
	read := testing.AllocsPerRun(3, func() {
		r := ledger.NewReader(bytes.NewReader(written))
		for range f.Devices() {
			if _, err := r.Next(); err != nil {
				t.Error(err)
			}
		}
	})
	require.InDelta(t, 1000, read, 50, "likewise")
}
