package doctor

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"slices"
	"time"

	"github.com/aclements/go-moremath/stats"

	"github.com/fleetmark/fleetmark/mockfleet"
)

// clockCost is the median of some batches of readings: an interrupt in one is no cost of the clock.
func clockCost() time.Duration {
	const batches, readings = 21, 5000
	var costs []time.Duration
	for range batches {
		began := time.Now()
		for range readings {
			_ = time.Now()
		}
		costs = append(costs, time.Since(began)/readings)
	}
	slices.Sort(costs)
	return costs[batches/2]
}

const (
	timerWait  = time.Millisecond
	timerTurns = 500
	timerLimit = 2 * time.Second // a machine whose timers are very late has shown that by then
)

// timers waits a millisecond, again and again.
func timers(ctx context.Context) (Timer, error) {
	var late []time.Duration
	timer := time.NewTimer(timerWait)
	defer timer.Stop()
	for began := time.Now(); len(late) < timerTurns && time.Since(began) < timerLimit; {
		expected := time.Now().Add(timerWait)
		timer.Reset(timerWait)
		select {
		case <-timer.C:
			late = append(late, time.Since(expected))
		case <-ctx.Done():
			return Timer{}, ctx.Err()
		}
	}
	return summarize(late), nil
}

func summarize(late []time.Duration) Timer {
	slices.Sort(late)
	at := func(percent int) time.Duration { return late[(len(late)-1)*percent/100] }
	return Timer{P50: at(50), P99: at(99), Turns: len(late)}
}

// tryLoopback has a fleet of two answer as a run's would, and looks for ::1.
func tryLoopback(ctx context.Context) Loopback {
	addressing := mockfleet.DefaultAddressing()
	l := Loopback{Addressing: string(addressing)}
	if err := askSecond(ctx, addressing); err != nil {
		l.Refused = err.Error()
	}
	var config net.ListenConfig
	six, err := config.Listen(ctx, "tcp6", "[::1]:0")
	if err == nil {
		err = six.Close()
	}
	if err != nil {
		l.NoIPv6 = err.Error()
	}
	return l
}

// askSecond asks the second device of a fleet for its health: the first may have an
// address that every machine has.
func askSecond(ctx context.Context, addressing mockfleet.Addressing) (err error) {
	fleet, err := mockfleet.Start(ctx, mockfleet.Config{Devices: 2, Addressing: addressing})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, fleet.Close()) }()
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, fleet.DeviceAddress(1)+"/health", nil)
	if err != nil {
		return err
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	answer, err := client.Do(request)
	if err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, io.LimitReader(answer.Body, 1<<10))
	if answer.StatusCode != http.StatusOK {
		err = errors.Join(err, fmt.Errorf("GET /health answers %s", answer.Status))
	}
	return errors.Join(err, answer.Body.Close())
}

// Noise is a comparison of the machine with itself: blocks of the yardstick, by turns
// called A and B as if they were two versions. Whatever is found between them is noise.
type Noise struct {
	A []float64 `json:"a_ns"` // a block each, nanoseconds a round trip
	B []float64 `json:"b_ns"` // each right after its A
}

const (
	mostPairs  = 100
	leastPairs = 10
	noiseLimit = 8 * time.Second
)

// compare measures pairs of blocks, as many as there is time for, and some at least.
func compare(ctx context.Context, block func(context.Context) (float64, error)) (n Noise, err error) {
	for began := time.Now(); len(n.B) < leastPairs || len(n.B) < mostPairs && time.Since(began) < noiseLimit; {
		for _, to := range []*[]float64{&n.A, &n.B} {
			if err := ctx.Err(); err != nil {
				return n, err
			}
			ns, err := block(ctx)
			if err != nil {
				return n, err
			}
			*to = append(*to, ns)
		}
	}
	return n, nil
}

// logRatios are ln(B/A) of the pairs: what is twice as slow and what is twice as fast lie
// equally far from 0.
func (n Noise) logRatios() []float64 {
	list := make([]float64, 0, len(n.B))
	for i, b := range n.B {
		if i < len(n.A) && n.A[i] > 0 && b > 0 {
			list = append(list, math.Log(b/n.A[i]))
		}
	}
	return list
}

// Ratio is the median of B/A; 1 on a machine without noise, NaN without pairs.
func (n Noise) Ratio() float64 {
	list := n.logRatios()
	if len(list) == 0 {
		return math.NaN()
	}
	return math.Exp(stats.Sample{Xs: list}.Quantile(0.5))
}

// Spread is the standard deviation of the log ratios: about the share by which one block
// differs from the next. It is NaN for fewer than two pairs.
func (n Noise) Spread() float64 { return stats.StdDev(n.logRatios()) }

// How sure one wants to be: a change that isn't there is called one in a hundred times
// at most, and one that is there is found nine times in ten.
const (
	alpha = 0.01
	beta  = 0.10
)

// Detectable is the least change, as a share, that so many pairs of blocks could tell from noise.
// It is the difference d for which the two-sided t-test of paired log ratios has the power 1-beta,
//
//	d = (t(1-alpha/2, n-1) + t(1-beta, n-1)) * s / sqrt(n)
//
// which is the formula for the size of a sample, solved for the difference (NIST/SEMATECH
// e-Handbook of Statistical Methods, section 7.2.2.2). s is the spread that was found.
func (n Noise) Detectable(pairs int) float64 {
	if pairs < 2 {
		return math.Inf(1)
	}
	t := stats.InvCDF(stats.TDist{V: float64(pairs - 1)})
	d := (t(1-alpha/2) + t(1-beta)) * n.Spread() / math.Sqrt(float64(pairs))
	return math.Expm1(d)
}

// Differs reports whether the two-sided t-test finds A and B to differ, which they don't:
// that happens once in a hundred times, and more often where one block's noise is not
// independent of the next one's.
func (n Noise) Differs() bool {
	list := n.logRatios()
	if len(list) < 2 {
		return false
	}
	t := stats.InvCDF(stats.TDist{V: float64(len(list) - 1)})
	return math.Abs(stats.Mean(list)) > t(1-alpha/2)*n.Spread()/math.Sqrt(float64(len(list)))
}
