package portion

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/delivery"
	"github.com/fleetmark/fleetmark/internal/hdr"
	"github.com/fleetmark/fleetmark/results"
	"github.com/fleetmark/fleetmark/scenarios/health"
	"github.com/fleetmark/fleetmark/scenarios/load"
)

// planned is the shape of an open load of pushes.
func planned() Shape {
	return Shape{Ops: []delivery.Op{delivery.OpPush}, Planned: true, Longest: 100 * time.Second}
}

// three returns the times of three pushes.
func three() *load.Latencies {
	l := load.NewLatencies(true, 100*time.Second)
	for i := range 3 {
		l.Add(time.Duration(i+2)*time.Millisecond, time.Duration(i+1)*time.Millisecond)
	}
	return l
}

// right is a portion of three operations that succeeded and one that failed.
func right() *Portion {
	s, e := planned(), NewEncoder()
	late, failed := load.NewLateness(s.Longest), hdr.New(s.Longest)
	for i := range 4 {
		late.Add(time.Duration(i)*time.Second, time.Duration(i)*time.Second+time.Millisecond, i == 3)
	}
	failed.Record(time.Second)
	times := e.Times(s.Ops, map[delivery.Op]*load.Latencies{delivery.OpPush: three()})
	return &Portion{
		Phase: "timed", Number: 1, ElapsedNS: 4e9, LongestNS: 100e9,
		Operations: results.Operations{Planned: 4, Started: 4, Succeeded: 3, Failed: 1, PlanNS: 4e9, SucceededInPlan: 3, EndedInPlan: 4},
		Times:      times, Lateness: e.Lateness(late), FailedTimes: e.Histogram(failed), Classes: map[string]int64{"timeout": 1},
		Failures: []Failure{{Failure: load.Failure{Device: 7}}}, Counts: results.Counts{Devices: 4, Updated: 3, Failed: 1},
		Groups: []Group{{Name: "rest", Succeeded: 3, Failed: 1, Classes: map[string]int64{"timeout": 1}, Times: times,
			Counts: results.Counts{Devices: 4}}},
		Findings: []health.Finding{{Kind: health.Leak, Detail: "a socket"}},
	}
}

// TestRead checks that a portion survives being sent.
func TestRead(t *testing.T) {
	p := right()
	p.Outcomes[3] = 4
	text, err := json.Marshal(p)
	require.NoError(t, err)
	got, err := planned().Read(text)
	require.NoError(t, err)
	require.Equal(t, p, got)
}

