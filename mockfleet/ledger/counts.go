package ledger

// Counts count what one device received and did, or, as sums, what several devices did.
type Counts[N uint32 | uint64] struct {
	Pushes               N `json:"pushes"`                 // updates received, whole or broken off
	Applied              N `json:"applied"`                // updates installed
	AppliedTwice         N `json:"applied_twice"`          // of those, of the version and digest that it ran already
	Repeats              N `json:"repeats"`                // acknowledged as a repeat of the update that it runs
	Rejected             N `json:"rejected"`               // answered 3xx, 4xx or 5xx, and not applied
	ForcedRejects        N `json:"forced_rejects"`         // of those, the ones that its behavior made fail
	FalseAcks            N `json:"false_acks"`             // acknowledged and not applied: the fault ok-but-not-applied
	InstallFailures      N `json:"install_failures"`       // taken, and then not to be installed: the fault failed-install
	Incomplete           N `json:"incomplete"`             // broken off before the last byte
	Verifies             N `json:"verifies"`               // looks at the version
	Misdirected          N `json:"misdirected"`            // pushes whose X-Device-ID named another device
	ConnectionsOverLimit N `json:"connections_over_limit"` // connections beyond those that its behavior lets it have

	// ConnectionsAborted counts the connections that a fault ended unanswered: as they were
	// accepted (in path addressing, as their first request came), or as they were used again.
	ConnectionsAborted N `json:"connections_aborted"`
}

// Counter is one of the Counts.
type Counter[N uint32 | uint64] struct {
	Name  string // in JSON and in queries
	Count *N
}

// All lists the counts in the order in which JSON has them. Code that adds, writes, reads or looks
// up counts uses this list.
func (c *Counts[N]) All() [13]Counter[N] {
	return [...]Counter[N]{
		{"pushes", &c.Pushes}, {"applied", &c.Applied}, {"applied_twice", &c.AppliedTwice}, {"repeats", &c.Repeats},
		{"rejected", &c.Rejected}, {"forced_rejects", &c.ForcedRejects}, {"false_acks", &c.FalseAcks},
		{"install_failures", &c.InstallFailures}, {"incomplete", &c.Incomplete}, {"verifies", &c.Verifies},
		{"misdirected", &c.Misdirected}, {"connections_over_limit", &c.ConnectionsOverLimit},
		{"connections_aborted", &c.ConnectionsAborted},
	}
}

// Totals are the sums over the devices of a fleet, or of a part of it.
type Totals struct {
	Updated uint64 `json:"updated"` // devices with at least one update applied
	Counts[uint64]
	Injections    uint64 `json:"injections"` // injections of faults, of every kind
	BytesReceived uint64 `json:"bytes_received"`
}

// Add adds the totals of another part.
func (t *Totals) Add(other *Totals) {
	t.Updated += other.Updated
	t.Injections += other.Injections
	t.BytesReceived += other.BytesReceived
	added := other.All()
	for i, c := range t.All() {
		*c.Count += *added[i].Count
	}
}

// bytesReceived is the name of a count that isn't in Counts, because it needs 64 bits in an entry
// too.
const bytesReceived = "bytes_received"

// currentName returns the current name of a count that is given by its current or its former name.
// Queries take names of the release before for one release; a Reader refuses them.
func currentName(name string) string {
	switch name {
	case "feigned":
		return "false_acks"
	case "unfit":
		return "install_failures"
	case "struck":
		return "connections_aborted"
	case "turned_away":
		return "connections_over_limit"
	case "misaddressed":
		return "misdirected"
	case "faulted":
		return "forced_rejects"
	case "broken":
		return "incomplete"
	case "injected": // of Totals
		return "injections"
	}
	return name
}
