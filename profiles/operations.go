package profiles

import (
	"strconv"

	"github.com/google/pprof/profile"
)

// OperationsLabel is the label of a profile that says how many operations it saw. With it the
// profiles of two runs can be held against each other, however long either of them went on.
const OperationsLabel = "operations"

// ProcessorLabel is the label of a CPU profile that says how much processor time its operations took by the
// system's account, in nanoseconds. That is exact, where the samples' sum is known to some percent; so
// [Explain] takes the whole from there.
const ProcessorLabel = "processor-ns"

// MachineLabel is the label of a profile that says which machine it was taken on, by a value that tells it
// from others. With it [Explain] says where a difference in time may be one of machines.
const MachineLabel = "machine"

// perOperations is what a normalized profile is of: so many that what one operation costs survives in
// whole units, and that a second is a microsecond an operation, a megabyte a byte.
const perOperations = 1_000_000

// Operations reads how many operations a profile saw; 0: it doesn't say.
func Operations(p *profile.Profile) int64 { return number(p, OperationsLabel) }

// number reads a label that is one; 0: there is none.
func number(p *profile.Profile, label string) int64 {
	n, err := strconv.ParseInt(Labels(p)[label], 10, 64)
	if err != nil || n < 0 {
		return 0
	}
	return n
}
