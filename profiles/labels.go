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

// OperationsLabel is the label that says how many operations a profile covers. It lets profiles of
// different length be compared by cost per operation.
const OperationsLabel = "operations"

// ProcessorLabel is the label of a CPU profile that says how much processor time its operations
// took according to the system, in nanoseconds. Package explain takes the total from it, since the
// sum of the samples is accurate only to some percent.
const ProcessorLabel = "processor-ns"

// MachineLabel is the label that identifies the machine on which a profile was captured. Package
// explain warns if times come from different machines.
const MachineLabel = "machine"

// Labels that say how a profile was captured: the kinds that were captured at the same time, whose
// cost its processor time includes; and the mean number of allocated bytes per sample, where 1
// means that every object is sampled.
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

// Labels returns the labels that [Comments] put into a profile. If merged repetitions have
// different values for a key, the last value counts. Other comments are left out.
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

// Comments returns labels as comments for a profile, sorted by key. [Labels] parses them.
func Comments(labels map[string]string) (list []string) {
	for _, key := range slices.Sorted(maps.Keys(labels)) {
		list = append(list, key+"="+labels[key])
	}
	return list
}

// CheckLabels returns an error that names a label that a profile can't carry. A profile has at most
// 16 labels. A key has 1 to 64 characters of a-z, 0-9, '_', '-' and '.'; a value has at most 256
// bytes of printable UTF-8.
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

// SetLabel replaces the values that a profile has for a label by one.
func SetLabel(p *profile.Profile, key, value string) {
	p.Comments = append(slices.DeleteFunc(p.Comments, func(comment string) bool {
		return strings.HasPrefix(comment, key+"=")
	}), key+"="+value)
}

// LabelSamples labels every sample of a profile, for tools such as go tool pprof -tagfocus. Samples
// with different labels stay apart when profiles are merged.
func LabelSamples(p *profile.Profile, key, value string) {
	for _, s := range p.Sample {
		if s.Label == nil {
			s.Label = map[string][]string{}
		}
		s.Label[key] = []string{value}
	}
}

// Operations returns how many operations a profile covers, or 0 if it doesn't say.
func Operations(p *profile.Profile) int64 { return IntLabel(p, OperationsLabel) }

// IntLabel returns the value of a label that is a number, or 0 if the profile lacks it.
func IntLabel(p *profile.Profile, label string) int64 {
	n, err := strconv.ParseInt(Labels(p)[label], 10, 64)
	if err != nil || n < 0 {
		return 0
	}
	return n
}

// mergeComments returns the comments of a profile that is merged from two. Labels that count, such
// as operations, are added up; any other comment appears once.
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
