package opcost

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/fleetmark/fleetmark/delivery"
)

// Phases holds how long the phases of an operation took, by the client's own timeline
// (delivery.Config.Observe): the medians of N operations, in nanoseconds. The medians of the phases
// need not add up to the median of the whole.
type Phases struct {
	Variant
	N       int   `json:"n"`
	Prepare int64 `json:"prepare_ns"` // preparing the request
	Connect int64 `json:"connect_ns"` // finding a connection, or opening one
	Write   int64 `json:"write_ns"`   // handing the request to the system
	Wait    int64 `json:"wait_ns"`    // until the first byte of the answer
	Read    int64 `json:"read_ns"`    // until its last byte, and decoding it
	Whole   int64 `json:"whole_ns"`
	P99     int64 `json:"whole_p99_ns"` // 99th percentile of the whole
}

func (b *bench) phases(ctx context.Context, v Variant) (Phases, error) {
	timelines := make([]delivery.Timeline, 0, b.operations)
	c, err := b.newClient(ctx, v, func(l delivery.Timeline) { timelines = append(timelines, l) })
	if err != nil {
		return Phases{}, err
	}
	defer c.Close()
	if err := b.run(ctx, c, v, 0, b.operations); err != nil {
		return Phases{}, err
	}
	return phasesOf(v, timelines)
}

// phasesOf returns the medians of timelines. It returns an error if a request used another kind of
// connection than the variant says, or was sent twice, since its time would be that of another
// variant.
func phasesOf(v Variant, timelines []delivery.Timeline) (Phases, error) {
	p := Phases{Variant: v, N: len(timelines)}
	var spans [6][]int64
	for _, l := range timelines {
		if l.Reused == v.NewConnection {
			return Phases{}, fmt.Errorf("%s: a request went over another connection", v)
		}
		if l.Written.After(l.Answered) && !l.Answered.IsZero() {
			// net/http reports a write from a goroutine of its own, which the answer may overtake.
			// The request had been written by then.
			l.Written = l.Answered
		}
		ends := []time.Time{l.Begun, l.Prepared, l.Ready, l.Written, l.Answered, l.Ended}
		for i, end := range ends {
			if end.IsZero() || i > 0 && end.Before(ends[i-1]) {
				return Phases{}, fmt.Errorf("%s: a request's timeline has a gap: %+v", v, l)
			}
			if i > 0 {
				spans[i-1] = append(spans[i-1], int64(end.Sub(ends[i-1])))
			}
		}
		spans[5] = append(spans[5], int64(l.Ended.Sub(l.Begun)))
	}
	for i, to := range []*int64{&p.Prepare, &p.Connect, &p.Write, &p.Wait, &p.Read, &p.Whole} {
		*to = quantile(spans[i], 50)
	}
	p.P99 = quantile(spans[5], 99)
	return p, nil
}

// quantile returns the smallest of the values such that at least the given percentage of the values
// don't exceed it, or 0 if there are none. It sorts the values.
func quantile(values []int64, percent int) int64 {
	if len(values) == 0 {
		return 0
	}
	slices.Sort(values)
	return values[max(0, (len(values)*percent+99)/100-1)]
}
