package ledger

import (
	"cmp"
	"iter"
	"maps"
	"slices"
)

// Summary adds up entries of the ledger.
type Summary struct {
	Devices  uint64            `json:"devices"`  // how many entries there are
	Counts   map[string]uint64 `json:"counts"`   // the sums of their counts, by name
	Stages   map[Stage]uint64  `json:"stages"`   // how many of the devices are in each stage
	Faults   map[string]uint64 `json:"faults"`   // how often each kind of fault acted
	Versions map[string]uint64 `json:"versions"` // how many of the devices run each version: the 100 that most do
}

const summaryVersions = 100

// Summarize adds up entries.
func Summarize(entries iter.Seq[Entry]) Summary {
	s := Summary{
		Counts: map[string]uint64{}, Stages: map[Stage]uint64{}, Faults: map[string]uint64{}, Versions: map[string]uint64{},
	}
	for e := range entries {
		s.Devices++
		for _, c := range e.All() {
			s.Counts[c.Name] += uint64(*c.Count)
		}
		s.Counts[bytesReceived] += e.BytesReceived
		for kind, times := range e.Faults {
			s.Faults[kind] += uint64(times)
		}
		s.Stages[e.Stage]++
		s.Versions[e.Version]++
	}
	if len(s.Versions) > summaryVersions {
		names := slices.SortedFunc(maps.Keys(s.Versions), func(a, b string) int {
			return cmp.Or(cmp.Compare(s.Versions[b], s.Versions[a]), cmp.Compare(a, b))
		})
		for _, name := range names[summaryVersions:] {
			delete(s.Versions, name)
		}
	}
	return s
}
