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
	costlyClock   = 200 * time.Nanosecond // a reading without a system call takes 20 to 80 ns
	slowClock     = time.Microsecond      // then a few readings for each operation take a tenth of a push
	lateTimer     = 2 * time.Millisecond  // the 99th percentile
	veryLateTimer = 20 * time.Millisecond
)

// goodClocks returns the clock sources that are read without a system call: the processor's
// counter, or the page that a hypervisor keeps for its guests.
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
	return worst(state, grade(f.ClockCost > slowClock, f.ClockCost > costlyClock)), found, change
}

func timer(f Facts) (State, string, string) {
	if f.Timer.Turns == 0 {
		return Unknown, "unknown", "measure again"
	}
	round := func(d time.Duration) time.Duration { return d.Round(time.Microsecond) }
	found := fmt.Sprintf("1 ms wakes %v late, 1 in 100 %v or more", round(f.Timer.P50), round(f.Timer.P99))
	return grade(f.Timer.P99 > veryLateTimer, f.Timer.P99 > lateTimer), found,
		"end what else runs; on a virtual machine, ask for cores of its own"
}

// maxIdleShare is the largest share of the processor time that others use on an idle machine.
const maxIdleShare = 0.02

func interference(f Facts) (State, string, string) {
	n := f.Interference
	if n == nil {
		return Unknown, "unknown", "see that nothing else runs: top"
	}
	found := fmt.Sprintf("others %.1f%% of all cores, hypervisor %.1f%%", 100*n.OthersFraction, 100*n.StolenFraction)
	change := "end what else runs (top), and measure then"
	if n.StolenFraction > n.OthersFraction {
		change = "measure on a machine that isn't shared, or on one with cores of its own"
	}
	// A run's times are inconclusive if Exceeds reports true.
	return grade(n.Exceeds(), n.OthersFraction > maxIdleShare || n.StolenFraction > maxIdleShare), found, change
}

// Limits of the smallest change that a run's repetitions can detect, as a share. Above
// warnDetectable, the check is a warning. Above maxDetectable, it is a problem: a run couldn't
// distinguish such a change of the code from a change of the machine.
const (
	warnDetectable = 0.05
	maxDetectable  = 0.15
)

func noise(f Facts, a Advice) (State, string, string) {
	n, pairs := f.Noise, scenarios.Default().Repetitions
	change := n.detectable(pairs)
	if math.IsNaN(change) || math.IsInf(change, 0) {
		return Unknown, "unknown", "measure again"
	}
	found := fmt.Sprintf("B/A %.3f, spread %.1f%%: %d blocks each can tell %.1f%%, %d can %.1f%%",
		n.ratio(), 100*n.spread(), pairs, 100*change, 10*pairs, 100*n.detectable(10*pairs))
	if n.differs() {
		found += "; A and B, which are the same, came out different"
	}
	return grade(change > maxDetectable, change > warnDetectable || n.differs()), found,
		"end what else runs, and see the warnings above; " +
			"else let runs be longer (" + a.LongerRuns + ") and changes larger"
}
