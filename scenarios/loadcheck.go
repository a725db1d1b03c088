package scenarios

import (
	"cmp"
	"reflect"
	"slices"
	"strings"
	"time"
)

// maxStages bounds a load of model stages.
const maxStages = 64

// checkModel reports what the load's model lacks, and what it has no use for.
func (l LoadSpec) checkModel(bad func(field, format string, args ...any), within func(string, int, int, int)) {
	if !l.checkUnused(bad) {
		return
	}
	model := string(l.Model)
	wantRate := func() {
		if l.Rate <= 0 {
			bad("load.rate", "%s: the %s model wants a rate such as 100/s", l.Rate, model)
		}
	}
	wantDuration := func() {
		if l.Duration == 0 {
			bad("load.duration", "0s: the %s model wants to know how long, such as 30s", model)
		}
	}
	switch l.Model {
	case Once:
		if l.Duration != 0 {
			bad("load.duration", "%s: the once model ends when every device had the operation; want model: closed, or no duration", l.Duration)
		}
	case Constant, Poisson:
		wantRate()
	case Ramped:
		wantDuration()
		if l.Rate+l.Ramp.To <= 0 {
			bad("load.ramp", "from %s to %s: want a rate above 0/s at one end", l.Rate, l.Ramp.To)
		}
	case Spiked:
		wantRate()
		wantDuration()
		l.Spike.check(bad, l.Duration)
	case Bursts:
		within("load.burst.size", l.Burst.Size, 1, maxBurst)
		if l.Burst.Every == 0 && l.Duration == 0 {
			return // one burst, which may be as large as the fleet
		}
		if l.Burst.Every == 0 && l.Duration > 0 {
			bad("load.burst.every", "0s: there would be one burst; want a time between two, or no duration")
		}
	case Staged:
		l.checkStages(bad)
	case Rolling:
		if l.Operation != Deliver {
			bad("load.operation", "%s: a rollout delivers; leave it out", l.Operation)
		}
		if l.Duration != 0 {
			bad("load.duration", "%s: a rollout ends when it is through; leave it out", l.Duration)
		}
		l.Rollout.check(bad, within)
		if l.Rate > mostBegun {
			bad("load.rate", "%s: want %s at most, or none for no limit", l.Rate, Rate(mostBegun))
		}
	case Breaking:
		wantRate()
		l.Breakpoint.check(bad, l.Rate)
		if l.Duration != 0 {
			bad("load.duration", "%s: a search ends when it has found what it searches; want breakpoint.probe instead", l.Duration)
		}
	}
}

// maxBurst bounds a burst: as many devices as there can be.
const maxBurst = 1 << 24

func (s Spike) check(bad func(field, format string, args ...any), duration Duration) {
	if s.For == 0 {
		bad("load.spike.for", "0s: want how long the spike lasts, such as 5s")
	}
	if duration > 0 && s.At+s.For > duration {
		bad("load.spike", "it begins at %s and lasts %s: want an end within load.duration, %s", s.At, s.For, duration)
	}
}

func (l LoadSpec) checkStages(bad func(field, format string, args ...any)) {
	if n := len(l.Stages); n == 0 || n > maxStages {
		bad("load.stages", "%d of them: want 1 to %d, such as [{rate: 100/s, for: 10s}]", n, maxStages)
		return
	}
	if l.Duration != 0 {
		bad("load.duration", "%s: the stages say how long; leave it out", l.Duration)
	}
	any := false
	for i, s := range l.Stages {
		if s.For <= 0 {
			bad(indexed("load.stages", i)+".for", "%s: want how long the stage lasts, such as 10s", s.For)
		}
		any = any || s.Rate > 0 || s.To != nil && *s.To > 0
	}
	if !any {
		bad("load.stages", "no stage has a rate above 0/s")
	}
}

// What a search may be asked for.
const (
	MinTrialDuration = Duration(100 * time.Millisecond)
	leastProbed      = 20 // operations
	mostPrecise      = 0.001
	leastPrecise     = 0.5
	defaultProbe     = Duration(3 * time.Second)
	defaultPrecise   = 0.05
)

