//go:build unix

package runner

import (
	"os"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/results"
	"github.com/fleetmark/fleetmark/scenarios"
	"github.com/fleetmark/fleetmark/scenarios/target"
)

// starve lets a process run for a fifteenth of the time until stop is closed, and then freely
// again.
func starve(p *os.Process, stop <-chan struct{}) error {
	for {
		if err := p.Signal(syscall.SIGSTOP); err != nil {
			return err
		}
		over := false
		select {
		case <-time.After(150 * time.Millisecond):
		case <-stop:
			over = true
		}
		if err := p.Signal(syscall.SIGCONT); err != nil || over {
			return err
		}
		select {
		case <-time.After(10 * time.Millisecond):
		case <-stop:
			return nil
		}
	}
}

// TestAStarvedFleetMakesTheRunInvalid checks that a fleet that gets too little processor time
// reports that, which makes the run invalid. The same run is valid if the fleet gets enough.
func TestAStarvedFleetMakesTheRunInvalid(t *testing.T) {
	for name, starved := range map[string]bool{"starved": true, "free": false} {
		t.Run(name, func(t *testing.T) {
			s := small()
			s.Load.Duration, s.Load.Workers, s.Repetitions, s.Warmup, s.Profiled = scenarios.Duration(2*time.Second), 4, 1, 0, 0
			o := options(t, s)
			command, fleet := tellingItsPID(t)
			o.Target.Address, o.Target.Command = target.OwnProcess, command
			stop := make(chan struct{})
			var starving sync.WaitGroup
			var failed error
			if starved {
				o.Observer = &atRepetition{phase: Timed, number: 1, do: func() {
					starving.Go(func() { failed = starve(fleet(), stop) })
				}, end: func() {
					close(stop)
					starving.Wait()
				}}
			}
			res, err := Run(t.Context(), o)
			require.NoError(t, err)
			require.NoError(t, failed)
			if starved {
				require.Greater(t, time.Duration(res.Run.Fleet.WakeP90NS), 50*time.Millisecond)
			}
			if res.Run.Harness.Interference.Exceeds() {
				return // others used the machine; health.TestCheckFleet tests that case
			}
			require.Equal(t, starved, res.Run.Fleet.Saturated)
			require.Equal(t, !starved, res.Run.Valid, "%v", res.Run.Invalid)
			if starved {
				require.Equal(t, results.Invalid, res.Run.Verdict)
				require.Regexp(t, `^the fleet was the bottleneck: a tenth of the time it was \d+ms late or more`,
					res.Run.Invalid[0])
			}
		})
	}
}
