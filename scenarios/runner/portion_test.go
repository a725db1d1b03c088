package runner

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/results"
	"github.com/fleetmark/fleetmark/results/rundir"
	"github.com/fleetmark/fleetmark/scenarios/portion"
)

// TestRepetitions checks the order of a run's repetitions.
func TestRepetitions(t *testing.T) {
	var list []string
	for rep := range Repetitions(small()) {
		list = append(list, fmt.Sprint(rep.Phase, rep.Number, "/", rep.Total))
	}
	require.Equal(t, []string{"warm-up1/1", "timed1/2", "timed2/2", "profiled1/1"}, list)
}

// TestPortions checks that a gate is passed, a start told and a portion made in each repetition, in
// this order, that a portion which was sent says what the run directory says, and that thresholds
// aren't judged.
func TestPortions(t *testing.T) {
	s := grouped()
	s.Warmup, s.Profiled = 1, 1
	s.Thresholds = append(s.Thresholds, threshold(t, "p99-ns/op < 1ns"))
	o := options(t, s)
	var seen []string
	var sent [][]byte
	see := func(what string, rep Repetition) {
		seen = append(seen, fmt.Sprint(what, " ", rep.Phase, " ", rep.Number, " ", rep.Planned))
	}
	o.Gate = func(ctx context.Context, rep Repetition) error { see("gate", rep); return ctx.Err() }
	o.OnBegin = func(rep Repetition, at time.Time) {
		require.WithinDuration(t, time.Now(), at, time.Minute)
		see("begin", rep)
	}
	o.OnPortion = func(rep Repetition, p *portion.Portion) {
		see("portion", rep)
		text, err := json.Marshal(p)
		require.NoError(t, err)
		sent = append(sent, text)
	}
	res, err := Run(t.Context(), o)
	require.NoError(t, err)
	var want []string
	for _, rep := range []string{"warm-up 1", "timed 1", "timed 2", "profiled 1"} {
		want = append(want, "gate "+rep+" 50", "begin "+rep+" 50", "portion "+rep+" 0")
	}
	require.Equal(t, want, seen)
	run, err := rundir.Load(res.Directory)
	require.NoError(t, err)
	require.Empty(t, run.Thresholds)
	require.Len(t, run.Outcomes, 3)
	shape := PortionShape(s)
	for i, text := range sent {
		p, err := shape.Read(text)
		require.NoError(t, err)
		require.Equal(t, results.Counts{Devices: 50, Updated: 45, Failed: 5}, p.Counts)
		require.Len(t, p.Failures, 5)
		require.NotNil(t, p.Failures[0].Fleet)
		require.Equal(t, map[string]int64{"permanent": 5}, p.Classes)
		require.Equal(t, run.Outcomes[0], p.Outcomes.String(), "the same becomes of the devices each time")
		if i == 0 || i == 3 {
			require.Empty(t, p.Groups)
			continue
		}
		require.Equal(t, run.Operations[i-1], p.Operations)
		require.Len(t, p.Groups, 4)
		require.Equal(t, results.Counts{Devices: 10, Updated: 10}, p.Groups[0].Counts)
		require.NotNil(t, p.Harness.ReferenceSpeed)
	}
}

// TestGate_error checks that a gate that doesn't open ends the run before any operation.
func TestGate_error(t *testing.T) {
	for name, interrupted := range map[string]bool{"error": false, "interruption": true} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			s := small()
			s.Warmup = 0
			o := options(t, s)
			shut := errors.New("the others never came")
			o.Gate = func(context.Context, Repetition) error {
				if interrupted {
					cancel()
				}
				return shut
			}
			o.OnBegin = func(Repetition, time.Time) { t.Error("it doesn't begin") }
			o.OnPortion = func(Repetition, *portion.Portion) { t.Error("there is no portion") }
			res, err := Run(ctx, o)
			status := results.StatusInterrupted
			if !interrupted {
				require.ErrorIs(t, err, shut)
				status = results.StatusFailed
				require.Equal(t, []string{shut.Error()}, res.Run.Invalid)
			} else {
				require.NoError(t, err)
				require.True(t, res.Run.Valid)
			}
			require.Equal(t, status, res.Run.Status)
			require.Nil(t, res.Run.Partial)
		})
	}
}
