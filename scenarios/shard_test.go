package scenarios

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/mockfleet/address"
)

func TestPartsAddUpToTheWhole(t *testing.T) {
	for _, row := range []struct {
		count, workers int
		want           []int
	}{
		{2, 32, []int{16, 16}},
		{3, 32, []int{11, 11, 10}},
		{7, 7, []int{1, 1, 1, 1, 1, 1, 1}},
		{7, 33, []int{5, 5, 5, 5, 5, 4, 4}},
		{3, 0, []int{0, 0, 0}}, // of an open load: as many as needed
	} {
		s := Default()
		s.Load.Workers, s.Fleet.Capacity, s.Shard.Count = row.workers, 1000, row.count
		var workers []int
		var capacity Rate
		most, devices := 0, 0
		for s.Shard.Index = range row.count {
			part := s.Part()
			workers, capacity = append(workers, part.Load.Workers), capacity+part.Fleet.Capacity
			most += part.Shard.Portion(mostAutoWorkers)
			devices += part.Devices()
			require.Equal(t, address.Shard{Index: s.Shard.Index, Count: row.count}, part.FleetConfig().Shard)
			require.Equal(t, 5000, part.FleetConfig().Devices)

			part.Load.Workers, part.Fleet.Capacity = s.Load.Workers, s.Fleet.Capacity
			require.Equal(t, s, part, "everything else is of the whole")
		}
		require.Equal(t, row.want, workers)
		require.InDelta(t, 1000, float64(capacity), 1e-9)
		require.Equal(t, 4096, most)
		require.Equal(t, 5000, devices)
	}
	for _, shard := range []ShardSpec{{}, {0, 1}} {
		s := Default()
		s.Shard, s.Fleet.Capacity = shard, 7
		require.Equal(t, s, s.Part())
	}
}

func TestShardsAreChecked(t *testing.T) {
	for _, row := range []struct{ text, want string }{
		{"shard: {index: 1, count: 2}", ""},
		{"shard: {count: 1}\nload: {model: rollout}", ""},
		{"shard: {count: 3}\nload: {model: once, workers: 3}\nfleet: {devices: 3}", ""},
		{"shard: {count: 5}\nload: {model: constant, rate: 10/s}", ""},
		{"shard: {index: 4, count: 6}\nfleet: {devices: 100000000}", ""},
		{"shard: {index: 2, count: 2}",
			"2:16: shard.index: 2: there are shards 0 to 1; want one of them, or a higher shard.count"},
		{"shard: {index: 1}", "2:16: shard.index: 1: there are shards 0 to 0; want"},
		{"shard: {count: 4097}", "2:16: shard.count: 4097: want 0 to 4096"},
		{"shard: {count: 3}\nload: {workers: 2}",
			"3:17: load.workers: 2: there are 3 shards; want a worker for each at least"},
		{"shard: {count: 33}", "2:16: load.workers: 32: there are 33 shards; want a worker for each at least"},
		{"shard: {count: 3}\nload: {model: constant, rate: 10/s, workers: 2}", "3:46: load.workers: 2: there are 3 shards"},
		{"shard: {count: 3}\nfleet: {devices: 2}",
			"3:18: fleet.devices: 2: there are 3 shards; want a device for each at least"},
		{"shard: {count: 2}\nfleet: {devices: 33423359, addressing: path}",
			"3:18: fleet.devices: 33423359: 2 shards in addressing path hold at most 33423358; want fewer devices"},
		{"shard: {count: 7}\nfleet: {devices: 100000001, addressing: path}",
			"3:18: fleet.devices: 100000001: 7 shards in addressing path hold at most 100000000; want fewer devices"},
		{"shard: {count: 2}\nload: {model: rollout}",
			"3:15: load.model: rollout with shards: one client leads a rollout through all devices; want another model"},
		{"shard: {count: 2}\nload: {model: breakpoint, rate: 10/s, breakpoint: {to: 20/s}}",
			"3:15: load.model: breakpoint with shards: each shard would find a limit of its own; want another model"},
		{"shard: {count: 2}\nload: {model: service}\nclient: {service: {start: [x], trigger: {command: [y]}, done: exit}}",
			"3:15: load.model: service with shards: a service updates all devices by itself; want another client"},
	} {
		_, err := Parse("x.yaml", []byte("name: x\n"+row.text+"\n"))
		if row.want == "" {
			require.NoError(t, err, row.text)
			continue
		}
		require.ErrorContains(t, err, "x.yaml:"+row.want)
		require.Len(t, SplitErrors(err), 1, "%v", err)
	}
}

// TestAWholeScenarioHasNoShard keeps the encoding of a whole scenario, and so its workload digest,
// as it was before there were shards.
func TestAWholeScenarioHasNoShard(t *testing.T) {
	s := Default()
	text, err := json.Marshal(s)
	require.NoError(t, err)
	require.NotContains(t, string(text), "shard")
	s.Shard = ShardSpec{1, 2}
	text, err = json.Marshal(s)
	require.NoError(t, err)
	require.Contains(t, string(text), `"shard":{"index":1,"count":2}`)
	require.Equal(t, s.Shard, s.Workload().Shard)
}
