package runner

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/delivery"
	"github.com/fleetmark/fleetmark/mockfleet"
	"github.com/fleetmark/fleetmark/mockfleet/random"
	"github.com/fleetmark/fleetmark/scenarios"
	"github.com/fleetmark/fleetmark/scenarios/load"
	"github.com/fleetmark/fleetmark/scenarios/target"
)

// onlooker is an observer that records the progress of a run.
type onlooker struct {
	discard
	seen  []Progress
	ended []Progress
}

func (o *onlooker) Progress(_ Repetition, v Progress) { o.seen = append(o.seen, v) }
func (o *onlooker) End(_ Repetition, v Progress)      { o.ended = append(o.ended, v) }

// in returns the progress that was seen in a stage.
func (o *onlooker) in(stage Stage) (list []Progress) {
	for _, v := range o.seen {
		if v.Stage == stage {
			list = append(list, v)
		}
	}
	return list
}

// TestProgress_soaking checks that a rollout that waits after a wave says so, and for how long.
func TestProgress_soaking(t *testing.T) {
	s := rollingOut()
	s.Fleet.Devices, s.Repetitions = 40, 1
	s.Load.Rollout.Waves[0].Soak = scenarios.Duration(time.Second)
	o, watch := options(t, s), &onlooker{}
	o.Observer = watch
	_, err := Run(t.Context(), o)
	require.NoError(t, err)
	soaking := watch.in(Soaking)
	require.NotEmpty(t, soaking)
	for i, v := range soaking {
		require.Equal(t, []int{1, 2}, []int{len(v.Waves), v.WaveCount})
		require.LessOrEqual(t, v.SoakLeft, time.Second)
		if i > 0 {
			require.LessOrEqual(t, v.SoakLeft, soaking[i-1].SoakLeft)
			require.Greater(t, v.Elapsed, soaking[i-1].Elapsed)
		}
	}
	require.Len(t, watch.ended, 1)
	require.Empty(t, watch.ended[0].Stage)
	require.Zero(t, watch.ended[0].InFlight)
}

// TestProgress_draining checks that an open load whose plan is over shows the operations that still
// run.
func TestProgress_draining(t *testing.T) {
	s := small()
	s.Repetitions, s.Warmup, s.Profiled = 1, 0, 0
	s.Load.Model, s.Load.Rate, s.Load.Workers = scenarios.ConstantRate, 100, 40
	s.Load.Duration = scenarios.Duration(300 * time.Millisecond)
	s.Fleet.Behavior.Latency = must(random.Fixed(time.Second))
	o, watch := options(t, s), &onlooker{}
	o.Observer = watch
	_, err := Run(t.Context(), o)
	require.NoError(t, err)
	draining := watch.in(Draining)
	require.NotEmpty(t, draining)
	require.Positive(t, draining[0].InFlight)
	require.Greater(t, draining[0].Elapsed, 300*time.Millisecond)
	for _, v := range watch.in(Load) {
		require.LessOrEqual(t, v.Elapsed, 300*time.Millisecond)
	}
}

// TestProgress_invalid checks that a finding about one repetition is known in all that follow.
func TestProgress_invalid(t *testing.T) {
	o, watch := options(t, small()), &onlooker{} // a warm-up, two timed repetitions and a profiled one
	o.Observer = watch
	r, err := begin(t.Context(), o)
	require.NoError(t, err)
	r.target = &strained{Target: r.target, contradictAt: 2}
	require.NoError(t, finish(t.Context(), r, r.runRepetitions(t.Context())))
	require.Len(t, watch.ended, 4)
	for i, v := range watch.ended {
		if i < 2 {
			require.Empty(t, v.Invalid)
			continue
		}
		require.Contains(t, v.Invalid, "the run is invalid already: the fleet's ledger contradicts the client")
	}
}

func TestCertainlyInvalid(t *testing.T) {
	lost, cancel := context.WithCancelCause(t.Context())
	cancel(target.ErrExited)
	stopped, stop := context.WithCancelCause(t.Context())
	stop(errors.New("somebody pressed Ctrl-C"))
	for name, row := range map[string]struct {
		ctx    context.Context
		phase  Phase
		change func(*Session, *drive, *dialer)
		want   string
	}{
		"nothing":     {change: func(*Session, *drive, *dialer) {}},
		"interrupted": {ctx: stopped, change: func(*Session, *drive, *dialer) {}},
		"the fleet is gone": {
			ctx: lost, change: func(*Session, *drive, *dialer) {}, want: invalidAlready + target.ErrExited.Error(),
		},
		"the fleet was reset, in a warm-up": {
			phase: WarmUp, change: func(_ *Session, d *drive, _ *dialer) { d.reset.Store(true) },
			want: invalidAlready + "somebody reset the fleet while a repetition was under way",
		},
		"an earlier finding, in a profiled repetition": {
			phase: Profiled, change: func(s *Session, _ *drive, _ *dialer) { s.invalid = "it leaks" },
			want: invalidAlready + "it leaks",
		},
		"no port": {
			change: func(_ *Session, _ *drive, d *dialer) { d.noPort.Add(2) },
			want:   invalidAlready + "2 connections found no free local port or address",
		},
		"no port, in a warm-up": {phase: WarmUp, change: func(_ *Session, _ *drive, d *dialer) { d.noPort.Add(2) }},
		"no port, in a trial": {change: func(_ *Session, d *drive, c *dialer) {
			d.task.Rate = 100
			c.noPort.Add(2)
		}},
		"no descriptor": {
			change: func(_ *Session, _ *drive, d *dialer) { d.noDescriptor.Add(3) },
			want:   invalidAlready + "3 connections found no free file descriptor",
		},
		"too long": {
			change: func(_ *Session, d *drive, _ *dialer) {
				l := load.NewLatencies(false, time.Minute)
				l.Add(time.Hour, time.Hour)
				d.interval(&load.Interval{Times: []load.OpTimes{{Op: delivery.OpPush, Latencies: l}}})
			},
			want: invalidAlready + "1 times were over 1m0s, more than is recorded",
		},
	} {
		t.Run(name, func(t *testing.T) {
			s, c := &Session{}, repetitionClient{dialer: &dialer{}}
			d := &drive{env: load.Env{Record: load.NewRecording(load.RecordingConfig{
				Op: delivery.OpPush, Devices: 1, Workers: 1, Longest: time.Minute,
			})}}
			if d.task.Phase = row.phase; row.phase == "" {
				d.task.Phase = Timed
			}
			if row.ctx == nil {
				row.ctx = t.Context()
			}
			row.change(s, d, c.dialer)
			require.Equal(t, row.want, s.certainlyInvalid(row.ctx, d, c, time.Second))
		})
	}
}

// resets is a fleet that is reset before its third status.
type resets struct {
	target.Witness
	statuses int
}

func (r *resets) Status(context.Context) (mockfleet.Status, error) {
	switch r.statuses++; r.statuses {
	case 1:
		return mockfleet.Status{Generation: 7}, nil
	case 2:
		return mockfleet.Status{}, errors.New("busy")
	}
	return mockfleet.Status{Generation: 8}, nil
}

func TestWatchForReset(t *testing.T) {
	var d drive
	fleet := &resets{}
	d.watchForReset(t.Context(), fleet, 7, time.Millisecond)
	require.Equal(t, 3, fleet.statuses)
	require.True(t, d.reset.Load())

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	d.watchForReset(ctx, fleet, 7, time.Hour) // it returns
}
