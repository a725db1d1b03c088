package runner

import (
	"cmp"
	"encoding/json"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/fleetmark/fleetmark/internal/plaintext"
	"github.com/fleetmark/fleetmark/mockfleet/ledger"
	"github.com/fleetmark/fleetmark/scenarios/load"
)

// A Failure is a failed operation, as a line of failures.jsonl.
type Failure struct {
	Repetition int `json:"repetition"` // number of the repetition, from 1
	load.Failure

	// Fleet is what the device itself saw in this repetition. It is nil if no ledger has it.
	Fleet *LedgerExcerpt `json:"fleet,omitempty"`
}

// A LedgerExcerpt is what the ledger says about the device of a failed operation.
type LedgerExcerpt struct {
	Pushes   uint32            `json:"pushes"`                        // updates that the device received
	Applied  uint32            `json:"applied"`                       // updates that it installed
	Rejected uint32            `json:"rejected"`                      // updates that it answered 3xx, 4xx or 5xx
	Injected uint32            `json:"injected"`                      // of those, the ones that a fault asked for
	Broken   uint32            `json:"broken"`                        // updates broken off before the last byte
	Verifies uint32            `json:"verifies"`                      // requests for its version
	Aborted  uint32            `json:"connections_aborted,omitempty"` // connections that a fault ended unanswered
	Faults   map[string]uint32 `json:"faults,omitempty"`              // how often each kind of fault acted
	Version  string            `json:"version"`                       // that it runs
}

func newLedgerExcerpt(e ledger.Entry) *LedgerExcerpt {
	return &LedgerExcerpt{
		Pushes: e.Pushes, Applied: e.Applied, Rejected: e.Rejected, Injected: e.ForcedRejects, Broken: e.Incomplete,
		Verifies: e.Verifies, Aborted: e.ConnectionsAborted, Faults: e.Faults, Version: e.Version,
	}
}

// writeFailures writes the sampled failures of a repetition, with what the ledger says about their
// devices, as a JSON object on each line.
func writeFailures(w io.Writer, repetition int, sample []load.Failure, ledger map[int]*LedgerExcerpt) error {
	enc := json.NewEncoder(w)
	for _, f := range sample {
		if err := enc.Encode(Failure{repetition, f, ledger[f.Device]}); err != nil {
			return err
		}
	}
	return nil
}

// classesText returns how many operations failed in each class, most frequent first, such as "12
// timeout, 3 permanent".
func classesText(f *load.Failures) string {
	classes := f.ByClass()
	names := slices.SortedFunc(maps.Keys(classes), func(a, b string) int {
		return cmp.Or(cmp.Compare(classes[b], classes[a]), cmp.Compare(a, b))
	})
	for i, name := range names {
		names[i] = plaintext.Thousands(int64(classes[name])) + " " + name
	}
	return strings.Join(names, ", ")
}