// TestRead_mistakes checks what is said about portions that can't be right.
func TestRead_mistakes(t *testing.T) {
	other := NewEncoder().Histogram(hdr.New(time.Second))
	for name, row := range map[string]struct {
		change func(p *Portion)
		says   string
	}{
		"number":          {func(p *Portion) { p.Number = 0 }, "repetition 0: want 1 or more"},
		"another range":   {func(p *Portion) { p.LongestNS = 2e9 }, "its histograms are of times up to 2s, those of the run up to 1m40s: run the same revision with the same scenario on every machine"},
		"unequal range":   {func(p *Portion) { p.Times[0].Response = other }, "push: the histogram is of times up to 1s, not 1m40s"},
		"no histogram":    {func(p *Portion) { p.Times[0].Service = nil }, "push's service times: the histogram is cut short"},
		"unknown op":      {func(p *Portion) { p.Times[0].Op = "erase\n" }, `there is no operation "erase" in this load`},
		"no op":           {func(p *Portion) { p.Times = nil }, "want the times of [push], in this order"},
		"times":           {func(p *Portion) { p.Times[0].Count = 4 }, "push: the histogram has 3 times, of 4 operations"},
		"overflow":        {func(p *Portion) { p.Times[0].Overflow = 7 }, "push: 7 of 3 times are too long: want no more than there are"},
		"sum":             {func(p *Portion) { p.Times[0].SumNS = -1 }, "push: -1 is out of its range"},
		"started":         {func(p *Portion) { p.Operations.Started = 9 }, "9 operations were started, and 3 succeeded, 1 failed and 0 were broken off"},
		"succeeded":       {func(p *Portion) { p.Operations.Succeeded, p.Operations.Started = 4, 5 }, "4 operations succeeded, and 3 have a time"},
		"in plan":         {func(p *Portion) { p.Operations.SucceededInPlan = 4 }, "4 operations succeeded within the plan of 3, and 4 ended of 4"},
		"failed":          {func(p *Portion) { p.FailedTimes = NewEncoder().Histogram(hdr.New(100 * time.Second)) }, "failed operations: the histogram has 0 times, of 1 operations"},
		"classes":         {func(p *Portion) { p.Classes["timeout"] = 2 }, "failed operations: 1 operations failed, and 2 by class"},
		"device":          {func(p *Portion) { p.Failures[0].Device = -1 }, "a failure of device -1: want a number from 0"},
		"lateness":        {func(p *Portion) { p.Lateness = nil }, "the lateness of a load is there exactly if the load has a plan"},
		"late operations": {func(p *Portion) { p.Lateness.Queued = p.Lateness.Timer }, "4 operations were started, and 6 have a lateness"},
		"devices":         {func(p *Portion) { p.Counts.Updated = 4 }, "devices: 4 devices, 4 updated, 1 failed, 0 lost, 0 applied twice: want no more than there are"},
		"group's name":    {func(p *Portion) { p.Groups = append(p.Groups, p.Groups[0]) }, "group rest: want a name that no other has"},
		"groups":          {func(p *Portion) { p.Groups[0].BrokenOff = 1 }, "the groups have 4 devices and 3, 1 and 1 operations that succeeded, failed and were broken off, the whole 4, and 3, 1 and 0"},
		"group's devices": {func(p *Portion) { p.Groups[0].Counts.Devices = 3 }, "the groups have 3 devices and 3, 1 and 0 operations that succeeded, failed and were broken off, the whole 4, and 3, 1 and 0"},
		"start":           {func(p *Portion) { p.StartLateNS = -1 << 62 }, "start: -4611686018427387904 ns after the common one is out of its range"},
	} {
		t.Run(name, func(t *testing.T) {
			p := right()
			row.change(p)
			text, err := json.Marshal(p)
			require.NoError(t, err)
			_, err = planned().Read(text)
			require.EqualError(t, err, row.says)
			_, err = planned().Merge([]string{"a"}, []*Portion{p})
			require.EqualError(t, err, "agent a: "+row.says)
		})
	}
	_, err := planned().Read([]byte("{"))
	require.EqualError(t, err, "the portion can't be read: unexpected end of JSON input")
	_, err = planned().Read(make([]byte, maxPortion+1))
	require.ErrorContains(t, err, "want at most")
	_, err = planned().Merge([]string{"a", "b"}, []*Portion{right()})
	require.EqualError(t, err, "1 portions of 2 agents: want one of each")
	second := right()
	second.Number = 2
	_, err = planned().Merge([]string{"a", "b"}, []*Portion{right(), second})
	require.EqualError(t, err, "agent b: its portion is of timed repetition 2, that of the first agent of timed repetition 1")
}

