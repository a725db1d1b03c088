package mockfleet

import (
	"crypto/sha256"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/mockfleet/address"
	"github.com/fleetmark/fleetmark/mockfleet/internal/device"
)

// updatedFleet starts a fleet whose devices all run the same update and have had one version
// request.
func updatedFleet(tb testing.TB, devices int) *Fleet {
	f := startFleet(tb, Config{Devices: devices, Addressing: address.Path})
	artifact := make([]byte, 1<<10)
	p := &device.Update{Version: []byte("2.0.0"), Size: int64(len(artifact)), Digest: sha256.Sum256(artifact),
		HasKey: true, Key: 1}
	for i := range devices {
		require.Equal(tb, device.Applied, f.store.Apply(i, p))
		f.store.Report(i)
	}
	return f
}

// BenchmarkLedger measures what it takes to read a fleet after a repetition: the ledger over the
// control port and in process, the status, and a reset.
func BenchmarkLedger(b *testing.B) {
	const devices = 100_000
	f := updatedFleet(b, devices)
	perDevice := func(b *testing.B) {
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/devices, "ns/device")
	}
	b.Run("over-the-port", func(b *testing.B) {
		control := openControl(b, f)
		b.ReportAllocs()
		for b.Loop() {
			n := 0
			for _, err := range control.Ledger(b.Context()) {
				if n++; err != nil {
					b.Fatal(err)
				}
			}
			require.Equal(b, devices, n)
		}
		perDevice(b)
	})
	b.Run("in-process", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			n := 0
			for range f.Ledger() {
				n++
			}
			require.Equal(b, devices, n)
		}
		perDevice(b)
	})
	b.Run("status", func(b *testing.B) {
		for b.Loop() {
			require.EqualValues(b, devices, f.Status().Applied)
		}
	})
	b.Run("reset", func(b *testing.B) { // last, because it empties the ledger
		for b.Loop() {
			f.Reset()
		}
		perDevice(b)
	})
}
