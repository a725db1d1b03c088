package health

import (
	"context"
	"os"
	"runtime"
	"time"

	"github.com/fleetmark/fleetmark/internal/osinfo"
	"github.com/fleetmark/fleetmark/results"
)

// MachineCPU is the processor time that all cores have spent since the machine was booted, from two
// sources, and the run's own share of it. The difference between two values shows what others used.
type MachineCPU struct {
	wall   time.Time
	own    time.Duration // the driver and its fleet
	all    time.Duration // the machine in user and system mode, without interrupts
	others time.Duration // by the list of processes; 0 if there is none
	stolen time.Duration // taken by the hypervisor
}

// ReadMachineCPU reads the machine's processor time. own is the time that the processes in ours
// have used. It returns nil if the system doesn't report the times.
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

// Interference sums up how much others used the machine in several repetitions.
type Interference struct{ wall, unaccounted, others, stolen time.Duration }

// Add adds one repetition, and returns the shares over all repetitions so far. It returns nil if
// before or after is nil.
//
// Add uses the larger of two lower bounds for what others used. The first, the machine's total
// minus our own time, covers processes in all containers. But a process may be charged for
// interrupts that the total leaves out, so under network load this bound is too low by a tenth or
// more. The second, from the list of processes, doesn't have this error, but the list may not
// contain all processes.
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

// MeasureInterference returns how much others use the machine while this process sleeps for a time.
// It returns nil if the system doesn't report it, and ctx's error if ctx ends first.
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

// cpuFraction returns processor time as a share of the time that all cores had.
func cpuFraction(cpu, wall time.Duration) float64 {
	if wall <= 0 {
		return 0
	}
	return cpu.Seconds() / wall.Seconds() / float64(runtime.NumCPU())
}
