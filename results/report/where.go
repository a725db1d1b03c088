package report

import (
	"fmt"
	"strings"
	"time"
)

// A fact is something to know of where and how it was measured.
type fact struct {
	name, value string
	code        bool // a name of something, rather than words
}

// where lists what is known of the two sides' machines and sources.
func (s *Subject) where() (facts []fact) {
	add := func(name, value string, code bool) {
		if value != "" {
			facts = append(facts, fact{name, value, code})
		}
	}
	if m := s.Now.Machine; m != nil {
		add("machine", m.String(), false)
	}
	if m := s.Base.Machine; m != nil && (s.Now.Machine == nil || m.String() != s.Now.Machine.String()) {
		add("machine of "+s.baseLabel(), m.String(), false)
	}
	add("revision", s.Now.Revision, true)
	add("revision of "+s.baseLabel(), s.Base.Revision, true)
	if run := s.Now.Run; run != nil {
		add("transport", run.Transport, false)
		add("addressing", run.Addressing, false)
	}
	if at := s.measured(); !at.IsZero() {
		add("started", at.Format(time.RFC3339), false)
	}
	if run := s.Now.Run; run != nil && !run.Finished.IsZero() {
		add("finished", run.Finished.UTC().Format(time.RFC3339), false)
	}
	return facts
}

// sides says in a line what is held against what; empty where only one side has a name.
func (s *Subject) sides() string {
	if s.Base.Label == "" && s.Base.Run == nil {
		return ""
	}
	name := func(label string, side Side) string {
		var known []string
		if side.Revision != "" && side.Revision != unknown {
			known = append(known, "revision "+side.Revision)
		}
		if n := side.repetitions(); n > 0 {
			known = append(known, count(n, "repetition"))
		}
		if len(known) == 0 {
			return label
		}
		return fmt.Sprintf("%s (%s)", label, strings.Join(known, ", "))
	}
	return fmt.Sprintf("%s is held against %s.", name(s.nowLabel(), s.Now), name(s.baseLabel(), s.Base))
}
