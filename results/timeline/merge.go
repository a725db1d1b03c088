package timeline

import (
	"slices"
	"time"
)

// Merge returns intervals in which each group of n neighbors is one, so that they can be shown
// where there is little room. Their counts are the sums of their neighbors. What was not sent or in
// flight, and each percentile, is the highest of the neighbors, because percentiles have no mean.
func Merge(intervals []Interval, n int) []Interval {
	if n <= 1 {
		return intervals
	}
	merged := make([]Interval, 0, (len(intervals)+n-1)/n)
	for group := range slices.Chunk(intervals, n) {
		v := group[0]
		v.Classes, v.Operations = nil, nil
		if group[0].Bytes != nil {
			v.Bytes = &Bytes{}
		}
		v.Planned, v.Sent, v.Succeeded, v.Failed, v.BrokenOff, v.Retries = 0, 0, 0, 0, 0, 0
		for i := range group {
			mergeInto(&v, &group[i])
		}
		merged = append(merged, v)
	}
	return merged
}

// JoinEnd returns intervals in which the last one is merged into the one before it, if it is shorter
// than half of that. A load that was broken off ends with such an interval, and one operation in a
// millisecond would be drawn as 1,000 a second.
func JoinEnd(intervals []Interval) []Interval {
	if !endsShort(intervals) {
		return intervals
	}
	n := len(intervals) - 2
	return append(slices.Clone(intervals[:n]), Merge(intervals[n:], 2)...)
}

// endsShort reports whether the last interval is shorter than half of the one before it.
func endsShort(intervals []Interval) bool {
	n := len(intervals)
	if n < 2 {
		return false
	}
	length := func(v *Interval) time.Duration { return v.End() - v.Start() }
	return length(&intervals[n-1]) < length(&intervals[n-2])/2
}

func mergeInto(v, o *Interval) {
	v.EndNS, v.Wave = o.EndNS, o.Wave
	v.Planned, v.Sent = v.Planned+o.Planned, v.Sent+o.Sent
	v.Succeeded, v.Failed = v.Succeeded+o.Succeeded, v.Failed+o.Failed
	v.BrokenOff, v.Retries = v.BrokenOff+o.BrokenOff, v.Retries+o.Retries
	v.NotSent, v.InFlight = max(v.NotSent, o.NotSent), max(v.InFlight, o.InFlight)
	if v.Bytes != nil && o.Bytes != nil {
		v.Bytes.Written, v.Bytes.Read = v.Bytes.Written+o.Bytes.Written, v.Bytes.Read+o.Bytes.Read
	}
	for class, count := range o.Classes {
		if v.Classes == nil {
			v.Classes = make(map[string]int64)
		}
		v.Classes[class] += count
	}
	for _, op := range o.Operations {
		i := slices.IndexFunc(v.Operations, func(p Operation) bool { return p.Op == op.Op })
		if i < 0 {
			op.Service = clone(op.Service)
			v.Operations = append(v.Operations, op)
			continue
		}
		p := &v.Operations[i]
		p.Count += op.Count
		highest(&p.Response, op.Response)
		if p.Service != nil && op.Service != nil {
			highest(p.Service, *op.Service)
		}
	}
}

func clone(t *Times) *Times {
	if t == nil {
		return nil
	}
	c := *t
	return &c
}

func highest(t *Times, o Times) {
	t.P50NS, t.P90NS = max(t.P50NS, o.P50NS), max(t.P90NS, o.P90NS)
	t.P99NS, t.MaxNS = max(t.P99NS, o.P99NS), max(t.MaxNS, o.MaxNS)
}
