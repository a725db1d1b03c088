package load

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestSearch(t *testing.T) {
	for name, row := range map[string]struct {
		from, to, tolerance float64
		limit               float64           // rates up to this one hold
		hiccup              map[int]bool      // numbers, from 1, of trials that fail although their rate holds
		tells               func(float64) int // how many times as long as usual a trial of a rate must be to be clear; nil: 1
		held, failed        float64           // 0: as close to the limit as tolerance says
		uncertain           bool
		most                int // the longest that all trials may take, in usual times
	}{
		"in the middle":         {from: 100, to: 10_000, tolerance: 0.05, limit: 1234, most: 20},
		"exactly":               {from: 100, to: 10_000, tolerance: 0.001, limit: 777.7, most: 30},
		"at the lowest":         {from: 100, to: 10_000, tolerance: 0.05, limit: 100, most: 20},
		"below the lowest":      {from: 100, to: 10_000, tolerance: 0.05, limit: 99, held: -1, failed: 100, most: 2},
		"above the highest":     {from: 100, to: 10_000, tolerance: 0.05, limit: 1e9, held: 10_000, failed: -1, most: 8},
		"between two doublings": {from: 100, to: 150, tolerance: 0.05, limit: 120, most: 12},
		"one hiccup": {from: 100, to: 10_000, tolerance: 0.05, limit: 1234,
			hiccup: map[int]bool{1: true, 4: true}, most: 22},
		// 15 rates are tried for 1+2+4 times the usual time, and those above the limit for 4 more.
		"hard to tell": {from: 100, to: 10_000, tolerance: 0.05, limit: 1234, most: 15 * 11,
			tells: func(float64) int { return 4 }},
		"hard to tell at the limit": {from: 100, to: 10_000, tolerance: 0.05, limit: 1234, tells: func(rate float64) int {
			if rate > 1150 && rate < 1350 {
				return 8
			}
			return 1
		}, most: 20 + 5*23},
		"not to be told from half the limit": {from: 100, to: 10_000, tolerance: 0.05, limit: 1234,
			tells: func(rate float64) int {
				if rate > 600 {
					return 9
				}
				return 1
			}, held: 600, failed: 600, uncertain: true, most: 12 + 6*15},
		"not to be told": {from: 100, to: 10_000, tolerance: 0.05, limit: 1234, tells: func(float64) int { return 9 },
			held: -1, failed: 100, uncertain: true, most: 1 + 2 + 4 + 8},
		"exceeded once, and then not to be told": {from: 100, to: 10_000, tolerance: 0.05, limit: 1234,
			hiccup: map[int]bool{1: true},
			tells:  func(float64) int { return 9 }, held: -1, failed: 100, uncertain: true, most: 1 + 1 + 2 + 4 + 8},
	} {
		t.Run(name, func(t *testing.T) {
			s := &Search{From: row.from, To: row.to, Tolerance: row.tolerance}
			tries, sum := 0, 0
			for rate, times, ok := s.Next(); ok; rate, times, ok = s.Next() {
				tries, sum = tries+1, sum+times
				require.Less(t, tries, 100)
				require.GreaterOrEqual(t, rate, row.from)
				require.LessOrEqual(t, rate, row.to)
				outcome := Held
				if rate > row.limit {
					outcome = Exceeded
				}
				if row.tells != nil && times < row.tells(rate) {
					outcome = Unclear
				}
				if row.hiccup[tries] {
					outcome = Exceeded
				}
				s.Report(outcome)
			}
			require.LessOrEqual(t, sum, row.most)
			require.Equal(t, row.uncertain, s.Uncertain)
			switch {
			case row.held == -1:
				require.Zero(t, s.Held)
				require.Equal(t, row.failed, s.Failed)
			case row.failed == -1:
				require.Zero(t, s.Failed)
				require.Equal(t, row.held, s.Held)
			default:
				limit := row.limit
				if row.held > 0 {
					limit = row.held
				}
				require.LessOrEqual(t, s.Held, limit)
				require.Greater(t, s.Failed, limit)
				require.LessOrEqual(t, s.Failed/s.Held, 1+row.tolerance)
			}
		})
	}
}

// A busyMachine simulates a driver and a fleet that each lose their processor now and then: four
// times a second on average, for 60 ms on average.
type busyMachine struct{ random *rand.Rand }

// pauses returns the times at which a process has no processor, in so many seconds: the beginning
// and the end of each pause.
func (b busyMachine) pauses(seconds float64) (list [][2]float64) {
	for at := b.random.ExpFloat64() / 4; at < seconds; {
		end := at + b.random.ExpFloat64()*0.06
		list = append(list, [2]float64{at, end})
		at = end + b.random.ExpFloat64()/4
	}
	return list
}

// resumed returns the first time from at on that isn't in a pause.
func resumed(pauses [][2]float64, at float64) float64 {
	i := slices.IndexFunc(pauses, func(p [2]float64) bool { return p[0] <= at && at < p[1] })
	if i < 0 {
		return at
	}
	return pauses[i][1]
}

// try returns the growth of response times at a rate, for a fleet that can answer limit operations
// per second.
func (b busyMachine) try(rate, limit float64, lasts time.Duration) Growth {
	driver, fleet := b.pauses(lasts.Seconds()+5), b.pauses(lasts.Seconds()+5)
	trend := NewTrend(lasts)
	free := 0.0 // when the fleet will have answered all earlier operations
	for n := range int(rate * lasts.Seconds()) {
		planned := float64(n) / rate
		answered := max(free, resumed(fleet, resumed(driver, planned)))
		free = answered + 1/limit
		done := resumed(driver, resumed(fleet, answered)) + b.random.ExpFloat64()*0.0003
		trend.Operation(time.Duration(planned*1e9), time.Duration((done-planned)*1e9), true)
	}
	return trend.Growth()
}

// TestSearchOnABusyMachine checks that trials of 300 ms hardly ever find a limit that is much too
// high, on a machine whose pauses, of 60 ms, are as long as operations at 1.2 times the limit wait.
// At most four of 200 searches may, and most must find the limit. The pauses alone take a fifth of
// the fleet's time.
func TestSearchOnABusyMachine(t *testing.T) {
	const limit, usual, searches = 200, 300 * time.Millisecond, 200
	machine := busyMachine{rand.New(rand.NewPCG(1, 2))}
	tooHigh, found := 0, 0
	for range searches {
		s := &Search{From: 70, To: 6400, Tolerance: 0.05}
		for rate, times, ok := s.Next(); ok; rate, times, ok = s.Next() {
			s.Report(machine.try(rate, limit, time.Duration(times)*usual).Outcome(s.Tolerance))
		}
		switch {
		case s.Held > 1.1*limit:
			tooHigh++
		case s.Held > 0.7*limit && !s.Uncertain:
			found++
		}
	}
	require.LessOrEqual(t, tooHigh, 4)
	require.Greater(t, found, searches/2)
	t.Logf("too high: %d, found: %d", tooHigh, found)
}
