package scenarios

import (
	"math"
	"sort"
	"time"
)

// pace says when each operation of an open load is planned, counted from the
// start. It is a pure function of the operation's number, so that a table tests it
// without a clock, and so that any worker can work it out without asking another.
type pace interface {
	at(n int64) time.Duration // n from 0
}

// constantPace plans operations at equal distances.
type constantPace struct{ perSecond float64 }

// at is exact to a nanosecond or so, and never later than the last time that a
// time.Duration holds, in 292 years: at the smallest rates the second operation is
// planned beyond that.
func (p constantPace) at(n int64) time.Duration {
	ns := math.Round(float64(n) * float64(time.Second) / p.perSecond)
	if ns >= math.MaxInt64 {
		return math.MaxInt64
	}
	return time.Duration(ns)
}

// until is how many operations a pace plans before end.
func until(p pace, end time.Duration) int64 {
	n := sort.Search(math.MaxInt, func(n int) bool { return p.at(int64(n)) >= end })
	return int64(n)
}

// pacer gives the load's pace, nil for the closed model, which has no plan.
func (l LoadSpec) pacer() pace {
	if l.Model == Constant {
		return constantPace{float64(l.Rate)}
	}
	return nil
}
