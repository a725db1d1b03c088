package portion

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/fleetmark/fleetmark/delivery"
	"github.com/fleetmark/fleetmark/internal/hdr"
	"github.com/fleetmark/fleetmark/internal/plaintext"
	"github.com/fleetmark/fleetmark/scenarios/load"
)

// A Shape is what the portions and intervals of a run have in common.
type Shape struct {
	Ops     []delivery.Op // the operations whose times are recorded; the last is that of the load
	Planned bool          // whether response times differ from service times, and there is a Lateness
	Longest time.Duration // the longest time that histograms hold
}

// Bounds of what can be read.
const (
	maxPortion  = 64 << 20
	maxInterval = 4 << 20
	maxClasses  = load.MaxClasses + 1 // those that package load tells apart, and the rest
	maxFailures = maxClasses * load.FailuresPerClass
	maxTexts    = 1000 // notes, findings and contradictions
	maxDevices  = 1 << 31
	maxNS       = 1e18 // 30 years
)

// Read reads a portion, and checks that it can be right: that its histograms are those of the run,
// and that its counts add up. The error is a sentence that doesn't say whose portion it is.
func (s Shape) Read(data []byte) (*Portion, error) {
	if len(data) > maxPortion {
		return nil, fmt.Errorf("the portion has %d bytes: want at most %d", len(data), maxPortion)
	}
	p := &Portion{}
	if err := json.Unmarshal(data, p); err != nil {
		return nil, fmt.Errorf("the portion can't be read: %s", plaintext.Line(err.Error()))
	}
	return p, s.check(p)
}

// ReadInterval reads an interval, and checks it like Read.
func (s Shape) ReadInterval(data []byte) (*Interval, error) {
	if len(data) > maxInterval {
		return nil, fmt.Errorf("the interval has %d bytes: want at most %d", len(data), maxInterval)
	}
	v := &Interval{}
	if err := json.Unmarshal(data, v); err != nil {
		return nil, fmt.Errorf("the interval can't be read: %s", plaintext.Line(err.Error()))
	}
	return v, s.checkInterval(v)
}

// A checker notes the first thing that is wrong.
type checker struct {
	Shape
	decoder hdr.Decoder
	err     error
}

// want notes a mistake unless ok.
func (c *checker) want(ok bool, format string, args ...any) {
	if !ok && c.err == nil {
		c.err = fmt.Errorf(format, args...)
	}
}

// notNegative notes a count that is negative or too high to be added.
func (c *checker) notNegative(what string, counts ...int64) {
	for _, n := range counts {
		c.want(n >= 0 && n <= maxNS, "%s: %d is out of its range", what, n)
	}
}

// histogram notes that a histogram can't be right, or doesn't have so many times.
func (c *checker) histogram(what string, encoded []byte, count int64) {
	if c.err != nil {
		return
	}
	times, err := c.decoder.Count(encoded, c.Longest)
	if err != nil {
		c.err = fmt.Errorf("%s: %w", what, err)
		return
	}
	c.want(times == count, "%s: the histogram has %d times, of %d operations", what, times, count)
}

// classes notes that failures by class aren't so many.
func (c *checker) classes(what string, classes map[string]int64, failed int64) {
	c.want(len(classes) <= maxClasses, "%s: %d classes of failures: want at most %d", what, len(classes), maxClasses)
	sum := int64(0)
	for name, n := range classes {
		c.notNegative(what+": failures of class "+plaintext.Line(name), n)
		sum += n
	}
	c.want(sum == failed, "%s: %d operations failed, and %d by class", what, failed, sum)
}

func (c *checker) times(what string, t *Times) {
	what += string(t.Op)
	c.notNegative(what, t.Count, t.Overflow, t.SumNS)
	c.want(t.Overflow <= 2*t.Count, "%s: %d of %d times are too long: want no more than there are", what, t.Overflow,
		t.Count)
	c.histogram(what, t.Response, t.Count)
	switch {
	case c.Planned:
		c.histogram(what+"'s service times", t.Service, t.Count)
	default:
		c.want(len(t.Service) == 0, "%s: it has service times, and the load no plan", what)
	}
}

func (c *checker) longest(ns int64) {
	c.want(ns == int64(c.Longest), "its histograms are of times up to %v, those of the run up to %v: "+
		"run the same revision with the same scenario on every machine", time.Duration(ns), c.Longest)
}

// operations notes that times aren't those of the run's operations.
func (c *checker) operations(what string, list []Times) {
	for _, t := range list {
		c.want(slices.Contains(c.Ops, t.Op), "%sthere is no operation %q in this load", what, plaintext.Line(string(t.Op)))
	}
	c.want(slices.EqualFunc(list, c.Ops, func(t Times, op delivery.Op) bool { return t.Op == op }),
		"%swant the times of %v, in this order", what, c.Ops)
}