// TestMerge checks the sum of two portions, by hand.
func TestMerge(t *testing.T) {
	a, b := right(), right()
	a.StartLateNS, b.ElapsedNS = 1e6, 3e9
	a.Usage, b.Usage = Usage{CPUNS: 10, GCFraction: 0.5, Bytes: 5, PeakResident: 7}, Usage{CPUNS: 30, GCFraction: 0.1, Bytes: 6, PeakResident: 4}
	a.MeanBusyNS, b.MeanBusyNS = 100, 300
	a.Traffic, b.Traffic = &Traffic{Requests: 4}, &Traffic{Requests: 5}
	a.Notes, b.Outcomes[31], a.Outcomes[31] = []string{"x"}, 200, 100
	b.Times[0].Overflow = 2
	a.Harness, b.Harness = &results.HarnessHealth{CPUFraction: 0.1, ReferenceSpeed: &results.ReferenceSpeed{RoundTripNS: 9}},
		&results.HarnessHealth{CPUFraction: 0.2, ReferenceSpeed: &results.ReferenceSpeed{RoundTripNS: 8}, Interference: &results.Interference{StolenFraction: 1}}
	s, err := planned().Merge([]string{"a", "b"}, []*Portion{a, b})
	require.NoError(t, err)
	require.Equal(t, results.Operations{Planned: 8, Started: 8, Succeeded: 6, Failed: 2, PlanNS: 4e9, SucceededInPlan: 6, EndedInPlan: 8,
		DrainNS: 1e6}, s.Operations)
	require.Equal(t, 4*time.Second+time.Millisecond, s.Elapsed, "from the common start")
	require.Equal(t, time.Duration(200), s.MeanBusy)
	require.Equal(t, Usage{CPUNS: 40, GCFraction: 0.2, Bytes: 11, PeakResident: 7}, s.Usage)
	require.EqualValues(t, 9, s.Traffic.Requests)
	push := s.Times[delivery.OpPush]
	require.Equal(t, []int64{6, 2, 18e6}, []int64{push.Count, push.Overflow, push.Sum})
	require.EqualValues(t, 6, push.Response.TotalCount())
	require.InEpsilon(t, 4e6, push.Response.Max(), 1e-3)
	require.EqualValues(t, 8, s.Lateness.All().TotalCount())
	require.EqualValues(t, 2, s.FailedTimes.TotalCount())
	require.Equal(t, results.Counts{Devices: 8, Updated: 6, Failed: 2}, s.Counts)
	require.Equal(t, []string{"agent a: x"}, s.Notes)
	require.Equal(t, []health.Finding{{Kind: health.Leak, Detail: "agent a: a socket"}, {Kind: health.Leak, Detail: "agent b: a socket"}}, s.Findings)
	require.Equal(t, byte(300-256), s.Outcomes[31])
	require.Equal(t, byte(1), s.Outcomes[30])
	require.Len(t, s.Groups, 1)
	require.EqualValues(t, 6, s.Groups[0].Succeeded)
	require.Equal(t, map[string]int64{"timeout": 2}, s.Groups[0].Classes)
	require.Equal(t, 0.2, s.Harness.CPUFraction)
	require.Equal(t, 9.0, s.Harness.ReferenceSpeed.RoundTripNS, "of the slower machine")
	require.Equal(t, 1.0, s.Harness.Interference.StolenFraction)

	b.Traffic, b.Outcomes = nil, OutcomeDigest{}
	s, err = planned().Merge([]string{"a", "b"}, []*Portion{a, b})
	require.NoError(t, err)
	require.Nil(t, s.Traffic, "it isn't known of all")
	require.True(t, s.Outcomes.IsZero())
}

// interval returns an interval of two seconds with three pushes.
func interval() *load.Interval {
	return &load.Interval{
		Start: time.Second, End: 3 * time.Second, Planned: 5, Sent: 4, Succeeded: 3, Retries: 9, NotSent: 1, InFlight: 1,
		Plan: 9 * time.Second, SucceededLate: 2, Last: true, Times: []load.OpTimes{{Op: delivery.OpPush, Latencies: three()}},
	}
}

// TestInterval checks that an interval survives being sent, and that what is written is what
// package json writes.
func TestInterval(t *testing.T) {
	w, s := NewIntervalWriter(), planned()
	v := interval()
	v.Failed, v.Classes = 3, map[string]int64{"timeout": 1, "<odd\n\"class\"": 2}
	for name, counted := range map[string]*delivery.Stats{"counted": {Requests: 1, Dials: 2, Reused: 3, BytesWritten: 4, BytesRead: 1 << 63}, "not": nil} {
		t.Run(name, func(t *testing.T) {
			text := w.Append(nil, v, counted)
			read, err := s.ReadInterval(text)
			require.NoError(t, err)
			again, err := json.Marshal(read)
			require.NoError(t, err)
			require.Equal(t, string(again), string(text))
			a := s.NewAdder()
			for range 2 {
				require.NoError(t, a.Add(read))
			}
			sum := a.Sum()
			require.Equal(t, []int64{10, 8, 6, 6, 18, 2, 2, 4}, []int64{sum.Planned, sum.Sent, sum.Succeeded, sum.Failed,
				sum.Retries, sum.NotSent, sum.InFlight, sum.SucceededLate})
			require.Equal(t, map[string]int64{"timeout": 2, "<odd\n\"class\"": 4}, sum.Classes)
			require.EqualValues(t, 18e6, sum.Times[0].Sum)
			require.EqualValues(t, 6, sum.Times[0].Service.TotalCount())
			a.Reset()
			require.Zero(t, a.Sum().Succeeded)
			require.Zero(t, a.Sum().Times[0].Count)
		})
	}
	v.Times[0].Reset()
	v.Succeeded, v.SucceededLate = 0, 0
	read, err := s.ReadInterval(w.Append(nil, v, nil))
	require.NoError(t, err)
	require.Empty(t, read.Times)
}

