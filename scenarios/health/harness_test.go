package health

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/results"
)

// pacing returns the pacing of an open load in which some operations were queued and some waited
// for a timer, all of each kind equally late.
func pacing(queued int64, by time.Duration, timer int64, late, last, lag time.Duration) *Pacing {
	p := &Pacing{Queued: queued, Timer: timer, LatenessP99: max(by, late), LastPlanned: last, Lag: lag,
		FellBehind: lag > 100*time.Millisecond && lag > last/20, MaxWorkers: 4}
	if timer > 0 {
		p.TimerP90, p.TimerP99 = late, late
	}
	return p
}

func (p *Pacing) with(change func(*Pacing)) *Pacing { change(p); return p }

// TestCheckHarness checks each way in which the driver can be the bottleneck, with the number in
// its sentence.
func TestCheckHarness(t *testing.T) {
	const ms = time.Millisecond
	const behind = "behind schedule: the last operation was sent 200ms after its time, in a plan of 1s; of the latest 1% each was 200ms late or more; "
	const ready = "; where a worker stood ready the latest 1% was 1ms late or more; the driver used 0% of all cores"
	core := cpuFraction(time.Second, time.Second) // one core as a share of all
	ports := &results.LocalPorts{First: 40000, Last: 40009, TimeWait: 7}
	busy := func(n int) func(*Pacing) { return func(p *Pacing) { p.BusyPeak = n } }
	idle := time.Duration(minGCFraction / core * float64(time.Second)) // so little processor time that it doesn't matter
	for name, row := range map[string]struct {
		d    Driver
		kind Kind   // empty: no finding
		says string // the finding
	}{
		"a closed load":          {Driver{CPU: 9 * time.Second, GCBusy: 9 * time.Second}, "", ""},
		"in time":                {Driver{Pacing: pacing(0, 0, 100, ms, time.Second, 0).with(busy(3))}, "", ""},
		"starved, and caught up": {Driver{Pacing: pacing(99, time.Second, 1, 0, 10*time.Second, 0).with(busy(4))}, "", ""},
		"starved": {Driver{Pacing: pacing(75, 200*ms, 25, ms, time.Second, 200*ms).with(busy(4))}, BehindSchedule,
			behind + "75 of 100 operations (75%) were due while all 4 workers were busy: allow more (load.workers), or ask for less" + ready},
		"the one worker starved": {Driver{Pacing: pacing(75, 200*ms, 25, ms, time.Second,
			200*ms).with(func(p *Pacing) { p.BusyPeak, p.MaxWorkers = 1, 1 })}, BehindSchedule,
			behind + "75 of 100 operations (75%) were due while the one worker was busy: allow more (load.workers), or ask for less" + ready},
		"starved, and workers by themselves": {Driver{Pacing: pacing(75, 200*ms, 25, ms, time.Second,
			200*ms).with(func(p *Pacing) { p.BusyPeak, p.AutoWorkers = 4, true })}, BehindSchedule,
			behind + "75 of 100 operations (75%) were due while all 4 workers were busy: no more are started by themselves; name a number (load.workers), or ask for less" + ready},
		// 1,000 operations a second that take 100 ms are 100 at a time; twice the square root of that is
		// 20.
		"starved, and it is known of how many": {Driver{Pacing: pacing(75, 200*ms, 25, ms, time.Second,
			200*ms).with(func(p *Pacing) { p.BusyPeak, p.PeakRate, p.Took = 4, 1000, 100*ms })}, BehindSchedule,
			behind + "75 of 100 operations (75%) were due while all 4 workers were busy: an operation took 100ms, so that 1,000/s wants about 120: allow more (load.workers), or ask for less" + ready},
		"not sent": {Driver{Pacing: pacing(2, 900*ms, 2, 0, 150*ms,
			900*ms).with(func(p *Pacing) { p.BusyPeak, p.Planned, p.NotSent, p.PlanLength = 4, 20, 16, time.Second })},
			BehindSchedule,
			"behind schedule: 16 of 20 planned operations were not sent; the last operation was sent 900ms after its time, in a plan of 1s; of the latest 1% each was 900ms late or more; 2 of 4 operations (50%) were due while all 4 workers were busy: allow more (load.workers), or ask for less; where a worker stood ready the latest 1% was 0s late or more; the driver used 0% of all cores"},
		"behind with workers to spare": {Driver{Disturbed: true,
			Pacing: pacing(0, 0, 100, 300154879, time.Second, 300*ms).with(busy(2))}, BehindSchedule,
			"behind schedule: the last operation was sent 300ms after its time, in a plan of 1s; of the latest 1% each was 300.155ms late or more; at most 2 of 4 workers were busy at once: the driver was too slow; where a worker stood ready the latest 1% was 300.155ms late or more; the driver used 0% of all cores"},
		"late with workers ready": {Driver{Pacing: pacing(0, 0, 100, 60*ms, 10*time.Second, 60*ms)}, HarnessSaturated,
			"the harness was the bottleneck: a tenth of the operations for which a worker stood ready was sent 60ms late or more"},
		"late because of others": {Driver{Disturbed: true, Pacing: pacing(0, 0, 100, 60*ms, 10*time.Second, 60*ms)}, "", ""},
		"late, but hardly any":   {Driver{Pacing: pacing(0, 0, minTimerCount-1, 60*ms, 10*time.Second, 60*ms)}, "", ""},
		"collecting": {Driver{CPU: 800 * ms, GCBusy: 400 * ms, Pacing: pacing(0, 0, 1, 0, time.Second, 0)}, HarnessSaturated,
			fmt.Sprintf("the harness was the bottleneck: garbage collection took 50%% of the driver's processor time, %.0f%% of all cores", 40*core)},
		"collecting a quarter": {Driver{CPU: 800 * ms, GCBusy: 200 * ms, Pacing: pacing(0, 0, 1, 0, time.Second, 0)}, "",
			""},
		"collecting, idle else": {Driver{CPU: idle, GCBusy: idle * 9 / 10, Pacing: pacing(0, 0, 1, 0, time.Second, 0)},
			"", ""},
		"collecting, closed load": {Driver{CPU: 800 * ms, GCBusy: 800 * ms}, "", ""},
		"no ports": {Driver{NoPort: 12, Ports: ports}, HarnessSaturated,
			"the harness was the bottleneck: 12 connections found no free local port or address (EADDRNOTAVAIL); at the end 7 sockets were in TIME_WAIT, and connections have ports 40000 to 40009"},
		"no ports, who knows why": {Driver{NoPort: 12}, HarnessSaturated,
			"the harness was the bottleneck: 12 connections found no free local port or address (EADDRNOTAVAIL)"},
		"no descriptors": {Driver{NoDescriptor: 3, Descriptors: 1024, DescriptorLimit: 1025}, HarnessSaturated,
			"the harness was the bottleneck: 3 connections found no free file descriptor, with 1024 open of 1025"},
	} {
		t.Run(name, func(t *testing.T) {
			row.d.Elapsed = time.Second
			h, findings := CheckHarness(row.d)
			if row.kind == "" {
				require.Empty(t, findings)
			} else {
				require.Len(t, findings, 1)
				require.Equal(t, row.kind, findings[0].Kind)
				require.Equal(t, row.says, findings[0].String())
			}
			require.Equal(t, row.kind == HarnessSaturated, h.Saturated)
			require.Equal(t, row.d.Pacing != nil, h.Pacing != nil)
			require.Equal(t, row.d.Ports, h.Ports)
		})
	}
}

