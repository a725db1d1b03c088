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

// Failure is one failed operation, a line of failures.jsonl.
type Failure struct {
	Repetition int `json:"repetition"`
	load.Failure

	// Fleet is what the device itself saw in this repetition; nil where there is no ledger.
	Fleet *LedgerExcerpt `json:"fleet,omitempty"`
}

// LedgerExcerpt is the ledger's part of a failure.
type LedgerExcerpt struct {
	Pushes   uint32            `json:"pushes"`
	Applied  uint32            `json:"applied"`
	Rejected uint32            `json:"rejected"`
	Injected uint32            `json:"injected"` // failures that the device was told to make
	Broken   uint32            `json:"broken"`
	Verifies uint32            `json:"verifies"`
	Aborted  uint32            `json:"connections_aborted,omitempty"` // connections that a fault ended unanswered
	Faults   map[string]uint32 `json:"faults,omitempty"`              // how often each kind of fault struck
	Version  string            `json:"version"`
}

func newLedgerExcerpt(e ledger.Entry) *LedgerExcerpt {
	return &LedgerExcerpt{e.Pushes, e.Applied, e.Rejected, e.ForcedRejects, e.Incomplete, e.Verifies, e.ConnectionsAborted, e.Faults, e.Version}
}

// writeFailures appends a repetition's sample, a JSON object a line, with what the ledger says of
// the devices.
func writeFailures(w io.Writer, repetition int, sample []load.Failure, ledger map[int]*LedgerExcerpt) error {
	enc := json.NewEncoder(w)
	for _, f := range sample {
		if err := enc.Encode(Failure{repetition, f, ledger[f.Device]}); err != nil {
			return err
		}
	}
	return nil
}

// classesText names the classes of the repetition's failures, most frequent first: "12 timeout, 3
// refused".
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
