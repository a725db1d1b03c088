package profiles

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/google/pprof/profile"

	"github.com/fleetmark/fleetmark/profiles/internal/stack"
)

// OperationsLabel is the label of a profile that says how many operations it saw. With it the
// profiles of two runs can be held against each other, however long either of them went on.
const OperationsLabel = "operations"

// ProcessorLabel is the label of a CPU profile that says how much processor time its operations
// took by the system's account, in nanoseconds. That is exact, where the samples' sum is known to
// some percent; so package explain takes the whole from there.
const ProcessorLabel = "processor-ns"

// MachineLabel is the label of a profile that says which machine it was taken on, by a value that
// tells it from others. With it package explain says where a difference in time may be one of
// machines.
const MachineLabel = "machine"

// Labels of how a profile was taken: with which kinds at the same time, whose cost is in its
// processor time; and a sample for how many bytes that were allocated, on average. 1 is each
// object.
const (
	TakenWithLabel      = "taken-with"
	BytesPerSampleLabel = "bytes-a-sample"
)

const (
	maxLabels     = 16
	maxLabelKey   = 64  // bytes
	maxLabelValue = 256 // bytes
	labelKeyRunes = "abcdefghijklmnopqrstuvwxyz0123456789_-."
)

// Labels reads back what [Comments] put into a profile. Where repetitions with different
// labels were merged, the last value of a key stands; comments of another shape are left out.
func Labels(p *profile.Profile) map[string]string {
	labels := make(map[string]string)
	for _, comment := range p.Comments {
		key, value, ok := strings.Cut(comment, "=")
		if ok && key != "" && strings.Trim(key, labelKeyRunes) == "" {
			labels[key] = value
		}
	}
	return labels
}

// Comments returns labels as comments of a profile, sorted by key. [Labels] reads them back.
func Comments(labels map[string]string) (list []string) {
	for _, key := range slices.Sorted(maps.Keys(labels)) {
		list = append(list, key+"="+labels[key])
	}
	return list
}

// CheckLabels returns an error that names a label that a profile can't carry. There may be 16; a
// key is 1 to 64 of a-z, 0-9, '_', '-' and '.', a value at most 256 bytes of printable UTF-8.
func CheckLabels(labels map[string]string) error {
	if len(labels) > maxLabels {
		return fmt.Errorf("profile configuration: %d labels: want at most %d", len(labels), maxLabels)
	}
	for _, key := range slices.Sorted(maps.Keys(labels)) {
		if key == "" || len(key) > maxLabelKey || strings.Trim(key, labelKeyRunes) != "" {
			return fmt.Errorf("profile configuration: label %q: want a key of 1 to %d of a-z, 0-9, '_', '-' and '.'",
				key, maxLabelKey)
		}
		value := labels[key]
		if len(value) > maxLabelValue || Printable(value) != value {
			return fmt.Errorf("profile configuration: label %s: want a value of at most %d bytes of printable text",
				key, maxLabelValue)
		}
	}
	return nil
}

// Operations returns how many operations a profile saw, or 0 if it doesn't say.
func Operations(p *profile.Profile) int64 { return IntLabel(p, OperationsLabel) }

// IntLabel returns a label that is a number, or 0 if there is none.
func IntLabel(p *profile.Profile, label string) int64 {
	n, err := strconv.ParseInt(Labels(p)[label], 10, 64)
	if err != nil || n < 0 {
		return 0
	}
	return n
}

// mergeComments returns the comments of two profiles that are merged: what they count is added up,
// the rest is said once.
func mergeComments(a, b *profile.Profile) (comments []string) {
	for _, comment := range slices.Concat(a.Comments, b.Comments) {
		key, _, _ := strings.Cut(comment, "=")
		if counts := key == OperationsLabel || key == ProcessorLabel; counts && IntLabel(a, key) > 0 && IntLabel(b, key) > 0 {
			all, _ := stack.AddSaturated(IntLabel(a, key), IntLabel(b, key))
			comment = key + "=" + strconv.FormatInt(all, 10)
		}
		if !slices.Contains(comments, comment) {
			comments = append(comments, comment)
		}
	}
	return comments
}
