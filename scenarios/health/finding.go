package health

import "slices"

// A Finding is one reason why the figures of a repetition or a run can't be trusted. Two findings
// are equal if they say the same.
type Finding struct {
	Kind   Kind
	Detail string // what was found, with its numbers
}

// Kind classifies findings. run.json contains it, so programs may base decisions on it.
type Kind string

// The kinds of findings.
const (
	Contradiction    Kind = "contradiction"     // the fleet's ledger contradicts the client
	FleetReset       Kind = "fleet-reset"       // somebody else reset the fleet, so that its ledger is of a part
	FleetSaturated   Kind = "fleet-saturated"   // the fleet limited the load
	HarnessSaturated Kind = "harness-saturated" // the driver limited the load
	BehindSchedule   Kind = "behind-schedule"   // an open load fell behind its plan
	NothingSucceeded Kind = "nothing-succeeded" // no operation succeeded
	BrokenOff        Kind = "broken-off"        // operations were broken off at the end of the load's drain
	LatencyOverflow  Kind = "latency-overflow"  // latencies were longer than is recorded
	Leak             Kind = "leak"              // the client kept resources
	NoLimit          Kind = "no-limit"          // a search for the highest rate found none that holds
	LimitElsewhere   Kind = "limit-elsewhere"   // the highest rate that a search found isn't limited by the devices
	LimitUncertain   Kind = "limit-uncertain"   // the highest rate that a search found may be too low: a higher one was unclear
	ClientProcess    Kind = "client-process"    // too many operations failed because the client's processes died, hung or answered nonsense
	DevicesLeftOut   Kind = "left-out"          // the service never contacted devices that nothing hindered it to reach
	ServiceEnded     Kind = "service-ended"     // the service ended before its rollout was over
	TargetLost       Kind = "target-lost"       // the fleet ended or stopped answering
	AgentLost        Kind = "agent-lost"        // an agent said nothing for longer than its lease, or failed
	StartSkew        Kind = "start-skew"        // the agents began a repetition too far apart
	AgentsDisagree   Kind = "agents-disagree"   // what the agents measured doesn't fit together, so that it can't be merged
	NATSLost         Kind = "nats-lost"         // the agents and their controller lost the server between them
	RunFailed        Kind = "run-failed"        // another error ended the run
)

// String returns the finding as a sentence.
func (f Finding) String() string {
	switch f.Kind {
	case Contradiction:
		return "the fleet's ledger contradicts the client: " + f.Detail
	case FleetSaturated:
		return "the fleet was the bottleneck: " + f.Detail
	case HarnessSaturated:
		return "the harness was the bottleneck: " + f.Detail
	case BehindSchedule:
		return "behind schedule: " + f.Detail
	case NothingSucceeded:
		return "no operation succeeded: " + f.Detail
	case Leak:
		return "a leak: " + f.Detail
	case ClientProcess:
		return "the client's processes failed: " + f.Detail
	case DevicesLeftOut:
		return "the service left devices out: " + f.Detail
	case ServiceEnded:
		return "the service ended before its rollout was over: " + f.Detail
	case AgentLost:
		return "an agent was lost: " + f.Detail
	case StartSkew:
		return "the agents didn't begin together: " + f.Detail
	case AgentsDisagree:
		return "the agents disagree: " + f.Detail
	case NATSLost:
		return "the connection to NATS was lost: " + f.Detail
	case NoLimit:
		return "the search has no lower end: " + f.Detail
	}
	return f.Detail
}

// Has reports whether one of the findings is of a kind.
func Has(findings []Finding, kind Kind) bool {
	return slices.ContainsFunc(findings, func(f Finding) bool { return f.Kind == kind })
}
