package scenarios

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/fleetmark/fleetmark/internal/osinfo"
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
		if s.fleet, err = w.Status(ctx); err != nil {
			return s, fmt.Errorf("asking the fleet: %w", err)
		}
	}
	own, ours := osinfo.ProcessorTime(), []int{os.Getpid()}
	switch r.fleet.kind() {
	case FleetInProcess:
	case FleetProcess:
		own += seconds(s.fleet.CPUSeconds)
		ours = append(ours, r.fleet.pid())
	default:
		return s, nil // on this machine or not: its share can't be told from that of others
	}
	s.machine = readMachineTime(ctx, own, ours)
	return s, nil
}

// machineTime is what all cores have done since the machine's start, by two accounts, and what this
// run's own processes had of it. The difference of two says what others had.
type machineTime struct {
	wall   time.Time
	own    time.Duration // the driver and its fleet
	all    time.Duration // the machine in user and system mode, interrupts left out
	others time.Duration // by the list of processes; 0 where there is none
	stolen time.Duration // taken by the hypervisor
}

// readMachineTime returns nil if the system doesn't tell the times.
func readMachineTime(ctx context.Context, own time.Duration, ours []int) *machineTime {
	total, ok := osinfo.ReadMachineTime(ctx)
	if !ok || own == 0 {
		return nil
	}
	others, _ := osinfo.OtherProcesses(ours...)
	return &machineTime{
		wall: time.Now(), own: own, others: others,
		all: total.Busy, stolen: total.Stolen,
	}
}

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }

// interference adds up what else the machine did during the timed repetitions.
type interference struct{ wall, unaccounted, others, stolen time.Duration }

// add takes one repetition, and gives the shares of all so far; nil where that can't be told.
//
// What others used has two lower bounds, and the higher one holds. The machine's total less our own
// sees every container's processes, but a process's own account may hold interrupts that it was
// charged with, and the total's doesn't: then it is too low by a tenth and more under a load on the
// network. The list of processes has no such gap, but may not show all of them.
func (i *interference) add(before, after *machineTime) *results.Interference {
	if before == nil || after == nil {
		return nil
	}
	i.wall += after.wall.Sub(before.wall)
	i.unaccounted += (after.all - before.all) - (after.own - before.own)
	i.others += after.others - before.others
	i.stolen += after.stolen - before.stolen
	return &results.Interference{
		OthersFraction: min(1, max(0, fraction(max(i.unaccounted, i.others), i.wall))),
		StolenFraction: min(1, max(0, fraction(i.stolen, i.wall))),
	}
}

// Neighbours is what others have of the machine for a while in which this process does
// nothing; nil where that can't be told. A context that ends is its error.
func Neighbours(ctx context.Context, during time.Duration) (*results.Interference, error) {
	look := func() *machineTime { return readMachineTime(ctx, osinfo.ProcessorTime(), []int{os.Getpid()}) }
	before := look()
	timer := time.NewTimer(during)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	return new(interference).add(before, look()), nil
}
