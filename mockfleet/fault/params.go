package fault

import "strings"

// Params is a set of fields of Fault.
type Params uint16

// The fields of Fault that only some kinds take.
const (
	ParamOn Params = 1 << iota
	ParamFirst
	ParamAfterBytes
	ParamRate
	ParamDelay
	ParamStatus
	ParamRetryAfter
	ParamOrigin
)

// ParamNames returns the JSON names of the fields above, in the order of their bits.
func ParamNames() []string {
	return []string{"on", "first", "after_bytes", "rate", "delay", "status", "retry_after", "origin"}
}

// Names returns the names of the fields in JSON, or nil if there are none.
func (p Params) Names() (names []string) {
	for i, name := range ParamNames() {
		if p&(1<<i) != 0 {
			names = append(names, name)
		}
	}
	return names
}

// String lists the fields, and share, which every kind takes.
func (p Params) String() string { return strings.Join(append([]string{"share"}, p.Names()...), ", ") }
