package ledger

import (
	"bytes"
	"errors"
	"io"
	"testing"

	"github.com/fleetmark/fleetmark/internal/wire"
	"github.com/fleetmark/fleetmark/mockfleet/address"
)

// BenchmarkReader reads the ledger of 100,000 devices that all run the same update.
func BenchmarkReader(b *testing.B) {
	const devices = 100_000
	var lines []byte
	for i := range devices {
		e := Entry{
			Device: i, ID: address.DeviceID(i), Counts: Counts[uint32]{Pushes: 1, Applied: 1, Verifies: 2}, BytesReceived: 65536,
			Version: "2.0.0", Digest: "2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae",
			State: wire.StateIdle, UpdatedAt: "2026-01-02T03:04:05Z",
		}
		lines = e.AppendLine(lines)
	}
	b.SetBytes(int64(len(lines)))
	b.ReportAllocs()
	for b.Loop() {
		r := NewReader(bytes.NewReader(lines))
		n := 0
		for {
			if _, err := r.Next(); errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				b.Fatal(err)
			}
			n++
		}
		if n != devices {
			b.Fatal(n)
		}
	}
}
