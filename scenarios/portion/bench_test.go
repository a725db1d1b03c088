package portion_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/delivery"
	"github.com/fleetmark/fleetmark/results"
	"github.com/fleetmark/fleetmark/scenarios/load"
	"github.com/fleetmark/fleetmark/scenarios/portion"
)

// benchmarkShape is that of an open load of pushes: the fewest histograms that a plan has.
func benchmarkShape() portion.Shape {
	return portion.Shape{Ops: []delivery.Op{delivery.OpPush}, Planned: true, Longest: 100 * time.Second}
}

// randomTimes returns the times of so many operations, whose mean is a millisecond.
func randomTimes(s portion.Shape, operations int) *load.Latencies {
	rng := rand.New(rand.NewPCG(5, 6))
	l := load.NewLatencies(s.Planned, s.Longest)
	for range operations {
		service := time.Duration(1e6 * rng.ExpFloat64())
		l.Add(service+time.Duration(1e5*rng.ExpFloat64()), service)
	}
	return l
}

// intervalOf returns an interval of a second with so many operations.
func intervalOf(s portion.Shape, operations int) *load.Interval {
	return &load.Interval{
		End: time.Second, Planned: int64(operations), Sent: int64(operations), Succeeded: int64(operations),
		Times: []load.OpTimes{{Op: s.Ops[0], Latencies: randomTimes(s, operations)}},
	}
}

// eachSize runs a benchmark for several numbers of operations.
func eachSize(b *testing.B, f func(b *testing.B, operations int)) {
	for _, n := range []int{10, 100, 1000, 10_000} {
		b.Run(fmt.Sprintf("operations=%d", n), func(b *testing.B) { f(b, n) })
	}
}

// BenchmarkWriteInterval measures what an agent pays for an interval, and how large it is.
func BenchmarkWriteInterval(b *testing.B) {
	eachSize(b, func(b *testing.B, operations int) {
		v, w := intervalOf(benchmarkShape(), operations), portion.NewIntervalWriter()
		var text []byte
		b.ReportAllocs()
		for b.Loop() {
			text = w.Append(text[:0], v, nil)
		}
		b.ReportMetric(float64(len(text)), "B/interval")
	})
}

// BenchmarkReadInterval measures what the controller pays for an interval of an agent: reading and
// checking it.
func BenchmarkReadInterval(b *testing.B) {
	eachSize(b, func(b *testing.B, operations int) {
		s := benchmarkShape()
		text := portion.NewIntervalWriter().Append(nil, intervalOf(s, operations), nil)
		b.ReportAllocs()
		for b.Loop() {
			_, err := s.ReadInterval(text)
			require.NoError(b, err)
		}
	})
}

// BenchmarkAddInterval measures what the controller pays for an interval of an agent: adding it to
// those of others.
func BenchmarkAddInterval(b *testing.B) {
	eachSize(b, func(b *testing.B, operations int) {
		s := benchmarkShape()
		v, err := s.ReadInterval(portion.NewIntervalWriter().Append(nil, intervalOf(s, operations), nil))
		require.NoError(b, err)
		a := s.NewAdder()
		b.ReportAllocs()
		for b.Loop() {
			require.NoError(b, a.Add(v))
		}
	})
}

// BenchmarkPortion measures what the controller pays for an agent's portion, which it reads, checks
// and adds to the sum, and how large the portion is.
func BenchmarkPortion(b *testing.B) {
	for _, operations := range []int{1000, 100_000, 1_000_000} {
		b.Run(fmt.Sprintf("operations=%d", operations), func(b *testing.B) {
			s, e := benchmarkShape(), portion.NewEncoder()
			l, late, n := randomTimes(s, operations), load.NewLateness(s.Longest), int64(operations)
			for i := range operations {
				late.Add(0, time.Duration(i%1000)*time.Microsecond, false)
			}
			text, err := json.Marshal(&portion.Portion{
				Phase: "timed", Number: 1, LongestNS: int64(s.Longest), ElapsedNS: 1e9,
				Operations: results.Operations{Started: n, Succeeded: n},
				Times:      e.Times(s.Ops, map[delivery.Op]*load.Latencies{s.Ops[0]: l}), Lateness: e.Lateness(late),
				FailedTimes: e.Histogram(load.NewLatencies(false, s.Longest).Response),
				Counts:      results.Counts{Devices: operations, Updated: operations},
			})
			require.NoError(b, err)

			b.ReportAllocs()
			for b.Loop() {
				p, err := s.Read(text)
				require.NoError(b, err)
				_, err = s.Merge([]string{"a"}, []*portion.Portion{p})
				require.NoError(b, err)
			}
			b.ReportMetric(float64(len(text)), "B/portion")
		})
	}
}
