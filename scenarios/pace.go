package scenarios

import (
	"math"
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

func (p constantPace) at(n int64) time.Duration {
	return time.Duration(math.Round(float64(n) * float64(time.Second) / p.perSecond))
}

// pacer gives the load's pace, nil for the closed model, which has no plan.
func (l LoadSpec) pacer() pace {
	if l.Model == Constant {
		return constantPace{float64(l.Rate)}
	}
	return nil
}
