package mockfleet

import (
	"bytes"
	"cmp"
	"encoding/json"
	"runtime"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/internal/testenv"
	"github.com/fleetmark/fleetmark/mockfleet/address"
	"github.com/fleetmark/fleetmark/mockfleet/behavior"
	"github.com/fleetmark/fleetmark/mockfleet/ledger"
	"github.com/fleetmark/fleetmark/mockfleet/random"
)

// TestShardsAreTheWholeFleet checks that a client of each device of each shard sees what it would
// see of the whole fleet, and that the shards' ledgers together are the whole fleet's, with every
// kind of fault.
func TestShardsAreTheWholeFleet(t *testing.T) {
	if runtime.GOOS != "linux" {
		return // ip addressing exists on Linux only
	}
	const devices, workers = 150, 32
	seeds := 2
	if testenv.Raced {
		seeds = 1 // the detector sees no more with another
	}
	for seed := range uint64(seeds) {
		want := outcomes(t, seed+1, devices, workers, address.Shard{})
		for _, count := range []int{1, 2, 3, 7} {
			lines := make([][]byte, devices)
			for index := range count {
				s := address.Shard{Index: index, Count: count}
				i := 0
				for line := range bytes.Lines(outcomes(t, seed+1, devices, workers, s)) {
					lines[s.Number(i)] = line
					i++
				}
			}
			requireSameLines(t, want, bytes.Join(lines, nil))
		}
	}
}

// TestShardsTakeTheSameDevicesOffline checks that the shards of a fleet have the whole fleet's
// groups, and together take those devices offline that the whole fleet would.
func TestShardsTakeTheSameDevicesOffline(t *testing.T) {
	const devices = 101
	groups := groupsOf(0.1, 1.0/3, 0.07)
	type outcome struct {
		id, group string
		offline   bool
	}
	look := func(t *testing.T, s address.Shard, seed uint64, of string, share random.Share) (list []outcome, offline int) {
		f := startFleet(t, Config{Devices: devices, Shard: s, Addressing: address.Path, Seed: seed, Groups: groups})
		defer func() { require.NoError(t, f.Close()) }()
		offline, err := f.SetOffline(of, share)
		require.NoError(t, err)
		entries, err := f.Find(ledger.Query{All: true})
		require.NoError(t, err)
		size := map[string]int{}
		for e := range entries {
			list = append(list, outcome{e.ID, e.Group, e.Stage == ledger.StageOffline})
			size[e.Group]++
		}
		for _, g := range f.Groups() {
			require.Equal(t, size[g.Name], g.Devices)
		}
		return list, offline
	}
	sizes := map[string]int{"all": devices, groups[0].Name: 10, groups[1].Name: 34, groups[2].Name: 7, behavior.RestGroup: 50}
	for _, of := range []string{behavior.AllGroups, groups[1].Name, behavior.RestGroup} {
		for _, share := range []random.Share{0, 0.29, 0.5, 1} {
			for seed := range uint64(3) {
				want, all := look(t, address.Shard{}, seed, of, share)
				require.InDelta(t, float64(share)*float64(sizes[of]), all, 0.5)
				for _, count := range []int{1, 2, 3, 7} {
					var got []outcome
					sum := 0
					for index := range count {
						part, offline := look(t, address.Shard{Index: index, Count: count}, seed, of, share)
						got, sum = append(got, part...), sum+offline
					}
					slices.SortFunc(got, func(a, b outcome) int { return cmp.Compare(a.id, b.id) })
					require.Equal(t, want, got, "%s %v seed %d in %d", of, share, seed, count)
					require.Equal(t, all, sum)
				}
			}
		}
	}
}

func TestAShardReportsWhichItIs(t *testing.T) {
	f := startFleet(t, Config{Devices: 10, Shard: address.Shard{Index: 1, Count: 3}, Addressing: address.Path})
	s := f.Status()
	require.Equal(t, address.Shard{Index: 1, Count: 3}, s.Shard)
	require.EqualValues(t, 3, s.Devices)
	require.EqualValues(t, 10, s.WholeDevices)
	require.Equal(t, f.DeviceAddress(2), f.Ready().Address+"/d/2")
	require.Empty(t, f.DeviceAddress(3))
	d, err := f.Device(2)
	require.NoError(t, err)
	require.Equal(t, 2, d.Device)
	require.Equal(t, "device-00000007", d.ID)

	whole, err := json.Marshal(startFleet(t, Config{Devices: 10, Addressing: address.Path}).Status())
	require.NoError(t, err)
	require.NotContains(t, string(whole), "shard")
}
