package mockfleet

import (
	"math"
	"time"
)

// plan is a behaviour made ready: its faults by level, each with what makes it.
type plan struct {
	Behavior
	levels [levelCount][]armed
	plain  bool // answers at once, but for fail_first
}

// armed is a fault with the row of the table that it is of.
type armed struct {
	Fault
	kind
	index  uint8 // in its behaviour's list, which sets its random numbers apart
	number uint8 // of its kind, in the table
}

func newPlan(b Behavior) *plan {
	p := &plan{Behavior: b, plain: len(b.Faults) == 0 && len(b.Require) == 0 && b.Latency.IsZero() && b.Life.IsZero() && b.Network.IsZero()}
	if len(b.Faults) == 0 {
		return p
	}
	table := kinds()
	for i, f := range b.Faults {
		number := kindIndex(table, f.Kind)
		if number < 0 {
			continue // Validate has seen to it
		}
		k := table[number]
		at := k.level
		if at == levelAnswer && f.On == onVersion {
			at = levelVersionAnswer
		}
		p.levels[at] = append(p.levels[at], armed{Fault: f.withDefaults(k), kind: k, index: uint8(i), number: uint8(number)})
	}
	return p
}

func (p *plan) has(at level) bool { return len(p.levels[at]) > 0 }

// strike is a fault that strikes one attempt of one device; without a fault, it is none.
type strike struct {
	*armed
	seed    uint64
	device  int
	attempt uint32
}

func (s strike) none() bool { return s.armed == nil }

// choose is the first fault on a level that strikes the attempt-th attempt of a device.
func (s *store) choose(p *plan, at level, device int, attempt uint32, w *workspace) strike {
	for i := range p.levels[at] {
		a := &p.levels[at][i]
		st := strike{armed: a, seed: s.seed, device: device, attempt: attempt}
		if a.First > 0 && attempt > uint32(a.First) || !st.shares() {
			continue
		}
		if a.door != nil && s.doors || a.strikes != nil && !a.strikes(w, st) { // the port has seen to it, or it isn't to
			continue
		}
		return st
	}
	return strike{}
}

// shares tells whether the device is one of those that the fault strikes at all.
func (s strike) shares() bool {
	if s.Share == 0 || s.Share == 1 {
		return true
	}
	return draw(s.seed, s.device, 0, s.purpose(choiceShare)) < float64(s.Share)
}

// choice is what is random about a fault.
type choice uint8

const (
	choiceShare choice = iota
	choiceDelay
	choiceAfter
	choiceRate
	choiceCount
)

func (s strike) purpose(c choice) purpose {
	return purposeFault + purpose(s.index)*purpose(choiceCount) + purpose(c)
}

func (s strike) delay() time.Duration {
	return s.Delay.Sample(draw(s.seed, s.device, s.attempt, s.purpose(choiceDelay)))
}

// delayOr is the delay, or otherwise where the fault has none.
func (s strike) delayOr(otherwise time.Duration) time.Duration {
	if d := s.delay(); d > 0 {
		return d
	}
	return otherwise
}

func (s strike) afterBytes() int64 {
	return s.AfterBytes.Sample(draw(s.seed, s.device, s.attempt, s.purpose(choiceAfter)))
}

// rate is in bytes a second, at least 1.
func (s strike) rate() int64 {
	return min(max(1, s.Rate.Sample(draw(s.seed, s.device, s.attempt, s.purpose(choiceRate)))), math.MaxInt32)
}

// strikes are the faults that strike one update.
type strikes struct{ upload, content, life, answer strike }

func (s *strikes) fate() fate {
	if s.answer.none() {
		return fateUsual
	}
	return s.answer.kind.fate
}

func (s *store) strikesOn(p *plan, device int, attempt uint32, w *workspace) strikes {
	of := func(at level) strike { return s.choose(p, at, device, attempt, w) }
	return strikes{upload: of(levelUpload), content: of(levelContent), life: of(levelLife), answer: of(levelAnswer)}
}