func (b Breakpoint) check(bad func(field, format string, args ...any), from Rate) {
	if b.To <= from {
		bad("load.breakpoint.to", "%s: want the highest rate to try, above load.rate, %s", b.To, from)
	}
	if probe := b.WithDefaults().Probe; from > 0 && float64(from)*probe.Std().Seconds() < leastProbed {
		bad("load.breakpoint.probe", "%s at %s are %.3g operations: want %d at least, so longer, or a higher load.rate", probe, from, float64(from)*probe.Std().Seconds(), leastProbed)
	}
	if b.Probe != 0 && b.Probe < MinTrialDuration {
		bad("load.breakpoint.probe", "%s: want %s or longer, or 0s for %s", b.Probe, MinTrialDuration, defaultProbe)
	}
	if b.Within != 0 && (b.Within < mostPrecise || b.Within > leastPrecise) {
		bad("load.breakpoint.within", "%v: want %v to %v, or 0 for %v", float64(b.Within), mostPrecise, leastPrecise, defaultPrecise)
	}
}

// A modelField is a field of a load that not every model has a use for.
type modelField struct {
	field string // load.rate
	set   bool
	used  bool
	of    string // the models that have a use for it
	value string // in front of what is wrong with it
}

// modelFields are those of the load, for its model.
func (l LoadSpec) modelFields() []modelField {
	shaped := l.Model == Ramped || l.Model == Spiked || l.Model == Staged
	return []modelField{
		{"load.rate", l.Rate != 0, (l.IsOpen() || l.Model == Rolling) && l.Model != Bursts && l.Model != Staged, "constant, poisson, ramp, spike, breakpoint and rollout", l.Rate.String() + ": "},
		{"load.drain", l.Drain != 0, l.modelDrains(), "closed, constant, poisson, ramp, stages, spike, burst and breakpoint", l.Drain.String() + ": "},
		{"load.think", !l.Think.IsZero(), l.Model == Closed || l.Model == Once, "closed and once", l.Think.String() + ": "},
		{"load.arrivals", l.Arrivals != "", shaped, "ramp, spike and stages", string(l.Arrivals) + ": "},
		{"load.ramp", l.Ramp != Ramp{}, l.Model == Ramped, "ramp", ""},
		{"load.spike", l.Spike != Spike{}, l.Model == Spiked, "spike", ""},
		{"load.burst", l.Burst != Burst{}, l.Model == Bursts, "burst", ""},
		{"load.rollout", !l.Rollout.IsZero(), l.Model == Rolling, "rollout", ""},
		{"load.stages", len(l.Stages) > 0, l.Model == Staged, "stages", ""},
		{"load.breakpoint", l.Breakpoint != Breakpoint{}, l.Model == Breaking, "breakpoint", ""},
	}
}

// endsByItself reports whether the model has no use for a duration. That is told apart, for
// there is something to be said instead.
func (l LoadSpec) endsByItself() bool {
	return l.Model == Once || l.Model == Staged || l.Model == Breaking || l.Model == Rolling
}

// modelDrains reports whether a load of the model may have a plan with an end.
func (l LoadSpec) modelDrains() bool { return l.Model != Once && l.Model != Rolling }

// maxDrain bounds a load's drain.
const maxDrain = Duration(24 * time.Hour)

// For is the load without what it would be a mistake to have in a load of model m; its own model stays.
func (l LoadSpec) For(m Model) LoadSpec {
	of := l
	of.Model = m
	if !of.known() {
		return l
	}
	if of.endsByItself() {
		l.Duration = 0
	}
	for _, f := range of.modelFields() {
		if !f.used {
			v, _ := memberOf(reflect.ValueOf(&l).Elem(), strings.TrimPrefix(f.field, "load."))
			v.SetZero()
		}
	}
	if of.Workers == 0 && !of.IsOpen() { // as many as it takes is a number of the open models'
		l.Workers = closedWorkers
	}
	return l
}

// checkUnused reports fields that the model has no use for, rather than leave one out of account; false is that
// there is no such model.
func (l LoadSpec) checkUnused(bad func(field, format string, args ...any)) bool {
	for _, f := range l.modelFields() {
		if f.set && !f.used && l.known() {
			bad(f.field, "%sthe %s model has no use for it; it is for %s", f.value, string(l.Model), f.of)
		}
	}
	switch l.Arrivals {
	case "", Even, Independently:
	default:
		bad("load.arrivals", "%q: want even or poisson", string(l.Arrivals))
	}
	if !l.known() {
		bad("load.model", "%q: want %s", string(l.Model), modelForms)
		return false
	}
	return true
}

func (l LoadSpec) known() bool { return slices.Contains(models(), l.Model) }

func models() []Model {
	return []Model{Closed, Once, Constant, Poisson, Ramped, Staged, Spiked, Bursts, Breaking, Rolling}
}

func (b Breakpoint) WithDefaults() Breakpoint {
	b.Probe, b.Within = cmp.Or(b.Probe, defaultProbe), cmp.Or(b.Within, defaultPrecise)
	return b
}