// TestReadInterval_mistakes checks what is said about intervals that can't be right.
func TestReadInterval_mistakes(t *testing.T) {
	text := NewIntervalWriter().Append(nil, interval(), nil)
	for name, row := range map[string]struct {
		change func(v *Interval)
		says   string
	}{
		"backwards":     {func(v *Interval) { v.EndNS = 1 }, "the interval ends at 1ns and begins at 1s"},
		"negative":      {func(v *Interval) { v.Sent = -1 }, "operations: -1 is out of its range"},
		"late":          {func(v *Interval) { v.SucceededLate = 4 }, "3 operations succeeded, and 4 after the plan's end"},
		"range":         {func(v *Interval) { v.LongestNS = 1e9 }, "its histograms are of times up to 1s, those of the run up to 1m40s: run the same revision with the same scenario on every machine"},
		"op":            {func(v *Interval) { v.Times[0].Op = "erase" }, `there is no operation "erase" in this load`},
		"twice":         {func(v *Interval) { v.Times = append(v.Times, v.Times[0]) }, "want the times of [push] in this order, without those of none"},
		"no times":      {func(v *Interval) { v.Times = nil }, "3 operations succeeded, and 0 have a time"},
		"classes":       {func(v *Interval) { v.Failed = 1 }, "failed operations: 1 operations failed, and 0 by class"},
		"service times": {func(v *Interval) { v.Times[0].Service = nil }, "push's service times: the histogram is cut short"},
	} {
		t.Run(name, func(t *testing.T) {
			v, err := planned().ReadInterval(text)
			require.NoError(t, err)
			row.change(v)
			changed, err := json.Marshal(v)
			require.NoError(t, err)
			_, err = planned().ReadInterval(changed)
			require.EqualError(t, err, row.says)
		})
	}
	_, err := planned().ReadInterval(make([]byte, maxInterval+1))
	require.ErrorContains(t, err, "want at most")
}

// TestIntervalWriterAllocatesNothing checks that sending doesn't add to the allocations of the
// client.
func TestIntervalWriterAllocatesNothing(t *testing.T) {
	w, v, counted := NewIntervalWriter(), interval(), &delivery.Stats{Requests: 4}
	text := w.Append(nil, v, counted)
	require.Zero(t, testing.AllocsPerRun(100, func() { text = w.Append(text[:0], v, counted) }))
}

// FuzzRead checks that no bytes make Read or ReadInterval panic, and that what they take can be
// added up.
func FuzzRead(f *testing.F) {
	text, err := json.Marshal(right())
	require.NoError(f, err)
	f.Add(text)
	f.Add(NewIntervalWriter().Append(nil, interval(), &delivery.Stats{}))
	f.Add([]byte(`{"times":[{}],"groups":[{}]}`))
	s := planned()
	f.Fuzz(func(t *testing.T, text []byte) {
		if p, err := s.Read(text); err == nil {
			sum, err := s.Merge([]string{"a", "b"}, []*Portion{p, p})
			require.NoError(t, err)
			require.Equal(t, 2*p.Operations.Succeeded, sum.Times[delivery.OpPush].Response.TotalCount())
		}
		if v, err := s.ReadInterval(text); err == nil {
			a := s.NewAdder()
			require.NoError(t, a.Add(v))
			require.Equal(t, v.Succeeded, a.Sum().Succeeded)
		}
	})
}

