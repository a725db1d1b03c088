package runner

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/delivery"
	"github.com/fleetmark/fleetmark/mockfleet/random"
	"github.com/fleetmark/fleetmark/results"
	"github.com/fleetmark/fleetmark/results/rundir"
	"github.com/fleetmark/fleetmark/scenarios"
)

// whenDone is an observer that cancels once so many operations of a timed repetition have ended.
type whenDone struct {
	discard
	done int64
	rate float64 // the least rate of a search at which it cancels; 0: any
	do   func()
}

func (w *whenDone) Progress(s Repetition, l Progress) {
	if s.Phase == Timed && l.Done+l.Failed >= w.done && s.Rate >= w.rate {
		w.do()
	}
}

// interruptedAt runs a scenario and interrupts it as the observer says.
func interruptedAt(t *testing.T, s scenarios.Spec, w *whenDone) *rundir.Loaded {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	w.do = cancel
	o := options(t, s)
	o.Observer = w
	res, err := Run(ctx, o)
	require.NoError(t, err)
	run, err := rundir.Load(res.Directory)
	require.NoError(t, err)
	require.Empty(t, run.Damage)
	require.Equal(t, results.StatusInterrupted, run.Status)
	require.True(t, run.Valid)
	require.Empty(t, run.Verdict)
	require.Empty(t, run.Records, "a partial repetition is no sample")
	require.Empty(t, run.Thresholds)
	require.Zero(t, run.Repetitions)
	require.Empty(t, run.RepetitionCounts)
	return run
}

func endless() scenarios.Spec {
	s := small()
	s.Repetitions, s.Warmup, s.Profiled = 1, 0, 0
	s.Load.Model, s.Load.Duration = scenarios.ClosedLoop, scenarios.Duration(30*time.Minute)
	s.Thresholds = make([]scenarios.Threshold, 1)
	if err := s.Thresholds[0].UnmarshalText([]byte("failed/device == 0")); err != nil {
		panic(err)
	}
	return s
}

// TestPartialRepetition_load checks that an interrupted load is kept up to the interruption, with
// its response times.
func TestPartialRepetition_load(t *testing.T) {
	s := endless()
	s.Load.Operation = delivery.OpPush
	run := interruptedAt(t, s, &whenDone{done: 100})
	p := run.Partial
	require.NotNil(t, p)
	require.Equal(t, 1, p.Repetition)
	require.Equal(t, 1, p.Of)
	require.GreaterOrEqual(t, p.Succeeded, int64(100))
	require.Zero(t, p.Failed)
	require.Equal(t, 1800.0, p.PlannedSeconds)
	require.Equal(t, results.Counts{Devices: 40, Updated: 40}, p.Counts)
	require.Empty(t, p.Unwitnessed)
	require.Empty(t, p.Contradictions, "operations that still ran are no contradictions")
	values := map[string]float64{}
	for _, v := range p.Values {
		require.Equal(t, "push", v.Op)
		values[v.Unit] = v.Value
	}
	require.InEpsilon(t, float64(p.Succeeded)/p.Seconds, values["ops/s"], 1e-9,
		"the rate is over the time until the interruption, not over the plan")
	require.Positive(t, values["p99-ns/op"])

	var counted, timed int64
	for _, v := range readTimeline(t, run.Path, rundir.PartialTimelineFile)[0] {
		counted += v.Succeeded
	}
	for _, h := range readLatencyLog(t, run.Path, rundir.PartialLatencyFile) {
		timed += h.TotalCount()
	}
	require.Equal(t, p.Succeeded, counted)
	require.Equal(t, p.Succeeded, timed)
}

// TestPartialRepetition_once checks that devices which were not reached count neither as updated
// nor as failed.
func TestPartialRepetition_once(t *testing.T) {
	s := endless()
	s.Load.Model, s.Load.Duration, s.Load.Workers = scenarios.Once, 0, 1
	s.Fleet.Devices = 1000
	s.Fleet.Behavior.Latency = must(random.Fixed(10 * time.Millisecond))
	p := interruptedAt(t, s, &whenDone{done: 3}).Partial
	require.NotNil(t, p)
	require.Equal(t, int64(1000), p.Planned)
	require.Equal(t, 1000, p.Counts.Devices)
	require.EqualValues(t, p.Succeeded, p.Counts.Updated)
	require.Zero(t, p.Counts.Failed+p.Counts.Lost+p.Counts.AppliedTwice)
}

// TestPartialRepetition_rollout checks that shares of the fleet are of the whole fleet.
func TestPartialRepetition_rollout(t *testing.T) {
	s := endless()
	s.Load.Model, s.Load.Duration, s.Load.Workers = scenarios.Rollout, 0, 1
	s.Fleet.Devices = 1000
	s.Fleet.Behavior.Latency = must(random.Fixed(10 * time.Millisecond))
	p := interruptedAt(t, s, &whenDone{done: 3}).Partial
	require.NotNil(t, p)
	values := map[string]float64{}
	for _, v := range p.Values {
		values[v.Unit] = v.Value
	}
	require.Equal(t, float64(p.Succeeded)/1000, values["updated/fleet"])
	require.GreaterOrEqual(t, values["reached/fleet"], values["updated/fleet"])
	require.Less(t, values["reached/fleet"], 0.5)
}

// TestPartialRepetition_search checks that the highest rate that held is kept, and that the run
// says that the limit isn't known.
func TestPartialRepetition_search(t *testing.T) {
	s := endless()
	s.Thresholds = nil
	s.Load = scenarios.LoadSpec{Model: scenarios.Breakpoint, Operation: delivery.OpPush, Workers: 8, Rate: 50,
		Breakpoint: scenarios.BreakpointSpec{To: 100_000, TrialDuration: scenarios.Duration(400 * time.Millisecond),
			Tolerance: 0.5}}
	p := interruptedAt(t, s, &whenDone{done: 1, rate: 100}).Partial
	require.NotNil(t, p)
	require.Contains(t, p.Search, "50/s held, the highest rate that was tried so far: the limit lies above")
	for _, v := range p.Values {
		if v.Unit == results.UnitLimit {
			require.Equal(t, 50.0, v.Value)
			return
		}
	}
	t.Fatal("there is no metric for the rate that held")
}

// TestPartialRepetition_unwitnessed checks that devices without a ledger are counted by the
// client's claims.
func TestPartialRepetition_unwitnessed(t *testing.T) {
	s := endless()
	s.Load.Operation = delivery.OpPush
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	o := options(t, s)
	file := filepath.Join(t.TempDir(), "devices")
	device := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte(`{"success": true}`))
	}))
	defer device.Close()
	require.NoError(t, os.WriteFile(file, []byte(device.URL+"\n"), 0o600))
	o.Target.Address, o.Target.DeviceFile = "", file
	o.Observer = &whenDone{done: 20, do: cancel}
	res, err := Run(ctx, o)
	require.NoError(t, err)
	require.Equal(t, "these devices keep no ledger", res.Run.Partial.Unwitnessed)
	require.Equal(t, results.Counts{Devices: 1, Updated: 1}, res.Run.Partial.Counts)
	require.GreaterOrEqual(t, res.Run.Partial.Succeeded, int64(20), strconv.Quote(res.Directory))
}
