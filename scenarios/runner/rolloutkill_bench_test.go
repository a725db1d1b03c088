package runner

import (
	"encoding/json"
	"fmt"
	"iter"
	"net/netip"
	"os"
	"path/filepath"
	"runtime/debug"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/delivery"
	"github.com/fleetmark/fleetmark/delivery/rollout"
	"github.com/fleetmark/fleetmark/internal/childproc"
	"github.com/fleetmark/fleetmark/internal/osinfo"
	"github.com/fleetmark/fleetmark/mockfleet"
	"github.com/fleetmark/fleetmark/mockfleet/address"
	"github.com/fleetmark/fleetmark/scenarios"
	"github.com/fleetmark/fleetmark/scenarios/target"
)

// These benchmarks measure the resident memory of a driver whose fleet is in another process.

// benchFleet starts a number of good devices in another process, so that this process holds nothing
// of them.
func benchFleet(b *testing.B, devices int) (ready mockfleet.Ready) {
	s := scenarios.Default()
	s.Fleet.Devices = devices
	child, err := childproc.StartChild([]string{"/usr/bin/env", asFleet + "=1", os.Args[0]}, os.Stderr, time.Minute)
	require.NoError(b, err)
	b.Cleanup(func() { require.NoError(b, child.Close()) })
	require.NoError(b, child.Send(s))
	require.NoError(b, json.Unmarshal(<-child.Lines(), &ready))
	return ready
}

// oneByOne yields devices as a database would, so that no list of them is in memory.
func oneByOne(base string, a address.Mode, devices int) iter.Seq[delivery.Device] {
	return func(yield func(delivery.Device) bool) {
		for i := range devices {
			at, err := address.DeviceAddress(base, a, netip.Prefix{}, i)
			if err != nil || !yield(delivery.Device{ID: address.DeviceID(i), Address: at}) {
				return
			}
		}
	}
}

// BenchmarkMillionDevices is a rollout to a million devices, which are yielded one by one, with a
// new connection to each and a journal. One operation is the whole rollout and takes minutes: use
// -benchtime 1x.
func BenchmarkMillionDevices(b *testing.B) {
	const devices = 1_000_000
	artifact, err := delivery.ArtifactFromBytes(make([]byte, 1<<10))
	require.NoError(b, err)
	base := benchFleet(b, devices).Address
	for n := 0; b.Loop(); n++ {
		update, err := delivery.NewUpdate(fmt.Sprintf("2.0.%d", n), artifact)
		require.NoError(b, err)
		client, err := delivery.New(delivery.Config{})
		require.NoError(b, err)
		debug.FreeOSMemory()
		osinfo.ResetPeakResident()
		sequence := oneByOne(base, address.DefaultMode(), devices)
		report, err := rollout.Run(b.Context(), client, sequence, update, rollout.Options{
			Journal: rollout.Journal{Path: filepath.Join(b.TempDir(), "journal")},
		})
		require.NoError(b, err)
		require.Equal(b, devices, report.Updated, "%v", report)
		require.GreaterOrEqual(b, client.Stats().Dials, uint64(devices))
		client.Close()
		if peak := osinfo.PeakResident(); peak > 0 { // 0 if the system doesn't report it
			b.ReportMetric(float64(peak), "peak-rss-B")
		}
	}
}

// BenchmarkGigabyteStream is one push of 1 GiB. rss-growth-B is the largest growth of resident
// memory during the push.
func BenchmarkGigabyteStream(b *testing.B) {
	const size = 1 << 30
	path := filepath.Join(b.TempDir(), "firmware.bin")
	require.NoError(b, os.WriteFile(path, nil, 0o600))
	require.NoError(b, os.Truncate(path, size)) // a file of holes takes no space on the disk
	artifact, err := delivery.OpenArtifact(b.Context(), path)
	require.NoError(b, err)
	defer func() { require.NoError(b, artifact.Close()) }()
	for _, transport := range []delivery.Transport{delivery.Lean, delivery.NetHTTP} {
		b.Run(string(transport), func(b *testing.B) {
			device := must(target.ListDevices(benchFleet(b, 1).Address, address.DefaultMode(), netip.Prefix{}, address.Shard{}, 1)).At(0)
			client, err := delivery.New(delivery.Config{Transport: transport})
			require.NoError(b, err)
			defer client.Close()
			b.SetBytes(size)
			var growth uint64
			for n := 0; b.Loop(); n++ {
				update, err := delivery.NewUpdate(fmt.Sprintf("%s-%d", transport, n), artifact)
				require.NoError(b, err)
				// Allocate beforehand what any operation needs. The device doesn't have the update yet.
				require.ErrorIs(b, client.Verify(b.Context(), device, update), delivery.ErrLacksUpdate)
				debug.FreeOSMemory()
				osinfo.ResetPeakResident()
				before := osinfo.PeakResident()
				require.NoError(b, client.Push(b.Context(), device, update))
				growth = max(growth, osinfo.PeakResident()-before)
			}
			if osinfo.PeakResident() > 0 { // 0 if the system doesn't report it
				b.ReportMetric(float64(growth), "rss-growth-B")
			}
		})
	}
}
