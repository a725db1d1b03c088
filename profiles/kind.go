package profiles

import (
	"fmt"
	"slices"
	"strings"

	"github.com/google/pprof/profile"
)

// Kind names what a profile counts. It is the first part of a file's name.
type Kind string

// The kinds of profile, each with its sample types; pprof shows the last one
// unless it is told otherwise.
const (
	CPU       Kind = "cpu"       // samples (count), cpu (nanoseconds), at 100 Hz
	Heap      Kind = "heap"      // inuse_objects (count), inuse_space (bytes)
	Allocs    Kind = "allocs"    // alloc_objects (count), alloc_space (bytes)
	Goroutine Kind = "goroutine" // goroutine (count)
	Mutex     Kind = "mutex"     // contentions (count), delay (nanoseconds): who held the lock
	Block     Kind = "block"     // contentions (count), delay (nanoseconds): who waited
)

// Trace is the kind of an execution trace's [File]. It is no profile, so it is none of [Kinds]: go
// tool trace reads it.
const Trace Kind = "trace"

// A kindEntry says what the profiles of a kind hold.
type kindEntry struct {
	kind     Kind
	types    []profile.ValueType // the columns of a file
	snapshot bool                // it counts what there is at a moment
}

// kindTable returns what is known of every kind, in the order in which they are written and shown.
//
// The runtime writes all four columns of the heap into heap and allocs alike. Two of them would be
// wrong in our files: allocations since the process started, beside one repetition; and growth that
// may be negative, beside totals. Each file keeps the two that answer its question.
func kindTable() []kindEntry {
	waits := []profile.ValueType{{Type: "contentions", Unit: "count"}, {Type: "delay", Unit: "nanoseconds"}}
	return []kindEntry{
		{CPU, []profile.ValueType{{Type: "samples", Unit: "count"}, {Type: "cpu", Unit: "nanoseconds"}}, false},
		{Heap, []profile.ValueType{{Type: "inuse_objects", Unit: "count"}, {Type: "inuse_space", Unit: "bytes"}}, true},
		{Allocs, []profile.ValueType{{Type: "alloc_objects", Unit: "count"}, {Type: "alloc_space", Unit: "bytes"}}, false},
		{Goroutine, []profile.ValueType{{Type: "goroutine", Unit: "count"}}, true},
		{Mutex, waits, false},
		{Block, waits, false},
	}
}

// Kinds lists every kind, in the order in which they are written and shown.
func Kinds() (kinds []Kind) {
	for _, e := range kindTable() {
		kinds = append(kinds, e.kind)
	}
	return kinds
}

// ParseKind reads the name of a kind. It is exact: lower case, no spaces.
func ParseKind(s string) (Kind, error) {
	k := Kind(s)
	if k.sampleTypes() == nil {
		return "", fmt.Errorf("profile kind %q: unknown: want one of %s", s, joinKinds(Kinds()))
	}
	return k, nil
}

// sampleTypes returns the columns of a file of this kind, or nil for an unknown kind.
func (k Kind) sampleTypes() []profile.ValueType {
	for _, e := range kindTable() {
		if e.kind == k {
			return e.types
		}
	}
	return nil
}

// heldBy reports whether a profile counts what one of this kind counts. A heap profile as
// net/http/pprof serves it holds both heap and allocs; mutex and block can't be told apart.
func (k Kind) heldBy(p *profile.Profile) bool {
	types := k.sampleTypes()
	return valueIndex(p, types[len(types)-1].Type) >= 0
}

// joinKinds returns the names of kinds, separated by commas.
func joinKinds(kinds []Kind) string {
	names := make([]string, len(kinds))
	for i, k := range kinds {
		names[i] = string(k)
	}
	return strings.Join(names, ", ")
}

// KindOf returns the first kind whose profiles have a sample type of that name, or "" for another
// program's own.
func KindOf(sampleType string) Kind { return entryOf(sampleType).kind }

// IsSnapshot reports whether numbers of a sample type are of the moment at which they were read,
// such as what is live.
func IsSnapshot(sampleType string) bool { return entryOf(sampleType).snapshot }

func entryOf(sampleType string) kindEntry {
	for _, e := range kindTable() {
		if slices.ContainsFunc(e.types, func(t profile.ValueType) bool { return t.Type == sampleType }) {
			return e
		}
	}
	return kindEntry{}
}
