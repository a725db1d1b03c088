package profiles

import (
	"strconv"
	"strings"

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

// Labels of how a profile was taken: with which kinds at the same time, whose cost is in its processor time; and
// a sample for how many bytes that were allocated, on average. 1 is each object.
const (
	WithLabel    = "taken-with"
	SampledLabel = "bytes-a-sample"
)

// perOperations is what a normalized profile is of: so many that what one operation costs survives in
// whole units, and that a second is a microsecond an operation, a megabyte a byte.
const perOperations = 1_000_000

// momentary reports whether a number is of the moment at which it was read, such as what is live.
func momentary(sampleType string) bool {
	return strings.HasPrefix(sampleType, "inuse_") || sampleType == "goroutine"
}

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
