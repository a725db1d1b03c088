package report_test

import (
	"math"
	"slices"
	"time"

	"github.com/fleetmark/fleetmark/results/timeline"
)

// A simulated operation has times after the start of its repetition's load.
type simulated struct {
	planned, sent, done time.Duration
	class               string // of its error; empty if it succeeded
	wave                int
}

// intervalsOf returns the intervals of a repetition, each as long as width.
func intervalsOf(repetition int, ops []simulated, width time.Duration, open bool) (list []timeline.Interval) {
	var last time.Duration
	for _, o := range ops {
		last = max(last, o.done)
	}
	began := time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC).Add(time.Duration(repetition) * time.Hour)
	for from := time.Duration(0); from <= last; from += width {
		to := from + width
		within := func(t time.Duration) bool { return t >= from && t < to }
		v := timeline.Interval{Repetition: repetition, Time: began.Add(from), StartNS: int64(from), EndNS: int64(to)}
		var took, service []time.Duration
		for _, o := range ops {
			if within(o.sent) {
				v.Sent++
				v.Wave = max(v.Wave, o.wave)
			}
			if open && within(o.planned) {
				v.Planned++
			}
			if open && o.planned < to && o.sent >= to {
				v.NotSent++
			}
			if o.sent < to && o.done >= to {
				v.InFlight++
			}
			switch {
			case !within(o.done):
			case o.class != "":
				v.Failed++
				if v.Classes == nil {
					v.Classes = map[string]int64{}
				}
				v.Classes[o.class]++
			default:
				v.Succeeded++
				took, service = append(took, o.done-o.planned), append(service, o.done-o.sent)
			}
		}
		for i, op := range []string{"push", "verify", "deliver"} {
			if len(took) == 0 {
				break
			}
			share := []float64{0.6, 0.4, 1}[i]
			o := timeline.Operation{Op: op, Count: v.Succeeded, Response: timesOf(took, share)}
			if open {
				s := timesOf(service, share)
				o.Service = &s
			}
			v.Operations = append(v.Operations, o)
		}
		list = append(list, v)
	}
	return list
}

// timesOf returns percentiles of a share of each time.
func timesOf(took []time.Duration, share float64) timeline.Times {
	slices.Sort(took)
	at := func(q float64) int64 {
		return int64(share * float64(took[int(math.Ceil(q*float64(len(took))))-1]))
	}
	return timeline.Times{P50NS: at(0.5), P90NS: at(0.9), P99NS: at(0.99), MaxNS: at(1)}
}

// wobble returns a number from 0 to 1 that looks random and is always the same.
func wobble(i int) float64 {
	_, fraction := math.Modf(math.Abs(math.Sin(float64(i)*12.9898)) * 43758.5453)
	return fraction
}

// openLoad returns operations at a rate. From begin to end of a stall none ends.
func openLoad(perSecond int, length, stallBegin, stallEnd time.Duration) (ops []simulated) {
	for i := range int(length.Seconds() * float64(perSecond)) {
		planned := time.Duration(i) * time.Second / time.Duration(perSecond)
		service := 2*time.Millisecond + time.Duration(wobble(i)*wobble(i+7)*float64(6*time.Millisecond))
		o := simulated{planned: planned, sent: planned, done: planned + service}
		if o.done >= stallBegin && o.done < stallEnd {
			o.done = stallEnd + service + time.Duration(i)*50*time.Microsecond
		}
		ops = append(ops, o)
	}
	return ops
}

// closedLoad returns operations of workers, each of which begins one when its last has ended.
func closedLoad(workers int, length, service time.Duration, failEach int) (ops []simulated) {
	for w := range workers {
		for at := time.Duration(0); at < length; {
			n := len(ops)
			o := simulated{planned: at, sent: at, done: at + service/2 + time.Duration(wobble(n+w)*float64(service))}
			if failEach > 0 && n%failEach == 0 {
				o.class = []string{"timeout", "refused", "integrity", "timeout"}[n/failEach%4]
			}
			at = o.done
			ops = append(ops, o)
		}
	}
	return ops
}

// rolloutLoad returns operations in three waves, with a pause after each of the first two.
func rolloutLoad() (ops []simulated) {
	at := time.Duration(0)
	for wave, size := range []int{40, 360, 1600} {
		begin, last := at, at
		for i := range size {
			sent := begin + time.Duration(i/16)*40*time.Millisecond
			o := simulated{planned: sent, sent: sent, wave: wave + 1,
				done: sent + 15*time.Millisecond + time.Duration(wobble(i)*float64(25*time.Millisecond))}
			if i%50 == 7 {
				o.class = "integrity"
			}
			last = max(last, o.done)
			ops = append(ops, o)
		}
		at = last + 2*time.Second
	}
	return ops
}
