package timeline

import (
	"slices"
	"time"
)

// A Stall is a time in which operations waited and none ended, though ten or more would have ended at
// the repetition's mean rate. If fewer waited than usual, a part of that rate counts.
type Stall struct {
	Start, End time.Duration // after the start of the repetition's load
	Waiting    int64         // operations that waited at its end, sent or not
	After      float64       // the highest rate at which operations ended, of the three intervals after it
}

// stallOperations is how many operations must have been missing. With fewer, a pause may be chance.
const stallOperations = 10

// Stalls returns the stalls of a repetition, in order.
func Stalls(intervals []Interval) (list []Stall) {
	var ended, length float64
	var waiting []int64
	rated := len(intervals) // without a short last one, whose rate would be chance
	if endsShort(intervals) {
		rated--
	}
	for i := range intervals {
		v := &intervals[i]
		ended += float64(v.Succeeded + v.Failed)
		length += (v.End() - v.Start()).Seconds()
		waiting = append(waiting, v.InFlight+v.NotSent)
	}
	if ended == 0 || length == 0 {
		return nil
	}
	slices.Sort(waiting)
	usual := max(waiting[len(waiting)/2], 1)
	for i := 0; i < len(intervals); i++ {
		s := Stall{Start: intervals[i].Start()}
		for ; i < len(intervals) && stands(&intervals[i]); i++ {
			s.End, s.Waiting = intervals[i].End(), intervals[i].InFlight+intervals[i].NotSent
		}
		// At the end of a rollout few operations are left, and fewer end.
		share := min(1, float64(s.Waiting)/float64(usual))
		if (s.End-s.Start).Seconds()*ended/length*share < stallOperations {
			continue
		}
		for _, v := range intervals[min(i, rated):min(i+3, rated)] {
			if seconds := (v.End() - v.Start()).Seconds(); seconds > 0 {
				s.After = max(s.After, float64(v.Succeeded+v.Failed)/seconds)
			}
		}
		list = append(list, s)
	}
	return list
}

// stands reports whether nothing ended in the interval, although operations waited.
func stands(v *Interval) bool {
	return v.Succeeded == 0 && v.Failed == 0 && v.BrokenOff == 0 && v.InFlight+v.NotSent > 0
}
