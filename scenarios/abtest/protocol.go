package abtest

import (
	"encoding/json"
	"time"

	"github.com/fleetmark/fleetmark/profiles"
	"github.com/fleetmark/fleetmark/results"
	"github.com/fleetmark/fleetmark/scenarios"
)

// protocol is the version of the protocol between the gate and its drivers. The gate refuses a
// driver with another version.
const protocol = 3

// A hello is the first line on a driver's standard input. It isn't passed in the driver's arguments
// because it holds a token, and everybody on the machine can read arguments.
type hello struct {
	Protocol int          `json:"protocol"`
	Work     []assignment `json:"work"`

	EveryAllocation bool `json:"every_allocation,omitempty"` // in profiles, rather than a sample
}

// An assignment is one scenario and the fleet for it.
type assignment struct {
	spec scenarios.Spec // before a side's client was put in

	Spec    json.RawMessage `json:"spec"`
	Fleet   string          `json:"fleet"`
	Control string          `json:"control"`
	Token   string          `json:"token"`
	CA      string          `json:"ca,omitempty"`

	Machine string `json:"machine,omitempty"` // the machine, for the comments of profiles
}

// A request is any later line. The driver does what its fields say, in their order.
type request struct {
	Injection *Injection      `json:"plant,omitempty"`
	Measure   bool            `json:"measure,omitempty"` // a block
	Profile   *profileRequest `json:"profile,omitempty"`
	Scenario  int             `json:"scenario,omitempty"` // an index of the hello's work
}

// A profileRequest asks for a profile of a scenario.
type profileRequest struct {
	Dir         string        `json:"dir"`
	Kind        profiles.Kind `json:"kind"`
	Number      int           `json:"number"`
	Nanoseconds time.Duration `json:"nanoseconds"`
}

// A response is a driver's line for the hello, and for each request.
type response struct {
	Protocol int              `json:"protocol"`
	Records  []results.Record `json:"records,omitempty"`
	Invalid  []string         `json:"invalid,omitempty"` // why the records can't be trusted

	Contradicted bool   `json:"contradicted,omitempty"` // the fleet's ledger contradicts the client
	Error        string `json:"error,omitempty"`        // why nothing was measured
}
