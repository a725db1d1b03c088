package runner

import (
	"fmt"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/delivery"
	"github.com/fleetmark/fleetmark/mockfleet/address"
	"github.com/fleetmark/fleetmark/mockfleet/behavior"
	"github.com/fleetmark/fleetmark/results"
	"github.com/fleetmark/fleetmark/scenarios"
	"github.com/fleetmark/fleetmark/scenarios/load"
	"github.com/fleetmark/fleetmark/scenarios/target"
)

// allocated returns how many bytes f allocates.
func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

// TestAHundredMillionDevices checks that neither a merged run nor a shard allocates anything for
// the devices of other shards: with 100 million devices and 1,000 agents, a run is merged in less
// memory than a byte for each device, and an agent has memory for its 100,000 devices.
func TestAHundredMillionDevices(t *testing.T) {
	const devices, agents, own = address.MaxDevices, 1000, address.MaxDevices / 1000
	for _, model := range []scenarios.Model{scenarios.Once, scenarios.ConstantRate, scenarios.Poisson, scenarios.Burst} {
		t.Run(string(model), func(t *testing.T) {
			s := small()
			s.Repetitions, s.Warmup, s.Profiled = 1, 0, 0
			s.Fleet.Devices, s.Fleet.Addressing = devices, address.Path
			s.Fleet.Groups = []behavior.Group{{Name: "old", Share: 0.1}}
			s.Load = scenarios.LoadSpec{Model: model, Operation: delivery.OpPush}
			switch model {
			case scenarios.Once:
				s.Load.Workers = 4000
			case scenarios.Burst:
				s.Load.Burst.Size = 1 << 20
				s.Load.Burst.Every = scenarios.Duration(time.Second)
			default:
				s.Load.Rate = 1e6
			}
			o := mergeOptions(t, s, 0)
			for i := range agents {
				o.Agents = append(o.Agents, fmt.Sprint(i))
			}
			var planned int
			o.Observer = begun{discard{}, &planned}
			require.Less(t, allocated(func() {
				m, err := StartMerging(t.Context(), o)
				require.NoError(t, err)
				require.NoError(t, m.Begin(slices.Collect(Repetitions(s))[0], time.Now()))
				require.Equal(t, results.StatusInterrupted, m.Result().Run.Status)
				require.NoError(t, m.Finish(""))
			}), uint64(devices/2), "the controller")
			require.Equal(t, devices, planned)

			s.Shard = scenarios.ShardSpec{Index: 999, Count: agents}
			require.NoError(t, s.Validate())
			require.Less(t, allocated(func() {
				part := s.Part()
				shard := load.Shard{Index: 999, Count: agents, Devices: devices}
				expect := executorOf(part.Load, 0, shard, nil).Expect(part.Devices())
				require.EqualValues(t, own, expect.Operations)
				list, err := target.ListDevices("http://127.0.0.1:80", address.Path, part.FleetConfig().Network, part.Shard.Fleet(), devices)
				require.NoError(t, err)
				require.Equal(t, own, list.Len())
				require.Equal(t, "device-00000999", list.At(0).ID)
				require.Equal(t, "device-99999999", list.At(own-1).ID)
				require.Equal(t, "http://127.0.0.1:80/d/99999", list.At(own-1).Address)
				members := behavior.NewMembership(devices, part.Shard.Fleet(), s.Seed, s.Fleet.Groups)
				require.Equal(t, devices/10, members.WholeSize(0))
				require.InEpsilon(t, own/10, members.Size(0), 0.05)
			}), uint64(devices/2), "an agent")
		})
	}
}

// begun notes how many operations a repetition has.
type begun struct {
	Observer
	planned *int
}

func (b begun) Begin(r Repetition) { *b.planned = int(r.Planned) }