func TestWorstHarness(t *testing.T) {
	first, _ := CheckHarness(Driver{Elapsed: time.Second, Descriptors: 30, DescriptorLimit: 99,
		Ports:  &results.LocalPorts{First: 1, Last: 9, TimeWait: 5},
		Pacing: &Pacing{Queued: 1, Timer: 9, BusyPeak: 2, LatenessP99: time.Millisecond, TimerP99: time.Millisecond}})
	second, _ := CheckHarness(Driver{Elapsed: time.Second, Descriptors: 20, DescriptorLimit: 99,
		Ports:  &results.LocalPorts{First: 1, Last: 9, TimeWait: 3},
		Pacing: &Pacing{Queued: 5, Timer: 5, BusyPeak: 4, LatenessP99: 2 * time.Millisecond, TimerP99: 16 * time.Nanosecond}})
	speed := &results.ReferenceSpeed{}
	worst := WorstHarness(WorstHarness(results.HarnessHealth{ReferenceSpeed: speed}, first), second)
	require.Equal(t, results.HarnessHealth{
		LatenessP99NS: 2e6, Descriptors: 30, DescriptorLimit: 99, Ports: &results.LocalPorts{First: 1, Last: 9, TimeWait: 5},
		Pacing:         &results.Pacing{StarvedFraction: 0.5, BusyWorkersPeak: 4, TimerLatenessP99NS: 1e6},
		ReferenceSpeed: speed,
	}, worst)
	require.Equal(t, 5, first.Ports.TimeWait)
	require.Equal(t, 3, second.Ports.TimeWait, "the arguments aren't changed")
	require.Equal(t, worst, WorstHarness(worst, results.HarnessHealth{DescriptorLimit: 99}),
		"a repetition that says nothing of it")

	const gibi = 1 << 30
	full := results.HarnessHealth{Descriptors: 900, DescriptorLimit: 1000, Ports: &results.LocalPorts{First: 1, Last: 100, TimeWait: 90}}
	roomy := results.HarnessHealth{Descriptors: 5000, DescriptorLimit: gibi, Ports: &results.LocalPorts{First: 1, Last: 50000, TimeWait: 91}}
	require.Equal(t, full, WorstHarness(full, roomy), "of two machines, what is nearer to its limit")
	require.Equal(t, full, WorstHarness(roomy, full))
}
