package doctor

import "slices"

// State is the outcome of a check.
type State string

// The states. On a machine with a Problem, times can't be judged.
const (
	OK      State = "ok"
	Warning State = "warning"
	Problem State = "problem"
	Unknown State = "unknown" // the fact can't be read here
)

// A Check is one property of the machine that was examined.
type Check struct {
	Name   string `json:"check"`
	State  State  `json:"state"`
	Found  string `json:"found"`            // with its unit
	Why    string `json:"why"`              // why it matters, in a clause
	Change string `json:"change,omitempty"` // what to do, such as a command; empty if the state is OK
}

// String returns the check in a line: its name, what was found and what to change.
func (c Check) String() string {
	text := c.Name + ": " + c.Found
	if c.Change != "" {
		text += ": " + c.Change
	}
	return text
}

// Advice holds the parts of checks' advice that only a command line can phrase.
type Advice struct {
	FewerWorkers   string // how to run fewer operations at once, if there are few cores
	LongerRuns     string // the flags that make a run longer, if the machine is noisy
	PathAddressing string // how to run with devices that share an address, if they can't have their own
	StartFleet     string // how to start a fleet of two devices, to see whether it comes up
}

// Examine judges the facts of [Gather].
func Examine(f Facts, a Advice) []Check { return examine(f, a, allFacts) }

// ExamineSettings judges the facts of [GatherSettings]. It leaves out what wasn't measured.
func ExamineSettings(f Facts, a Advice) []Check { return examine(f, a, settings) }

// A scope says which facts there are.
type scope int

const (
	settings scope = iota // those that can be read
	allFacts              // also those that have to be measured
)

func examine(f Facts, a Advice, have scope) []Check {
	var list []Check
	for _, c := range []struct {
		name, why string
		judge     func(Facts) (state State, found, change string)
		needs     scope
	}{
		{"cores", "driver and fleet take turns on them, and each counts the other's turn as its own time",
			func(f Facts) (State, string, string) { return cores(f, a) }, settings},
		{"quota", "a process beyond its control group's quota is stopped until the next period begins", quota, settings},
		{"memory", "a machine that swaps measures its disk", memory, settings},
		{"descriptors", "a connection takes one, and with too few connections can't be kept", descriptors, settings},
		{"ports", "a connection that was closed keeps its local port from the same peer for a minute", ports, settings},
		{"accept queue", "connections beyond it are dropped, and tried again a second later", acceptQueue, settings},
		{"clock", "every operation reads it several times", clock, allFacts},
		{"timer", "an open load sends its operations that late", timer, allFacts},
		{"governor", "a core's speed follows its load, so that the same work takes another time", governor, settings},
		{"turbo", "a core's speed depends on its heat, and on how many others are at work", turbo, settings},
		{"smt", "two threads share a core's units, so that a thread's speed depends on its neighbor", smt, settings},
		{"neighbours", "what others do with the machine is measured as ours", interference, allFacts},
		{"noise", "a change smaller than the noise can't be told from it",
			func(f Facts) (State, string, string) { return noise(f, a) }, allFacts},
		{"loopback", "every simulated device has an address of its own",
			func(f Facts) (State, string, string) { return loopback(f, a) }, settings},
		{"device network", "devices on a network are reached only if packets to their addresses come to the fleet's machine",
			deviceNetwork, settings},
		{"reverse path", "a strict filter drops packets whose way back leads over another interface", reversePath, settings},
		{"conntrack", "a tracked connection takes an entry until two minutes after its end; packets without one are dropped",
			conntrack, settings},
	} {
		if c.needs > have {
			continue
		}
		state, found, change := c.judge(f)
		if state == "" { // nobody asked
			continue
		}
		if state == OK {
			change = ""
		}
		list = append(list, Check{Name: c.name, State: state, Found: found, Why: c.why, Change: change})
	}
	return list
}

// Fit reports whether times can be judged on this machine, which is so if no check is a Problem.
func Fit(checks []Check) bool {
	return !slices.ContainsFunc(checks, func(c Check) bool { return c.State == Problem })
}

// worst returns the worse of two states. Unknown is worse than OK.
func worst(a, b State) State {
	order := []State{OK, Unknown, Warning, Problem}
	return order[max(slices.Index(order, a), slices.Index(order, b))]
}

// grade returns Problem if problem is set, Warning if warning is, and OK otherwise.
func grade(problem, warning bool) State {
	switch {
	case problem:
		return Problem
	case warning:
		return Warning
	}
	return OK
}
