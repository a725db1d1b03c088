package doctor

import (
	"fmt"
	"math"
	"strings"
)

// recommendedCores is one core for each of the driver, the fleet, the network's interrupts, and
// everything else that runs.
const recommendedCores = 4

func cores(f Facts, a Advice) (State, string, string) {
	found := fmt.Sprintf("%d cores, GOMAXPROCS %d", f.Cores, f.GOMAXPROCS)
	// Go rounds the quota up for GOMAXPROCS, but doesn't set it to 1 because of a quota.
	usable := f.Cores
	if f.Quota != nil && *f.Quota > 0 {
		usable = min(usable, max(2, int(math.Ceil(*f.Quota))))
	}
	switch {
	case f.Cores < 2:
		return Problem, found, "measure on a machine with 4 cores or more; see `taskset -p $$` if it has"
	case f.GOMAXPROCS < usable:
		return Warning, found, "unset GOMAXPROCS"
	case f.GOMAXPROCS > usable:
		return Warning, found, "unset GOMAXPROCS: more threads than cores take turns"
	case f.Cores < recommendedCores:
		change := fmt.Sprintf("measure on a machine with %d cores or more; %s", recommendedCores, a.FewerWorkers)
		return Warning, found, change
	}
	return OK, found, ""
}

func quota(f Facts) (State, string, string) {
	switch {
	case f.Quota == nil:
		return Unknown, "unknown", "see that no limit of processor time is set for the container"
	case *f.Quota == 0:
		return OK, "none", ""
	}
	return grade(*f.Quota < 2, *f.Quota < float64(f.Cores)), fmt.Sprintf("%.2f cores", *f.Quota),
		"run without a limit: docker without --cpus, Kubernetes without limits.cpu, systemd without CPUQuota"
}

const (
	recommendedMemory = 1 << 30   // a million devices and their driver take 400 MB
	minMemory         = 256 << 20 // enough for 5,000 devices, their driver and the system
)

func memory(f Facts) (State, string, string) {
	if f.MemoryAvailable == nil {
		return Unknown, "unknown", "see that 1 GiB is free"
	}
	available, of := *f.MemoryAvailable, "available"
	if f.MemoryLeft != nil && *f.MemoryLeft < available {
		available, of = *f.MemoryLeft, "left to the control group"
	}
	found := fmt.Sprintf("%.1f GiB %s", float64(available)/(1<<30), of)
	return grade(available < minMemory, available < recommendedMemory), found,
		"end what else uses memory, or raise the container's limit; 1 GiB does for a million devices"
}

func descriptors(f Facts) (State, string, string) {
	if f.DescriptorLimit == nil {
		return Unknown, "unknown", "see that a process may open 1,024 files"
	}
	limit := *f.DescriptorLimit
	least, largest, able := 0, Need{}, 0
	for _, n := range f.Needs {
		least = max(least, n.Min)
		if n.Want > largest.Want {
			largest = n
		}
		if uint64(n.Min) <= limit {
			able++
		}
	}
	noneFits := len(f.Needs) > 0 && able == 0 // no scenario can begin
	return grade(noneFits, able < len(f.Needs) || uint64(largest.Want) > limit),
		fmt.Sprintf("%d may be open, %d are wanted (%s)", limit, largest.Want, largest.Scenario),
		fmt.Sprintf("ulimit -n %d", max(1024, least, largest.Want))
}

// performance is the governor that keeps cores at their highest speed.
const performance = "performance"

func governor(f Facts) (State, string, string) {
	switch {
	case len(f.Governors) == 0:
		return Unknown, "unknown (a virtual machine has none of its own)",
			"see to it on the machine below: cpupower frequency-set -g performance"
	case len(f.Governors) == 1 && f.Governors[0] == performance:
		return OK, performance, ""
	}
	return Warning, strings.Join(f.Governors, ", "), "sudo cpupower frequency-set -g performance"
}

func turbo(f Facts) (State, string, string) {
	switch {
	case f.Turbo == nil:
		return Unknown, "unknown", "see to it in the firmware, or on the machine below"
	case *f.Turbo:
		return Warning, "on", "echo 1 | sudo tee /sys/devices/system/cpu/intel_pstate/no_turbo, " +
			"or elsewhere: echo 0 | sudo tee /sys/devices/system/cpu/cpufreq/boost"
	}
	return OK, "off", ""
}

func smt(f Facts) (State, string, string) {
	switch {
	case f.SMT == nil:
		return Unknown, "unknown", "see to it in the firmware, or on the machine below"
	case *f.SMT:
		return Warning, "two threads a core", "echo off | sudo tee /sys/devices/system/cpu/smt/control"
	}
	return OK, "a thread a core, as far as this system knows", ""
}
