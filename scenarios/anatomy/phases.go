package anatomy

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/fleetmark/fleetmark/delivery"
)

// Phases are how long the phases of an operation took, by the client's own timeline
// (delivery.Config.Observe), in nanoseconds: the medians of N operations. Medians need
// not add up to the median of the whole, which stands beside them.
type Phases struct {
	Kind
	N       int   `json:"n"`
	Prepare int64 `json:"prepare_ns"` // the request is made ready
	Connect int64 `json:"connect_ns"` // a connection is found, or opened
	Write   int64 `json:"write_ns"`   // the request is handed to the system
	Wait    int64 `json:"wait_ns"`    // until the answer's first byte
	Read    int64 `json:"read_ns"`    // until its last, and what it says is understood
	Whole   int64 `json:"whole_ns"`
	P99     int64 `json:"whole_p99_ns"` // 99th percentile of the whole
}

func (b *bench) phases(ctx context.Context, k Kind) (Phases, error) {
	lines := make([]delivery.Timeline, 0, b.operations)
	c, err := b.client(ctx, k, func(l delivery.Timeline) { lines = append(lines, l) })
	if err != nil {
		return Phases{}, err
	}
	defer c.Close()
	if err := b.run(ctx, c, k); err != nil {
		return Phases{}, err
	}
	return phasesOf(k, lines)
}

// phasesOf takes the medians. A connection that wasn't what the kind says, or a request
// that came twice, would be another kind's time.
func phasesOf(k Kind, lines []delivery.Timeline) (Phases, error) {
	p := Phases{Kind: k, N: len(lines)}
	var spans [6][]int64
	for _, l := range lines {
		if l.Reused == k.New {
			return Phases{}, fmt.Errorf("%s: a request went over another connection", k)
		}
		if l.Written.After(l.Answered) && !l.Answered.IsZero() {
			// net/http tells of a write from a goroutine of its own, which an answer may
			// overtake: the request was out by then.
			l.Written = l.Answered
		}
		ends := []time.Time{l.Begun, l.Prepared, l.Ready, l.Written, l.Answered, l.Ended}
		for i, end := range ends {
			if end.IsZero() || i > 0 && end.Before(ends[i-1]) {
				return Phases{}, fmt.Errorf("%s: a request's timeline has a gap: %+v", k, l)
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

// quantile is the smallest value that at least so many percent of the values are not above.
func quantile(values []int64, percent int) int64 {
	if len(values) == 0 {
		return 0
	}
	slices.Sort(values)
	return values[max(0, (len(values)*percent+99)/100-1)]
}
