package doctor

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/fleetmark/fleetmark/scenarios"
)

// State is how a check came out.
type State string

// The states. A problem keeps times from being judged here.
const (
	OK      State = "ok"
	Warning State = "warning"
	Problem State = "problem"
	Unknown State = "unknown" // it can't be read here
)

// A Check is one thing that was looked at.
type Check struct {
	Name   string `json:"check"`
	State  State  `json:"state"`
	Found  string `json:"found"`            // with its unit
	Why    string `json:"why"`              // it matters, in a clause
	Change string `json:"change,omitempty"` // what to do, with a command where there is one; empty where it is ok
}

// Examine judges the facts.
func Examine(f Facts) []Check {
	var list []Check
	for _, c := range []struct {
		name, why string
		judge     func(Facts) (state State, found, change string)
	}{
		{"cores", "driver and fleet take turns on them, and each counts the other's turn as its own time", cores},
		{"quota", "a process beyond its control group's quota is stopped until the next period begins", quota},
		{"memory", "a machine that swaps measures its disk", memory},
		{"descriptors", "a connection takes one, and with too few connections can't be kept", descriptors},
		{"ports", "a connection that was closed keeps its local port from the same peer for a minute", ports},
		{"accept queue", "connections beyond it are dropped, and tried again a second later", acceptQueue},
		{"clock", "every operation reads it several times", clock},
		{"timer", "an open load sends its operations that late", timer},
		{"governor", "a core's speed follows its load, so that the same work takes another time", governor},
		{"turbo", "a core's speed depends on its heat, and on how many others are at work", turbo},
		{"smt", "two threads share a core's units, so that a thread's speed depends on its neighbour", smt},
		{"neighbours", "what others do with the machine is measured as ours", neighbours},
		{"noise", "a change smaller than the noise can't be told from it", noise},
		{"loopback", "every simulated device has an address of its own", loopback},
	} {
		state, found, change := c.judge(f)
		if state == OK {
			change = ""
		}
		list = append(list, Check{Name: c.name, State: state, Found: found, Why: c.why, Change: change})
	}
	return list
}

// Fit reports whether times can be judged here: no check is a problem.
func Fit(checks []Check) bool {
	return !slices.ContainsFunc(checks, func(c Check) bool { return c.State == Problem })
}

// worst is the graver of two states, what is unknown being graver than what is ok.
func worst(a, b State) State {
	order := []State{OK, Unknown, Warning, Problem}
	return order[max(slices.Index(order, a), slices.Index(order, b))]
}

// grade returns the state of a check by whether it found a problem, or a warning.
func grade(problem, warning bool) State {
	switch {
	case problem:
		return Problem
	case warning:
		return Warning
	}
	return OK
}

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
	return grade(*f.Quota < 2, *f.Quota < float64(f.Cores)), fmt.Sprintf("%.2f cores", *f.Quota),
		"run without a limit: docker without --cpus, Kubernetes without limits.cpu, systemd without CPUQuota"
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
	return grade(available < leastMemory, available < muchMemory), found,
		"end what else uses memory, or raise the container's limit; 1 GiB does for a million devices"
}

