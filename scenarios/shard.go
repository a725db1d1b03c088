package scenarios

import (
	"fmt"

	"github.com/fleetmark/fleetmark/mockfleet/address"
)

// ShardSpec says which part of the devices and of the planned operations a run does, if several do
// all of them together. Device n, and each operation for it, belongs to the shard with the index n
// modulo count. The zero value is all of them.
type ShardSpec struct {
	Index int `yaml:"index" json:"index"` // 0 to count-1
	Count int `yaml:"count" json:"count"` // how many shards there are; 0 is 1
}

// IsWhole reports whether the shard has all devices.
func (s ShardSpec) IsWhole() bool { return s.Fleet().IsWhole() }

// Fleet returns the shard as part of a fleet.
func (s ShardSpec) Fleet() address.Shard { return address.Shard(s) }

// Portion returns the shard's part of n workers. The parts of all shards add up to n; they differ
// by one at most, and the first shards have the larger ones.
func (s ShardSpec) Portion(n int) int { return s.Fleet().Len(n) }

// Part returns the scenario that a shard runs by itself: with its part of load.workers and of
// fleet.capacity. Everything else is of the whole scenario. It returns a scenario without a shard
// unchanged.
func (s Spec) Part() Spec {
	if !s.Shard.IsWhole() {
		s.Load.Workers = s.Shard.Portion(s.Load.Workers)
		s.Fleet.Capacity /= Rate(s.Shard.Count)
	}
	return s
}

// Devices returns how many devices the scenario's shard has.
func (s Spec) Devices() int { return s.Shard.Fleet().Len(s.Fleet.Devices) }

func checkShard(s *Spec, report reporter) {
	if last := max(1, s.Shard.Count) - 1; s.Shard.Index > last {
		problem := fmt.Sprintf("%d: there are shards 0 to %d;", s.Shard.Index, last)
		report("shard.index", problem, "one of them, or a higher shard.count")
	}
}

// checkShardModel reports a load model that shards can't share.
func checkShardModel(s *Spec, report reporter) {
	if s.Shard.IsWhole() {
		return
	}
	bad := func(why, want string) { report("load.model", string(s.Load.Model)+" with shards: "+why+";", want) }
	switch s.Load.Model {
	case Rollout:
		bad("one client leads a rollout through all devices", "another model, such as once, or no shard")
	case Breakpoint:
		bad("each shard would find a limit of its own", "another model, such as ramp, or no shard")
	case Service:
		bad("a service updates all devices by itself", "another client, or no shard")
	}
}

func checkShardWorkers(s *Spec, report reporter) {
	if n, count := s.Load.Workers, s.Shard.Count; !s.Shard.IsWhole() && n > 0 && n < count {
		report("load.workers", fmt.Sprintf("%d: there are %d shards;", n, count), "a worker for each at least")
	}
}

func checkShardDevices(s *Spec, report reporter) {
	n, count, addressing := s.Fleet.Devices, s.Shard.Count, s.Addressing()
	most := min(address.MaxDevices, count*addressing.Capacity())
	switch {
	case n < count:
		report("fleet.devices", fmt.Sprintf("%d: there are %d shards;", n, count), "a device for each at least")
	case n > most:
		problem := fmt.Sprintf("%d: %d shards in addressing %s hold at most %d;", n, count, addressing, most)
		report("fleet.devices", problem, "fewer devices")
	}
}
