package service

import (
	"context"
	"time"

	"github.com/fleetmark/fleetmark/internal/osinfo"
)

// Usage is what the processes use that a [Service] has started: the service and the trigger's
// commands, with everything that they started in turn. On systems other than Linux it isn't known.
type Usage struct {
	Known bool // false, too, if somebody else started the service

	// CPU is user and system time since the start. Processes that ended count if somebody in the tree
	// waited for them.
	CPU time.Duration

	// PeakResident is the largest sum of the resident memory of all processes since [Service.ResetPeak],
	// of a few samples a second, in bytes.
	PeakResident uint64

	Processes []int // the ids of those that run
}

// observeInterval is the time between two samples of the memory.
const observeInterval = 200 * time.Millisecond

// observe samples the memory of the processes until ctx ends.
func (s *Service) observe(ctx context.Context) {
	tick := time.NewTicker(observeInterval)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			s.Usage()
		case <-ctx.Done():
			return
		}
	}
}

// Usage returns what the processes have used until now.
func (s *Service) Usage() (u Usage) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var roots []int
	for _, p := range s.programs {
		select {
		case <-p.ended:
			u.CPU += p.cpu
		default:
			roots = append(roots, p.cmd.Process.Pid)
		}
	}
	if len(roots) > 0 {
		u.Processes = osinfo.ProcessTree(roots...)
	}
	u.Known = s.cfg.RunsHere() && (len(roots) == 0 || len(u.Processes) > 0)
	resident := uint64(0)
	for _, pid := range u.Processes {
		cpu, _ := osinfo.ProcessorTimeOf(pid)
		u.CPU += cpu
		resident += osinfo.ResidentOf(pid)
	}
	s.peak = max(s.peak, resident)
	u.PeakResident = s.peak
	return u
}

// ResetPeak makes the largest resident memory the present one.
func (s *Service) ResetPeak() {
	s.mu.Lock()
	s.peak = 0
	s.mu.Unlock()
	s.Usage()
}
