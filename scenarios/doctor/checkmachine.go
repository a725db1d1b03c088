package doctor

import (
	"fmt"
	"math"
	"strings"
)

// enoughCores is one each for the driver, the fleet, the network's interrupts and
// whatever else runs.
const enoughCores = 4

func cores(f Facts) (State, string, string) {
	found := fmt.Sprintf("%d cores, GOMAXPROCS %d", f.Cores, f.GOMAXPROCS)
	// Go sets it to what the quota allows, rounded up, but not to 1 for a quota's sake.
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
	case f.Cores < enoughCores:
		return Warning, found, fmt.Sprintf("measure on a machine with %d cores or more; use fewer --workers here", enoughCores)
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
	found := fmt.Sprintf("%.2f cores", *f.Quota)
	const change = "run without a limit: docker without --cpus, Kubernetes without limits.cpu, systemd without CPUQuota"
	switch {
	case *f.Quota < 2:
		return Problem, found, change
	case *f.Quota < float64(f.Cores):
		return Warning, found, change
	}
	return OK, found, ""
}

const (
	muchMemory  = 1 << 30   // a million devices and their driver take 400 MB
	leastMemory = 256 << 20 // 5,000 devices and theirs, with room for the system
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
	const change = "end what else uses memory, or raise the container's limit; 1 GiB does for a million devices"
	switch {
	case available < leastMemory:
		return Problem, found, change
	case available < muchMemory:
		return Warning, found, change
	}
	return OK, found, ""
}

func descriptors(f Facts) (State, string, string) {
	if f.DescriptorLimit == nil {
		return Unknown, "unknown", "see that a process may open 1,024 files"
	}
	limit := *f.DescriptorLimit
	state, least, wanted := OK, Need{}, Need{}
	for _, n := range f.Needs {
		if n.Least > least.Least {
			least = n
		}
		if n.Wanted > wanted.Wanted {
			wanted = n
		}
		if uint64(n.Least) > limit {
			state = worst(state, Warning)
		}
	}
	found := fmt.Sprintf("%d may be open, %d are wanted (%s)", limit, wanted.Wanted, wanted.Scenario)
	if uint64(wanted.Wanted) > limit {
		state = worst(state, Warning)
	}
	if len(f.Needs) > 0 && allBeyond(f.Needs, limit) {
		state = Problem
	}
	return state, found, fmt.Sprintf("ulimit -n %d", max(1024, least.Least, wanted.Wanted))
}

// allBeyond: no scenario could begin.
func allBeyond(needs []Need, limit uint64) bool {
	for _, n := range needs {
		if uint64(n.Least) <= limit {
			return false
		}
	}
	return true
}

const performance = "performance"

func governor(f Facts) (State, string, string) {
	switch {
	case len(f.Governors) == 0:
		return Unknown, "unknown (a virtual machine has none of its own)", "see to it on the machine below: cpupower frequency-set -g performance"
	case len(f.Governors) == 1 && f.Governors[0] == performance:
		return OK, performance, ""
	}
	return Warning, strings.Join(f.Governors, ", "), "sudo cpupower frequency-set -g performance"
}

func turbo(f Facts) (State, string, string) {
	const change = "echo 1 | sudo tee /sys/devices/system/cpu/intel_pstate/no_turbo, or elsewhere: echo 0 | sudo tee /sys/devices/system/cpu/cpufreq/boost"
	switch {
	case f.Turbo == nil:
		return Unknown, "unknown", "see to it in the firmware, or on the machine below"
	case *f.Turbo:
		return Warning, "on", change
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

const (
	manyPorts   = 10_000 // what a load of some hundred connections a second to one address needs
	enoughQueue = 1024   // as many workers as may connect at once
)

func ports(f Facts) (State, string, string) {
	if f.Ports == nil || f.ReuseTimeWait == nil {
		return Unknown, "unknown", "see how many local ports connections are given, and how long those that were closed keep theirs"
	}
	p := f.Ports
	n := p.Last - p.First + 1
	reuse := map[int]string{0: "not reused", 1: "reused", 2: "reused on loopback"}[*f.ReuseTimeWait]
	// How many are in TIME_WAIT says nothing by itself: each keeps its port from one peer only.
	found := fmt.Sprintf("%d ports, %d sockets in TIME_WAIT, %s", n, p.TimeWait, reuse)
	switch {
	case n < manyPorts:
		return Warning, found, `sudo sysctl -w net.ipv4.ip_local_port_range="1024 65535"`
	case *f.ReuseTimeWait == 0:
		return Warning, found, "sudo sysctl -w net.ipv4.tcp_tw_reuse=2"
	}
	return OK, found, ""
}

func acceptQueue(f Facts) (State, string, string) {
	if f.AcceptQueue == nil {
		return Unknown, "unknown", fmt.Sprintf("see that a listener's queue holds %d connections", enoughQueue)
	}
	found := fmt.Sprintf("%d connections", *f.AcceptQueue)
	if *f.AcceptQueue < enoughQueue {
		return Warning, found, "sudo sysctl -w net.core.somaxconn=4096"
	}
	return OK, found, ""
}

func loopback(f Facts) (State, string, string) {
	l := f.Loopback
	name := map[string]string{"ip": "127.0.0.0/8", "port": "a port each", "path": "a path each"}[l.Addressing]
	six := "::1"
	if l.NoIPv6 != "" {
		six = "no ::1"
	}
	switch {
	case l.Addressing == "":
		return Unknown, "unknown", "see whether a fleet comes up: fleetmark fleet --devices 2"
	case l.Refused != "" && l.Addressing == "path":
		return Problem, "no device answers: " + l.Refused, "see what keeps a program from serving on 127.0.0.1"
	case l.Refused != "":
		return Warning, fmt.Sprintf("not %s (%s); %s", name, l.Refused, six), "fleetmark run --addressing path"
	case l.NoIPv6 != "":
		return Warning, name + ", " + six + ": " + l.NoIPv6, "sudo sysctl -w net.ipv6.conf.lo.disable_ipv6=0, if devices have IPv6 addresses"
	}
	return OK, name + ", " + six, ""
}