func (s Shape) check(p *Portion) error {
	c := &checker{Shape: s}
	c.want(p.Number >= 1, "repetition %d: want 1 or more", p.Number)
	c.longest(p.LongestNS)
	c.operations("", p.Times)
	if c.err != nil {
		return c.err
	}
	o := p.Operations
	c.notNegative("operations", o.Planned, o.Started, o.Succeeded, o.Failed, o.NotSent, o.BrokenOff, o.EndedInPlan,
		o.SucceededInPlan, p.Retries)
	c.notNegative("durations", o.PlanNS, o.DrainNS, p.ElapsedNS, p.MeanBusyNS, p.Usage.CPUNS)
	c.want(p.StartLateNS >= -maxNS && p.StartLateNS <= maxNS, "start: %d ns after the common one is out of its range",
		p.StartLateNS)
	c.notNegative("workers", int64(p.Workers), int64(p.InFlightPeak), p.NoPort, p.NoDescriptor)
	c.want(o.Started == o.Succeeded+o.Failed+o.BrokenOff,
		"%d operations were started, and %d succeeded, %d failed and %d were broken off",
		o.Started, o.Succeeded, o.Failed, o.BrokenOff)
	c.want(o.SucceededInPlan <= o.Succeeded && o.EndedInPlan <= o.Succeeded+o.Failed && o.SucceededInPlan <= o.EndedInPlan,
		"%d operations succeeded within the plan of %d, and %d ended of %d", o.SucceededInPlan, o.Succeeded, o.EndedInPlan, o.Succeeded+o.Failed)
	for i := range p.Times {
		c.times("", &p.Times[i])
	}
	whole := p.Times[len(p.Times)-1]
	c.want(whole.Count == o.Succeeded, "%d operations succeeded, and %d have a time", o.Succeeded, whole.Count)
	c.histogram("failed operations", p.FailedTimes, o.Failed)
	c.classes("failed operations", p.Classes, o.Failed)
	c.want(len(p.Failures) <= maxFailures, "%d sampled failures: want at most %d", len(p.Failures), maxFailures)
	for _, f := range p.Failures {
		c.want(f.Device >= 0 && f.Device <= maxDevices, "a failure of device %d: want a number from 0", f.Device)
	}
	c.want((p.Lateness != nil) == s.Planned, "the lateness of a load is there exactly if the load has a plan")
	if l := p.Lateness; l != nil && c.err == nil {
		sent := int64(0)
		for _, encoded := range [][]byte{l.Queued, l.Timer} {
			n, err := c.decoder.Count(encoded, s.Longest)
			if err != nil && c.err == nil {
				c.err = fmt.Errorf("lateness: %w", err)
			}
			sent += n
		}
		c.want(sent == o.Started, "%d operations were started, and %d have a lateness", o.Started, sent)
		c.notNegative("lateness", l.LastPlannedNS, l.LastSentNS)
	}
	n := p.Counts
	for _, devices := range []int{n.Devices, n.Updated, n.Failed, n.Lost, n.AppliedTwice} {
		c.want(devices >= 0 && devices <= n.Devices && n.Devices <= maxDevices, "devices: %v: want no more than there are", n)
	}
	c.want(n.Updated+n.Failed+n.Lost <= n.Devices, "devices: %v: want no more than there are", n)
	c.want(len(p.Notes)+len(p.Findings)+len(p.Contradictions) <= maxTexts,
		"%d notes, findings and contradictions: want at most %d",
		len(p.Notes)+len(p.Findings)+len(p.Contradictions), maxTexts)
	c.groups(p)
	return c.err
}

// groups checks the groups of a portion, which together are the whole.
func (c *checker) groups(p *Portion) {
	if len(p.Groups) == 0 {
		return
	}
	names, devices := map[string]bool{}, 0
	var succeeded, failed, brokenOff int64
	for i := range p.Groups {
		g := &p.Groups[i]
		what := "group " + plaintext.Line(g.Name)
		c.want(g.Name != "" && !names[g.Name], "%s: want a name that no other has", what)
		names[g.Name] = true
		c.notNegative(what, g.Succeeded, g.Failed, g.Retries, g.BrokenOff, int64(g.Counts.Devices))
		c.operations(what+": ", g.Times)
		if c.err != nil {
			return
		}
		for j := range g.Times {
			c.times(what+": ", &g.Times[j])
		}
		c.want(g.Times[len(g.Times)-1].Count == g.Succeeded, "%s: %d operations succeeded, and %d have a time",
			what, g.Succeeded, g.Times[len(g.Times)-1].Count)
		c.classes(what, g.Classes, g.Failed)
		devices, succeeded = devices+g.Counts.Devices, succeeded+g.Succeeded
		failed, brokenOff = failed+g.Failed, brokenOff+g.BrokenOff
	}
	o := p.Operations
	c.want(succeeded == o.Succeeded && failed == o.Failed && brokenOff == o.BrokenOff && devices == p.Counts.Devices,
		"the groups have %d devices and %d, %d and %d operations that succeeded, failed and were broken off, the whole %d, and %d, %d and %d",
		devices, succeeded, failed, brokenOff, p.Counts.Devices, o.Succeeded, o.Failed, o.BrokenOff)
}

func (s Shape) checkInterval(v *Interval) error {
	c := &checker{Shape: s}
	c.notNegative("interval", v.StartNS, v.EndNS, v.PlanNS)
	c.want(v.EndNS > v.StartNS || v.Last && v.EndNS == v.StartNS, "the interval ends at %v and begins at %v",
		time.Duration(v.EndNS), time.Duration(v.StartNS))
	c.notNegative("operations", v.Planned, v.Sent, v.Succeeded, v.Failed, v.BrokenOff, v.Retries, v.NotSent, v.InFlight,
		v.SucceededLate)
	c.want(v.SucceededLate <= v.Succeeded, "%d operations succeeded, and %d after the plan's end", v.Succeeded,
		v.SucceededLate)
	c.longest(v.LongestNS)
	next, last := 0, int64(0)
	for i := range v.Times {
		t := &v.Times[i]
		at := slices.Index(s.Ops, t.Op)
		c.want(at >= 0, "there is no operation %q in this load", plaintext.Line(string(t.Op)))
		c.want(at >= next && t.Count > 0, "want the times of %v in this order, without those of none", s.Ops)
		c.times("", t)
		if next = at + 1; next == len(s.Ops) {
			last = t.Count
		}
	}
	c.want(last == v.Succeeded, "%d operations succeeded, and %d have a time", v.Succeeded, last)
	c.classes("failed operations", v.Classes, v.Failed)
	return c.err
}
