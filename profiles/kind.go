package profiles

import (
	"fmt"
	"slices"
	"strings"

	"github.com/google/pprof/profile"
)

// A Kind names what a profile counts. It is the first part of a file's name.
type Kind string

// The kinds of profile, each with its sample types. pprof shows the last type by default.
const (
	CPU       Kind = "cpu"       // samples (count), cpu (nanoseconds), at 100 Hz
	Heap      Kind = "heap"      // inuse_objects (count), inuse_space (bytes)
	Allocs    Kind = "allocs"    // alloc_objects (count), alloc_space (bytes)
	Goroutine Kind = "goroutine" // goroutine (count)
	Mutex     Kind = "mutex"     // contentions (count), delay (nanoseconds): who held the lock
	Block     Kind = "block"     // contentions (count), delay (nanoseconds): who waited
)

// Trace is the kind of an execution trace's [File]. It isn't among [Kinds], since an execution
// trace isn't a profile: go tool trace reads it.
const Trace Kind = "trace"

// A kindEntry describes the profiles of a kind.
type kindEntry struct {
	kind     Kind
	types    []profile.ValueType // the columns of a file
	snapshot bool                // it counts what exists at one moment
}

// kindTable returns a description of each kind, in the order in which kinds are written and shown.
//
// The runtime writes the same four columns into heap and allocs profiles. Two of them would be
// wrong in a file of one repetition: in heap, allocations since the process started, and in allocs,
// the growth of live memory, which may be negative. So each file has only the two columns of its
// kind.
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

// ParseKind returns the kind with a name, which must match exactly.
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

// heldBy reports whether a profile has all sample types of this kind. A heap profile from
// net/http/pprof holds both heap and allocs. Mutex and block have the same types, so they can't be
// told apart.
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

// KindOf returns the first kind that has a sample type of that name. It returns "" if no kind has
// one, as in a profile of another program.
func KindOf(sampleType string) Kind { return entryOf(sampleType).kind }

// IsSnapshot reports whether a sample type counts what exists at one moment, such as live objects,
// rather than what happened over time.
func IsSnapshot(sampleType string) bool { return entryOf(sampleType).snapshot }

func entryOf(sampleType string) kindEntry {
	for _, e := range kindTable() {
		if slices.ContainsFunc(e.types, func(t profile.ValueType) bool { return t.Type == sampleType }) {
			return e
		}
	}
	return kindEntry{}
}
