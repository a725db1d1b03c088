package ledger

import "github.com/fleetmark/fleetmark/internal/wire"

// Entry is what the fleet witnessed of one device since the start or the last Reset. At every
// moment,
//
//	Pushes = Applied + Repeats + Rejected + FalseAcks + InstallFailures + Incomplete + (1 if an update is under way)
type Entry struct {
	Device int    `json:"device"`          // index
	ID     string `json:"id"`              // of the device
	Group  string `json:"group,omitempty"` // empty if the fleet has no groups

	Counts[uint32]
	Faults map[string]uint32 `json:"faults,omitempty"` // how often each kind of fault acted; nil if none did

	BytesReceived uint64     `json:"bytes_received"` // of artifacts, broken off ones included
	Version       string     `json:"version"`        // that it runs
	Digest        string     `json:"digest"`         // SHA-256 in lower-case hex; empty before the first update
	State         wire.State `json:"state"`          // as the device tells it
	Stage         Stage      `json:"stage"`          // as the fleet knows it
	UpdatedAt     string     `json:"updated_at"`     // RFC 3339, UTC, whole seconds; empty before the first update
	ContactedNS   int64      `json:"contacted_ns"`   // first contact, since the start or the last reset, to 0.1 ms; 0: none
	UpdatedNS     int64      `json:"updated_ns"`     // when it began to run its update, counted as contacted_ns; 0: it runs none
}

// countOf returns the count of that name, or 0 if there is none.
func (e *Entry) countOf(name string) uint64 {
	name = currentName(name)
	for _, c := range e.All() {
		if c.Name == name {
			return uint64(*c.Count)
		}
	}
	if name == bytesReceived {
		return e.BytesReceived
	}
	return 0
}
