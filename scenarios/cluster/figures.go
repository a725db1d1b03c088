package cluster

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/fleetmark/fleetmark/internal/hdr"
	"github.com/fleetmark/fleetmark/results"
	"github.com/fleetmark/fleetmark/scenarios/portion"
)

// figures add up what one agent measured in the timed repetitions. A histogram takes 192 KiB, and
// there may be thousands of agents, so those of figures are encoded.
type figures struct {
	response, queued, timer []byte // histograms of the operation that the load asks for; nil if there is none

	operations     int64
	counts         *results.Counts
	rates, planned []float64 // per second, one for each repetition
	cpu            time.Duration
	window         time.Duration
	sent, received uint64 // bytes
	trafficKnown   bool
}

func newFigures() *figures { return &figures{trafficKnown: true} }

// A histogramSum adds up encoded histograms of times up to the same longest one.
type histogramSum struct {
	histogram *hdr.Histogram
	decoder   hdr.Decoder
	encoder   *hdr.Encoder
}

func newHistogramSum(longest time.Duration) *histogramSum {
	return &histogramSum{histogram: hdr.New(longest), encoder: hdr.NewEncoder()}
}

// of returns the sum of some histograms, which is valid until the next call. Empty ones are left
// out.
func (s *histogramSum) of(list ...[]byte) (*hdr.Histogram, error) {
	s.histogram.Reset()
	for _, encoded := range list {
		if len(encoded) == 0 {
			continue
		}
		if err := s.decoder.AddTo(s.histogram, encoded); err != nil {
			return nil, err
		}
	}
	return s.histogram, nil
}

// add adds more to an encoded histogram.
func (s *histogramSum) add(to *[]byte, more []byte) error {
	if *to == nil {
		*to = more
		return nil
	}
	h, err := s.of(*to, more)
	if err == nil {
		*to = bytes.Clone(s.encoder.Encode(h))
	}
	return err
}

// addFigures adds what each driver measured in a timed repetition to its figures. All rates are
// those of the window that the drivers have in common.
func (r *session) addFigures(list []*portion.Portion) error {
	var window time.Duration
	for _, p := range list {
		if window = max(window, time.Duration(p.ElapsedNS)); p.Operations.PlanNS > 0 {
			window = time.Duration(p.Operations.PlanNS)
			break
		}
	}
	sum := newHistogramSum(r.shape.Longest)
	for i, m := range r.drivers {
		if err := m.figures.add(list[i], window, sum); err != nil {
			return fmt.Errorf("agent %s: %w", m.Name, err)
		}
	}
	return nil
}

func (f *figures) add(p *portion.Portion, window time.Duration, sum *histogramSum) error {
	err := sum.add(&f.response, p.Times[len(p.Times)-1].Response)
	if l := p.Lateness; l != nil {
		err = errors.Join(err, sum.add(&f.queued, l.Queued), sum.add(&f.timer, l.Timer))
	}
	o := p.Operations
	f.operations += o.Succeeded + o.Failed
	if f.counts == nil {
		counts := p.Counts // not p's, which would keep all of p
		f.counts = &counts
	}
	*f.counts = f.counts.Worst(p.Counts)
	if p.Processes != nil {
		f.cpu += time.Duration(p.Processes.CPUNS)
	} else {
		f.cpu += time.Duration(p.Usage.CPUNS)
	}
	f.window += window
	if f.trafficKnown = f.trafficKnown && p.Traffic != nil; f.trafficKnown {
		f.sent, f.received = f.sent+p.Traffic.BytesWritten, f.received+p.Traffic.BytesRead
	}
	if window <= 0 { // there is no rate, and run.json couldn't hold an infinite one
		return err
	}
	succeeded := o.Succeeded
	if o.PlanNS > 0 {
		succeeded = o.SucceededInPlan
		f.planned = append(f.planned, float64(o.Planned)/window.Seconds())
	}
	f.rates = append(f.rates, float64(succeeded)/window.Seconds())
	return err
}

// addTo sets the figures of an agent. It leaves them 0 if no repetition was completed.
func (f *figures) addTo(a *results.Agent, sum *histogramSum) {
	if f.counts == nil {
		return
	}
	a.Counts, a.Operations = *f.counts, f.operations
	a.Rate, a.PlannedRate = median(f.rates), median(f.planned)
	if h, err := sum.of(f.response); err == nil { // no histogram of a portion that was added is an error
		a.P50NS, a.P99NS = h.ValueAtQuantile(50), h.ValueAtQuantile(99)
	}
	if h, err := sum.of(f.queued, f.timer); err == nil {
		a.LatenessP99NS = h.ValueAtQuantile(99)
	}
	if f.operations > 0 {
		a.CPUNSPerOp = float64(f.cpu) / float64(f.operations)
	}
	if f.trafficKnown && f.window > 0 {
		a.SentPerSecond, a.ReceivedPerSecond = float64(f.sent)/f.window.Seconds(), float64(f.received)/f.window.Seconds()
	}
}

// median returns the median of values, or 0 if there are none.
func median(values []float64) float64 {
	if len(values) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(values))
	n := len(sorted)
	return (sorted[(n-1)/2] + sorted[n/2]) / 2
}
