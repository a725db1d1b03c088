package portion

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/fleetmark/fleetmark/delivery"
	"github.com/fleetmark/fleetmark/internal/hdr"
	"github.com/fleetmark/fleetmark/scenarios/load"
)

// An Interval is what happened in one interval of an agent's load; see [load.Interval].
type Interval struct {
	StartNS int64 `json:"start_ns"` // nanoseconds after the load's start
	EndNS   int64 `json:"end_ns"`   // nanoseconds after the load's start

	Planned       int64            `json:"planned"`
	Sent          int64            `json:"sent"`
	Succeeded     int64            `json:"succeeded"`
	Failed        int64            `json:"failed"`
	BrokenOff     int64            `json:"broken_off"`
	Retries       int64            `json:"retries"`
	NotSent       int64            `json:"not_sent"`
	InFlight      int64            `json:"in_flight"`
	PlanNS        int64            `json:"plan_ns"` // length of the load's plan; 0 if there is none
	SucceededLate int64            `json:"succeeded_late"`
	Last          bool             `json:"last"` // the load is over
	Classes       map[string]int64 `json:"classes,omitempty"`

	// Counted is what the client has counted since the load began. It is nil if the client doesn't
	// count.
	Counted *Traffic `json:"counted,omitempty"`

	// LongestNS is the longest time that the histograms hold. Times are in the order of
	// load.Operations; an operation without successes is left out.
	LongestNS int64   `json:"longest_ns"`
	Times     []Times `json:"times,omitempty"`
}

// An IntervalWriter makes the JSON of an agent's intervals. It runs in the process that is
// measured: for each histogram it takes from 10 µs, with a few times, to half a millisecond, with
// thousands of different ones. It allocates nothing if dst has room and no operation failed. It
// isn't safe for concurrent use.
type IntervalWriter struct{ encoder *hdr.Encoder }

// NewIntervalWriter returns a writer.
func NewIntervalWriter() *IntervalWriter { return &IntervalWriter{hdr.NewEncoder()} }

// Append appends an interval to dst as a JSON object, and returns the extended buffer. counted is
// what the client has counted since the load began, or nil. Both are as runner.Options.OnInterval
// has them. [Shape.ReadInterval] reads the object.
func (w *IntervalWriter) Append(dst []byte, v *load.Interval, counted *delivery.Stats) []byte {
	for _, f := range [...]struct {
		key string
		n   int64
	}{
		{`{"start_ns":`, int64(v.Start)},
		{`,"end_ns":`, int64(v.End)},
		{`,"planned":`, v.Planned},
		{`,"sent":`, v.Sent},
		{`,"succeeded":`, v.Succeeded},
		{`,"failed":`, v.Failed},
		{`,"broken_off":`, v.BrokenOff},
		{`,"retries":`, v.Retries},
		{`,"not_sent":`, v.NotSent},
		{`,"in_flight":`, v.InFlight},
		{`,"plan_ns":`, int64(v.Plan)},
		{`,"succeeded_late":`, v.SucceededLate},
	} {
		dst = appendInt(dst, f.key, f.n)
	}
	dst = strconv.AppendBool(append(dst, `,"last":`...), v.Last)
	if len(v.Classes) > 0 {
		dst = append(dst, `,"classes":{`...)
		for i, class := range slices.Sorted(maps.Keys(v.Classes)) {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = appendInt(appendText(dst, class), ":", v.Classes[class])
		}
		dst = append(dst, '}')
	}
	if c := counted; c != nil {
		for _, f := range [...]struct {
			key string
			n   uint64
		}{
			{`,"counted":{"requests":`, c.Requests}, {`,"dials":`, c.Dials}, {`,"reused":`, c.Reused},
			{`,"bytes_written":`, c.BytesWritten}, {`,"bytes_read":`, c.BytesRead},
		} {
			dst = strconv.AppendUint(append(dst, f.key...), f.n, 10)
		}
		dst = append(dst, '}')
	}
	longest, some := int64(0), false
	for _, t := range v.Times {
		longest = int64(t.Response.Highest())
	}
	dst = appendInt(dst, `,"longest_ns":`, longest)
	for _, t := range v.Times {
		if t.Count == 0 {
			continue
		}
		if some {
			dst = append(dst, ',')
		} else {
			dst = append(dst, `,"times":[`...)
		}
		dst, some = w.appendTimes(dst, t), true
	}
	if some {
		dst = append(dst, ']')
	}
	return append(dst, '}')
}