func descriptors(f Facts) (State, string, string) {
	if f.DescriptorLimit == nil {
		return Unknown, "unknown", "see that a process may open 1,024 files"
	}
	limit := *f.DescriptorLimit
	least, wanted, able := 0, Need{}, 0
	for _, n := range f.Needs {
		least = max(least, n.Least)
		if n.Wanted > wanted.Wanted {
			wanted = n
		}
		if uint64(n.Least) <= limit {
			able++
		}
	}
	none := len(f.Needs) > 0 && able == 0 // no scenario could begin
	return grade(none, able < len(f.Needs) || uint64(wanted.Wanted) > limit),
		fmt.Sprintf("%d may be open, %d are wanted (%s)", limit, wanted.Wanted, wanted.Scenario),
		fmt.Sprintf("ulimit -n %d", max(1024, least, wanted.Wanted))
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
	switch {
	case f.Turbo == nil:
		return Unknown, "unknown", "see to it in the firmware, or on the machine below"
	case *f.Turbo:
		return Warning, "on", "echo 1 | sudo tee /sys/devices/system/cpu/intel_pstate/no_turbo, or elsewhere: echo 0 | sudo tee /sys/devices/system/cpu/cpufreq/boost"
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
	if n < manyPorts {
		return Warning, found, `sudo sysctl -w net.ipv4.ip_local_port_range="1024 65535"`
	}
	return grade(false, *f.ReuseTimeWait == 0), found, "sudo sysctl -w net.ipv4.tcp_tw_reuse=2"
}

func acceptQueue(f Facts) (State, string, string) {
	if f.AcceptQueue == nil {
		return Unknown, "unknown", fmt.Sprintf("see that a listener's queue holds %d connections", enoughQueue)
	}
	return grade(false, *f.AcceptQueue < enoughQueue), fmt.Sprintf("%d connections", *f.AcceptQueue),
		"sudo sysctl -w net.core.somaxconn=4096"
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

const (
	dearClock  = 200 * time.Nanosecond // a reading without a system call takes 20 to 80
	slowClock  = time.Microsecond      // some readings an operation are then a tenth of a push
	lateTimer  = 2 * time.Millisecond  // of the latest hundredth
	worstTimer = 20 * time.Millisecond
)

// goodClocks are read without a system call: a processor's counter, or the page that a
// hypervisor keeps for its guests.
func goodClocks() []string {
	return []string{"tsc", "kvm-clock", "hyperv_clocksource_tsc_page", "xen", "arch_sys_counter", "vmware-clocksource"}
}

func clock(f Facts) (State, string, string) {
	cost := fmt.Sprintf("%d ns a reading", f.ClockCost.Nanoseconds())
	found := f.ClockSource + ", " + cost
	change := "boot with clocksource=tsc tsc=reliable, if the machine's counter is well (dmesg | grep -i tsc)"
	for _, better := range goodClocks() {
		if better != f.ClockSource && slices.Contains(strings.Fields(f.ClockSources), better) {
			change = "echo " + better + " | sudo tee /sys/devices/system/clocksource/clocksource0/current_clocksource"
			break
		}
	}
	slow := f.ClockSource == "hpet" || f.ClockSource == "acpi_pm" || f.ClockSource == "jiffies"
	state := grade(slow, !slices.Contains(goodClocks(), f.ClockSource))
	if f.ClockSource == "" {
		state, found = Unknown, "source unknown, "+cost
	}
	return worst(state, grade(f.ClockCost > slowClock, f.ClockCost > dearClock)), found, change
}

func timer(f Facts) (State, string, string) {
	if f.Timer.Turns == 0 {
		return Unknown, "unknown", "measure again"
	}
	round := func(d time.Duration) time.Duration { return d.Round(time.Microsecond) }
	found := fmt.Sprintf("1 ms wakes %v late, 1 in 100 %v or more", round(f.Timer.P50), round(f.Timer.P99))
	return grade(f.Timer.P99 > worstTimer, f.Timer.P99 > lateTimer), found,
		"end what else runs; on a virtual machine, ask for cores of its own"
}

// quiet is the largest share of a machine at rest that others use.
const quiet = 0.02

func neighbours(f Facts) (State, string, string) {
	n := f.Neighbours
	if n == nil {
		return Unknown, "unknown", "see that nothing else runs: top"
	}
	found := fmt.Sprintf("others %.1f%% of all cores, hypervisor %.1f%%", 100*n.OthersFraction, 100*n.StolenFraction)
	change := "end what else runs (top), and measure then"
	if n.StolenFraction > n.OthersFraction {
		change = "measure on a machine that isn't shared, or on one with cores of its own"
	}
	// Beyond what Exceeds names, a run's times would be inconclusive.
	return grade(n.Exceeds(), n.OthersFraction > quiet || n.StolenFraction > quiet), found, change
}

// What a change may be, as a share, for ten pairs of blocks to tell it. Beyond the
// greater, a run wouldn't tell it from a machine that has become another.
const (
	fineChange   = 0.05
	coarseChange = 0.15
)

func noise(f Facts) (State, string, string) {
	n, pairs := f.Noise, scenarios.Default().Repetitions
	change := n.Detectable(pairs)
	if math.IsNaN(change) || math.IsInf(change, 0) {
		return Unknown, "unknown", "measure again"
	}
	found := fmt.Sprintf("B/A %.3f, spread %.1f%%: %d blocks each can tell %.1f%%, %d can %.1f%%",
		n.Ratio(), 100*n.Spread(), pairs, 100*change, 10*pairs, 100*n.Detectable(10*pairs))
	if n.Differs() {
		found += "; A and B, which are the same, came out different"
	}
	return grade(change > coarseChange, change > fineChange || n.Differs()), found,
		"end what else runs, and see the warnings above; else let runs be longer (--duration, --repeat) and changes larger"
}
