package health

import (
	"context"
	"os"
	"runtime"
	"time"

	"github.com/fleetmark/fleetmark/internal/osinfo"
	"github.com/fleetmark/fleetmark/results"
)

// MachineCPU is the processor time that all cores have spent since the machine was booted, by two
// accounts, and the run's own share of it. The difference of two says what others used.
type MachineCPU struct {
	wall   time.Time
	own    time.Duration // the driver and its fleet
	all    time.Duration // the machine in user and system mode, without interrupts
	others time.Duration // by the list of processes; 0 if there is none
	stolen time.Duration // taken by the hypervisor
}

// ReadMachineCPU reads the machine's processor time. Own is the time that the processes ours have
// used. It returns nil if the system doesn't tell the times.
func ReadMachineCPU(ctx context.Context, own time.Duration, ours ...int) *MachineCPU {
	total, ok := osinfo.ReadMachineTime(ctx)
	if !ok || own == 0 {
		return nil
	}
	others, _ := osinfo.OtherProcesses(ours...)
	return &MachineCPU{
		wall: time.Now(), own: own, others: others,
		all: total.Busy, stolen: total.Stolen,
	}
}

// Interference adds up what else the machine did during several repetitions.
type Interference struct{ wall, unaccounted, others, stolen time.Duration }

// Add adds one repetition and returns the shares of all so far. It returns nil if before or after
// is nil.
//
// Add takes the larger of two lower bounds for what others used. The machine's total minus our own
// time covers the processes of every container. But a process may be charged with interrupts that
// the total leaves out, so under load on the network this bound is too low by a tenth or more. The
// list of processes has no such gap, but may not show all of them.
func (i *Interference) Add(before, after *MachineCPU) *results.Interference {
	if before == nil || after == nil {
		return nil
	}
	i.wall += after.wall.Sub(before.wall)
	i.unaccounted += (after.all - before.all) - (after.own - before.own)
	i.others += after.others - before.others
	i.stolen += after.stolen - before.stolen
	return &results.Interference{
		OthersFraction: min(1, max(0, cpuFraction(max(i.unaccounted, i.others), i.wall))),
		StolenFraction: min(1, max(0, cpuFraction(i.stolen, i.wall))),
	}
}

// MeasureInterference returns what others use of the machine while this process does nothing for
// a while. It returns nil if the system doesn't tell. It returns ctx's error if ctx ends first.
func MeasureInterference(ctx context.Context, during time.Duration) (*results.Interference, error) {
	read := func() *MachineCPU { return ReadMachineCPU(ctx, osinfo.ProcessorTime(), os.Getpid()) }
	before := read()
	timer := time.NewTimer(during)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	return new(Interference).Add(before, read()), nil
}

// cpuFraction returns processor time as a share of what all cores had in a time.
func cpuFraction(cpu, wall time.Duration) float64 {
	if wall <= 0 {
		return 0
	}
	return cpu.Seconds() / wall.Seconds() / float64(runtime.NumCPU())
}
