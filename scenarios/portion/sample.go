package portion

import (
	"strings"
	"unicode"

	"github.com/fleetmark/fleetmark/internal/plaintext"
	"github.com/fleetmark/fleetmark/scenarios/load"
)

// How many texts of agents are kept.
const (
	maxAlike = 5   // of a kind
	maxTold  = 200 // of all kinds
)

// A textSample holds the first few texts of each kind that agents sent, and counts the rest, so
// that what a thousand agents say alike is a few lines. The zero value is empty.
type textSample struct {
	kinds  []*textKind // in the order in which they came
	kept   int
	others int // texts of kinds that aren't in kinds
}

// A textKind holds texts of a kind.
type textKind struct {
	name  string
	texts []string
	more  int // how many weren't kept
}

// add adds a text of an agent.
func (s *textSample) add(kind, agent, text string) {
	var k *textKind
	for _, of := range s.kinds {
		if of.name == kind {
			k = of
		}
	}
	switch {
	case k == nil && s.kept == maxTold:
		s.others++
		return
	case k == nil:
		k = &textKind{name: kind}
		s.kinds = append(s.kinds, k)
	case s.kept == maxTold || len(k.texts) == maxAlike:
		k.more++
		return
	}
	k.texts = append(k.texts, "agent "+agent+": "+text)
	s.kept++
}

// all yields each text with its kind. After those of a kind it yields how many more there were.
func (s *textSample) all(yield func(kind, text string) bool) {
	const where = " are in the agents' own run directories"
	for i, k := range s.kinds {
		texts := k.texts
		if k.more > 0 {
			texts = append(texts[:len(texts):len(texts)], plaintext.Thousands(k.more)+" more like that"+where)
		}
		if i == len(s.kinds)-1 && s.others > 0 {
			texts = append(texts[:len(texts):len(texts)], plaintext.Thousands(s.others)+" more of other kinds"+where)
		}
		for _, text := range texts {
			if !yield(k.name, text) {
				return
			}
		}
	}
}

// texts returns what all yields.
func (s *textSample) texts() (list []string) {
	for _, text := range s.all {
		list = append(list, text)
	}
	return list
}

// withoutDigits returns the kind of a text: texts that differ only in numbers are of one kind.
func withoutDigits(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsDigit(r) {
			return -1
		}
		return r
	}, text)
}

// sampleFailures returns no more failures of a class than one agent keeps, and no more of all: the
// first of each agent, then the second, and so on.
func sampleFailures(list []*Portion) (sample []Failure) {
	kept := map[string]int{}
	for i, some := 0, true; some; i++ {
		some = false
		for _, p := range list {
			if i >= len(p.Failures) {
				continue
			}
			some = true
			if f := p.Failures[i]; kept[f.Class] < load.FailuresPerClass && len(sample) < maxFailures {
				kept[f.Class]++
				sample = append(sample, f)
			}
		}
	}
	return sample
}