// BenchmarkIntervalWriter measures what it costs to make the JSON of an interval of an open load.
func BenchmarkIntervalWriter(b *testing.B) {
	for _, operations := range []int{5, 1000, 30_000} {
		b.Run(fmt.Sprintf("operations=%d", operations), func(b *testing.B) {
			rng := rand.New(rand.NewPCG(1, 2))
			times := load.NewLatencies(true, 100*time.Second)
			for range operations {
				times.Add(time.Duration(1e6*rng.ExpFloat64()), time.Duration(1e6*rng.ExpFloat64()))
			}
			w, v := NewIntervalWriter(), &load.Interval{Times: []load.OpTimes{{Op: delivery.OpPush, Latencies: times}}}
			text := w.Append(nil, v, nil)
			b.ReportAllocs()
			for b.Loop() {
				text = w.Append(text[:0], v, nil)
			}
			b.ReportMetric(float64(len(text)), "bytes")
		})
	}
}

// TestMerge_manyAgents checks that what a thousand agents say alike is a few lines, that their
// failures are no more than those that one agent keeps, and that none is lost from the counts.
func TestMerge_manyAgents(t *testing.T) {
	var names []string
	var list []*Portion
	for i := range 1000 {
		p, own := right(), fmt.Sprintf("class %d", i)
		p.Classes, p.Groups[0].Classes = map[string]int64{own: 1}, map[string]int64{own: 1}
		p.Notes = []string{fmt.Sprintf("client.max_idle was lowered to %d", i), "slow"}
		p.Contradictions = []string{fmt.Sprintf("device %d: lost", i)}
		p.Failures = nil
		for k := range 30 {
			p.Failures = append(p.Failures, Failure{Failure: load.Failure{Device: i + 1000*k, Class: "timeout"}})
		}
		names, list = append(names, fmt.Sprintf("n%d", i)), append(list, p)
	}
	list[999].Failures = append(list[999].Failures, Failure{Failure: load.Failure{Class: "rare"}})
	list[999].Findings = append(list[999].Findings, health.Finding{Kind: health.FleetReset, Detail: "at 3s"})
	s, err := planned().Merge(names, list)
	require.NoError(t, err)
	const more = "995 more like that are in the agents' own run directories"
	require.Equal(t, []string{
		"agent n0: client.max_idle was lowered to 0", "agent n1: client.max_idle was lowered to 1",
		"agent n2: client.max_idle was lowered to 2", "agent n3: client.max_idle was lowered to 3",
		"agent n4: client.max_idle was lowered to 4", more,
		"agent n0: slow", "agent n1: slow", "agent n2: slow", "agent n3: slow", "agent n4: slow", more,
	}, s.Notes)
	require.Equal(t, []string{"agent n0: device 0: lost", "agent n1: device 1: lost", "agent n2: device 2: lost",
		"agent n3: device 3: lost", "agent n4: device 4: lost", more}, s.Contradictions)
	require.Equal(t, []health.Finding{
		{Kind: health.Leak, Detail: "agent n0: a socket"}, {Kind: health.Leak, Detail: "agent n1: a socket"},
		{Kind: health.Leak, Detail: "agent n2: a socket"}, {Kind: health.Leak, Detail: "agent n3: a socket"},
		{Kind: health.Leak, Detail: "agent n4: a socket"}, {Kind: health.Leak, Detail: more},
		{Kind: health.FleetReset, Detail: "agent n999: at 3s"},
	}, s.Findings)

	require.Len(t, s.Failures, 21)
	for i, f := range s.Failures[:20] {
		require.Equal(t, i, f.Device, "the first of each agent")
	}
	require.Equal(t, "rare", s.Failures[20].Class)
	for _, classes := range []map[string]int64{s.Classes, s.Groups[0].Classes} {
		require.Len(t, classes, 101)
		require.EqualValues(t, 900, classes["other"])
	}
}

// TestTextSample_manyKinds checks that texts are bounded even if no two are alike.
func TestTextSample_manyKinds(t *testing.T) {
	var s textSample
	for i := range 1000 {
		for range 2 {
			s.add(fmt.Sprint(i), "a", "x")
		}
	}
	list := s.texts()
	require.Len(t, list, 201)
	require.Equal(t, "1,800 more of other kinds are in the agents' own run directories", list[200])
}
