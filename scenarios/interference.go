package scenarios

import (
	"context"
	"fmt"
	"time"

	"github.com/shirou/gopsutil/v4/cpu"

	"github.com/fleetmark/fleetmark/mockfleet"
	"github.com/fleetmark/fleetmark/results"
)

// standing is how the fleet and the machine stand at a moment.
type standing struct {
	fleet   mockfleet.Status
	machine *machineTime // nil where that can't be told
}

// stand asks the fleet, where it can be asked, and looks at the machine.
func (r *runner) stand(ctx context.Context) (s standing, err error) {
	if w := r.fleet.witness(); w != nil {
		if s.fleet, err = w.status(ctx); err != nil {
			return s, fmt.Errorf("asking the fleet: %w", err)
		}
	}
	own := processorTime()
	switch r.fleet.kind() {
	case FleetInProcess:
	case FleetProcess:
		own += seconds(s.fleet.CPUSeconds)
	default:
		return s, nil // on this machine or not: its share can't be told from that of others
	}
	s.machine = readMachineTime(ctx, own)
	return s, nil
}

// machineTime is what all cores have done since the machine's start, and what this
// run's own processes had of it. The difference of two says what others had.
type machineTime struct {
	wall      time.Time
	processes time.Duration // all processes, in user and system mode
	stolen    time.Duration // taken by the hypervisor
	own       time.Duration // the driver and its fleet
}

// readMachineTime gives nil where the system doesn't tell.
func readMachineTime(ctx context.Context, own time.Duration) *machineTime {
	all, err := cpu.TimesWithContext(ctx, false)
	if err != nil || len(all) == 0 || own == 0 {
		return nil
	}
	return &machineTime{
		wall: time.Now(), own: own,
		processes: seconds(all[0].User + all[0].Nice + all[0].System),
		stolen:    seconds(all[0].Steal),
	}
}

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }

// interference adds up what else the machine did during the timed repetitions.
type interference struct{ wall, others, stolen time.Duration }

// add takes one repetition, and gives the shares of all so far; nil where that
// can't be told.
func (i *interference) add(before, after *machineTime) *results.Interference {
	if before == nil || after == nil {
		return nil
	}
	i.wall += after.wall.Sub(before.wall)
	// The clocks go in different steps, so one short repetition may come out negative.
	i.others += (after.processes - before.processes) - (after.own - before.own)
	i.stolen += after.stolen - before.stolen
	return &results.Interference{
		OthersFraction: min(1, max(0, fraction(i.others, i.wall))),
		StolenFraction: min(1, max(0, fraction(i.stolen, i.wall))),
	}
}
