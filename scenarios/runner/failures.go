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
	"github.com/fleetmark/fleetmark/scenarios"
	"github.com/fleetmark/fleetmark/scenarios/load"
	"github.com/fleetmark/fleetmark/scenarios/portion"
)

// A Failure is a failed operation, as a line of failures.jsonl.
type Failure struct {
	Repetition int `json:"repetition"` // number of the repetition, from 1
	load.Failure

	// Fleet is what the device itself saw in this repetition. It is nil if no ledger has it.
	Fleet *portion.LedgerExcerpt `json:"fleet,omitempty"`
}

func newLedgerExcerpt(e ledger.Entry) *portion.LedgerExcerpt {
	return &portion.LedgerExcerpt{
		Pushes: e.Pushes, Applied: e.Applied, Rejected: e.Rejected, Injected: e.ForcedRejects, Broken: e.Incomplete,
		Verifies: e.Verifies, Aborted: e.ConnectionsAborted, Faults: e.Faults, Version: e.Version,
	}
}

// writeFailures writes the sampled failures of a repetition, with what the ledger says about their
// devices, as a JSON object on each line. The lines have the devices' numbers of all shards.
func writeFailures(
	w io.Writer, repetition int, shard scenarios.ShardSpec, sample []load.Failure, ledger map[int]*portion.LedgerExcerpt,
) error {
	enc := json.NewEncoder(w)
	for _, f := range sample {
		excerpt := ledger[f.Device]
		f.Device = shard.Fleet().Number(f.Device)
		if err := enc.Encode(Failure{repetition, f, excerpt}); err != nil {
			return err
		}
	}
	return nil
}

// classesText returns how many operations failed in each class, most frequent first, such as "12
// timeout, 3 permanent".
func classesText[N int | int64](classes map[string]N) string {
	names := slices.SortedFunc(maps.Keys(classes), func(a, b string) int {
		return cmp.Or(cmp.Compare(classes[b], classes[a]), cmp.Compare(a, b))
	})
	for i, name := range names {
		names[i] = plaintext.Thousands(int64(classes[name])) + " " + name
	}
	return strings.Join(names, ", ")
}
