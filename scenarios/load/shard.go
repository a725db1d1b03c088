package load

import (
	"iter"
	"math"
	"time"
)

// A Shard is the part of a load that one of several processes does. Together they do exactly what
// one process would do with all devices.
//
// Devices are numbered from 0 over all shards. Device d belongs to the shard with the index d
// modulo Count, and the Devices of a shard's [Env] are its own, in order. Operation n of the whole
// plan is for device n modulo Devices. It belongs to the shard of that device, and keeps its
// planned time. The zero Shard does everything.
type Shard struct {
	Index   int // 0 to Count-1
	Count   int // how many shards there are; 0 is 1
	Devices int // how many devices all shards have together; at least Count. Not used if Count is below 2
}

func (s Shard) isWhole() bool { return s.Count <= 1 }

// all returns how many devices all shards have, if this one has so many.
func (s Shard) all(devices int) int {
	if s.isWhole() {
		return devices
	}
	return s.Devices
}

// before returns how many of the first n devices belong to the shard.
func (s Shard) before(n int64) int64 {
	return max(0, n-int64(s.Index)+int64(s.Count)-1) / int64(s.Count)
}

// worker returns the number of the shard's i-th worker, another for each worker of all shards.
func (s Shard) worker(i int) int { return s.Index + i*max(1, s.Count) }

// operation returns the number in the whole plan of the shard's k-th operation, counted from 0. It
// returns false if there is no such number.
func (s Shard) operation(k int64) (n int64, ok bool) {
	own, all := s.before(int64(s.Devices)), int64(s.Devices)
	if k/own > math.MaxInt64/all-1 {
		return 0, false
	}
	return k/own*all + k%own*int64(s.Count) + int64(s.Index), true
}

// operations returns how many of the whole plan's first n operations are the shard's.
func (s Shard) operations(n int64) int64 {
	own, all := s.before(int64(s.Devices)), int64(s.Devices)
	return n/all*own + s.before(n%all)
}

// arrivals yields the planned times of the shard's operations, in order.
func (s Shard) arrivals(p Pacer, seed uint64) iter.Seq[time.Duration] {
	if s.isWhole() {
		return p.Arrivals(seed)
	}
	if p, ok := p.(interface{ At(int64) time.Duration }); ok {
		return func(yield func(time.Duration) bool) {
			for k := int64(0); ; k++ {
				n, ok := s.operation(k)
				if !ok {
					return
				}
				if planned := p.At(n); planned == never || !yield(planned) {
					return
				}
			}
		}
	}
	return func(yield func(time.Duration) bool) {
		device := 0
		for planned := range p.Arrivals(seed) {
			if device%s.Count == s.Index && !yield(planned) {
				return
			}
			if device++; device == s.Devices {
				device = 0
			}
		}
	}
}

// countBy returns how many of the shard's operations p plans before end, but no more than most.
func (s Shard) countBy(p Pacer, end time.Duration, most int64) (n int64) {
	if s.isWhole() {
		return countBy(p, end, most)
	}
	if p, ok := p.(interface{ CountBy(time.Duration) int64 }); ok {
		return min(most, s.operations(p.CountBy(end)))
	}
	for planned := range s.arrivals(p, 0) {
		if planned >= end || n == most {
			break
		}
		n++
	}
	return n
}

// rateAt returns the shard's part of the planned operations per second over time, or nil if p has
// no rate.
func (s Shard) rateAt(p Pacer) func(time.Duration) float64 {
	whole := rateAt(p)
	if s.isWhole() || whole == nil {
		return whole
	}
	part := float64(s.before(int64(s.Devices))) / float64(s.Devices)
	return func(at time.Duration) float64 { return part * whole(at) }
}
