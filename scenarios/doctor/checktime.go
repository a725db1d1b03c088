package doctor

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/fleetmark/fleetmark/scenarios"
)

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
	found := fmt.Sprintf("%s, %d ns a reading", f.ClockSource, f.ClockCost.Nanoseconds())
	change := "boot with clocksource=tsc tsc=reliable, if the machine's counter is well (dmesg | grep -i tsc)"
	for _, better := range goodClocks() {
		if better != f.ClockSource && slices.Contains(strings.Fields(f.ClockSources), better) {
			change = "echo " + better + " | sudo tee /sys/devices/system/clocksource/clocksource0/current_clocksource"
			break
		}
	}
	var state State
	switch {
	case f.ClockSource == "":
		state, found = Unknown, fmt.Sprintf("source unknown, %d ns a reading", f.ClockCost.Nanoseconds())
	case slices.Contains(goodClocks(), f.ClockSource):
		state = OK
	case f.ClockSource == "hpet" || f.ClockSource == "acpi_pm" || f.ClockSource == "jiffies":
		state = Problem
	default:
		state = Warning
	}
	switch {
	case f.ClockCost > slowClock:
		state = worst(state, Problem)
	case f.ClockCost > dearClock:
		state = worst(state, Warning)
	}
	return state, found, change
}

func timer(f Facts) (State, string, string) {
	if f.Timer.Turns == 0 {
		return Unknown, "unknown", "measure again"
	}
	round := func(d time.Duration) time.Duration { return d.Round(time.Microsecond) }
	found := fmt.Sprintf("1 ms wakes %v late, 1 in 100 %v or more", round(f.Timer.P50), round(f.Timer.P99))
	const change = "end what else runs; on a virtual machine, ask for cores of its own"
	switch {
	case f.Timer.P99 > worstTimer:
		return Problem, found, change
	case f.Timer.P99 > lateTimer:
		return Warning, found, change
	}
	return OK, found, ""
}

// quiet is what a machine at rest has at most for others.
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
	switch {
	case n.Exceeds(): // so that a run's times would be inconclusive
		return Problem, found, change
	case n.OthersFraction > quiet || n.StolenFraction > quiet:
		return Warning, found, change
	}
	return OK, found, ""
}

// What a change may be, as a share, for ten pairs of blocks to tell it. Beyond the
// greater, a run wouldn't tell it from a machine that has become another.
const (
	fineChange   = 0.05
	coarseChange = 0.15
)

// usualPairs is how many repetitions a run has unless said otherwise.
func usualPairs() int { return scenarios.Default().Repetitions }

func noise(f Facts) (State, string, string) {
	n, pairs := f.Noise, usualPairs()
	change := n.Detectable(pairs)
	if math.IsNaN(change) || math.IsInf(change, 0) {
		return Unknown, "unknown", "measure again"
	}
	found := fmt.Sprintf("B/A %.3f, spread %.1f%%: %d blocks each can tell %.1f%%, %d can %.1f%%",
		n.Ratio(), 100*n.Spread(), pairs, 100*change, 10*pairs, 100*n.Detectable(10*pairs))
	const what = "end what else runs, and see the warnings above; else let runs be longer (--duration, --repeat) and changes larger"
	state := OK
	switch {
	case change > coarseChange:
		state = Problem
	case change > fineChange:
		state = Warning
	}
	if n.Differs() {
		found += "; A and B, which are the same, came out different"
		state = worst(state, Warning)
	}
	return state, found, what
}