func (w *IntervalWriter) appendTimes(dst []byte, t load.OpTimes) []byte {
	dst = append(append(append(dst, `{"op":"`...), t.Op...), '"')
	dst = appendInt(dst, `,"count":`, t.Count)
	dst = appendInt(dst, `,"overflow":`, t.Overflow)
	dst = appendInt(dst, `,"sum_ns":`, t.Sum)
	dst = w.appendHistogram(append(dst, `,"response":"`...), t.Response)
	if t.Planned() {
		dst = w.appendHistogram(append(dst, `,"service":"`...), t.Service)
	}
	return append(dst, '}')
}

func (w *IntervalWriter) appendHistogram(dst []byte, h *hdr.Histogram) []byte {
	return append(base64.StdEncoding.AppendEncode(dst, w.encoder.Encode(h)), '"')
}

func appendInt(dst []byte, key string, n int64) []byte {
	return strconv.AppendInt(append(dst, key...), n, 10)
}

// appendText appends s as a JSON string.
func appendText(dst []byte, s string) []byte {
	text, err := json.Marshal(s)
	if err != nil { // no string makes Marshal fail
		panic("portion: " + err.Error())
	}
	return append(dst, text...)
}

// An Adder adds up the intervals of several agents. It isn't safe for concurrent use.
type Adder struct {
	shape   Shape
	decoder hdr.Decoder
	v       load.Interval
	times   []*load.Latencies
}

// NewAdder returns an adder of intervals.
func (s Shape) NewAdder() *Adder {
	a := &Adder{shape: s}
	for _, op := range s.Ops {
		l := load.NewLatencies(s.Planned, s.Longest)
		a.times = append(a.times, l)
		a.v.Times = append(a.v.Times, load.OpTimes{Op: op, Latencies: l})
	}
	return a
}

// Reset begins the next interval.
func (a *Adder) Reset() {
	a.v = load.Interval{Times: a.v.Times}
	for _, l := range a.times {
		l.Reset()
	}
}

// Add adds the counts and times of an agent's interval. It doesn't change when the sum begins and
// ends, and whether it is the last one. The interval must come from [Shape.ReadInterval]; otherwise
// Add may return an error, and the sum is of no use.
func (a *Adder) Add(v *Interval) error {
	to := &a.v
	to.Planned, to.Sent, to.Succeeded = to.Planned+v.Planned, to.Sent+v.Sent, to.Succeeded+v.Succeeded
	to.Failed, to.BrokenOff, to.Retries = to.Failed+v.Failed, to.BrokenOff+v.BrokenOff, to.Retries+v.Retries
	to.NotSent, to.InFlight = to.NotSent+v.NotSent, to.InFlight+v.InFlight
	to.Plan, to.SucceededLate = max(to.Plan, time.Duration(v.PlanNS)), to.SucceededLate+v.SucceededLate
	if to.Classes == nil && len(v.Classes) > 0 {
		to.Classes = map[string]int64{}
	}
	AddClasses(to.Classes, v.Classes)
	for i := range v.Times {
		t := &v.Times[i]
		at := slices.Index(a.shape.Ops, t.Op)
		if at < 0 {
			return fmt.Errorf("there is no operation %q in this load", t.Op)
		}
		if err := t.addTo(a.times[at], &a.decoder); err != nil {
			return err
		}
	}
	return nil
}

// Sum returns the sum. It is valid until the next call of Reset.
func (a *Adder) Sum() *load.Interval { return &a.v }
