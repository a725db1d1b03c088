package load

import (
	"context"
	"fmt"
	"math"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/delivery"
)

// witnessClient records when each operation reached it, and does nothing.
type witnessClient struct {
	nothing
	mu    sync.Mutex
	began time.Time
	sent  []time.Duration
}

func (w *witnessClient) Push(context.Context, delivery.Device, *delivery.Update) error {
	at := time.Since(w.began)
	w.mu.Lock()
	w.sent = append(w.sent, at)
	w.mu.Unlock()
	return nil
}

const ratesLast = 10 * time.Second

// eachRate calls test for each rate that must be kept, with even spacing and with Poisson arrivals.
func eachRate(test func(name string, rate float64, poisson bool)) {
	for _, poisson := range []bool{false, true} {
		for _, rate := range []float64{100, 1000, 10_000} {
			name := fmt.Sprintf("model=constant/rate=%v", rate)
			if poisson {
				name = fmt.Sprintf("model=poisson/rate=%v", rate)
			}
			test(name, rate, poisson)
		}
	}
}

// sentBy runs a load at a rate against a witnessClient, and returns the sorted times and the
// recording.
func sentBy(ctx context.Context, rate float64, poisson, systemClock bool) ([]time.Duration, *Recording) {
	w := &witnessClient{sent: make([]time.Duration, 0, int(1.1*rate*ratesLast.Seconds()))}
	x := ArrivalRate{Pacer: ConstantRate(rate), Workers: 64, Duration: ratesLast, Drain: time.Minute}
	if poisson {
		x.Pacer = Poisson{ConstantRate(rate)}
	}
	e := newEnv(x, delivery.OpPush, 1, w)
	e.SystemClock, e.OnReady = systemClock, func() { w.began = time.Now() }
	if _, err := x.Run(ctx, e); err != nil {
		panic(err)
	}
	slices.Sort(w.sent)
	return w.sent, e.Record
}

// TestRatesAreKept checks, with a fake clock, that as many operations are sent as planned, and that
// the gaps between them are all equal, or exponential (Kolmogorov-Smirnov test at 1%).
func TestRatesAreKept(t *testing.T) {
	eachRate(func(name string, rate float64, poisson bool) {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				sent, _ := sentBy(t.Context(), rate, poisson, false)
				planned := rate * ratesLast.Seconds()
				if !poisson {
					require.Len(t, sent, int(planned))
					for n, at := range sent {
						require.InDelta(t, float64(n)/rate*1e9, float64(at), 1)
					}
					return
				}
				// 99% of Poisson counts are within 2.58 times the square root of the mean.
				require.InDelta(t, planned, float64(len(sent)), 2.58*math.Sqrt(planned))
				require.Less(t, kolmogorov(gapsOf(sent), func(x float64) float64 { return 1 - math.Exp(-rate*x) }),
					1.63/math.Sqrt(float64(len(sent))))
			})
		})
	})
}

// gapsOf returns the distances between times, in seconds.
func gapsOf(sent []time.Duration) []float64 {
	gaps := make([]float64, 0, len(sent))
	for n := 1; n < len(sent); n++ {
		gaps = append(gaps, (sent[n] - sent[n-1]).Seconds())
	}
	return gaps
}

// BenchmarkRates reports how well this machine's clock and scheduler keep the rates: the rate that
// was achieved, relative to the planned one, how late operations were, and the distance between the
// distribution of their gaps and the intended one (0 to 1).
func BenchmarkRates(b *testing.B) {
	eachRate(func(name string, rate float64, poisson bool) {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				sent, record := sentBy(b.Context(), rate, poisson, true)
				_, lateness := record.Merge()
				b.ReportMetric(100*(float64(len(sent))/float64(record.dispatched.Load())-1), "%-off")
				b.ReportMetric(float64(lateness.All().ValueAtQuantile(50))/1e3, "late-p50-µs")
				b.ReportMetric(float64(lateness.All().ValueAtQuantile(99))/1e3, "late-p99-µs")
				if poisson {
					b.ReportMetric(kolmogorov(gapsOf(sent), func(x float64) float64 { return 1 - math.Exp(-rate*x) }), "distance")
				}
			}
		})
	})
}
