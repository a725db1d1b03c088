package load

import (
	"sync"
	"time"

	"github.com/fleetmark/fleetmark/delivery"
)

// A tally adds up what the recorders noted: of the interval that goes on, of all intervals before
// it, of each group of devices and of each wave of a rollout.
type tally struct {
	mu  sync.Mutex    // locked after a recorder's
	end time.Duration // when the interval ends; the constant never if the load has no intervals

	plan time.Duration // the length of the load's plan; the constant never if it has no plan, or no intervals
	late int64         // operations that succeeded in the interval, after the plan's end

	now    []*Latencies // of the interval that goes on, by operation in the order of operations
	before []*Latencies // of earlier intervals
	sent   *Lateness    // of the whole load; nil without a plan

	groups  [][]*Latencies // by group and operation; nil if groups aren't counted
	groupOf []uint8        // of each device; nil without groups
	waves   [][]*Latencies // by wave and operation
	config  RecordingConfig
}

func newTally(c RecordingConfig) *tally {
	t := &tally{end: never, plan: never, config: c, now: c.newLatencies(), before: c.newLatencies()}
	if c.Planned {
		t.sent = NewLateness(c.Longest)
	}
	if len(c.Groups) > 0 {
		t.groupOf = make([]uint8, c.Devices)
		for i := range t.groupOf {
			t.groupOf[i] = uint8(c.GroupOf(i))
		}
		for range c.Groups {
			t.groups = append(t.groups, c.newLatencies())
		}
	}
	for range c.Waves {
		t.waves = append(t.waves, c.newLatencies())
	}
	return t
}

// newLatencies returns empty latencies for each operation.
func (c RecordingConfig) newLatencies() []*Latencies {
	var list []*Latencies
	for range operations(c.Op) {
		list = append(list, NewLatencies(c.Planned, c.Longest))
	}
	return list
}

func (t *tally) reset() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.end, t.plan, t.late = never, never, 0
	if t.sent != nil {
		t.sent.reset()
	}
	resetAll(t.now)
	resetAll(t.before)
	for _, list := range t.groups {
		resetAll(list)
	}
	for _, list := range t.waves {
		resetAll(list)
	}
}

func resetAll(list []*Latencies) {
	for _, l := range list {
		l.Reset()
	}
}

// add adds a note. The caller holds t.mu.
func (t *tally) add(n *note) {
	if n.kind != succeeded {
		t.sent.Add(n.planned, n.at, n.kind == sentQueued)
		return
	}
	addSuccess(t.now, n)
	if n.at > t.plan {
		t.late++
	}
	if t.groups != nil {
		addSuccess(t.groups[t.groupOf[n.device]], n)
	}
	if i := int(n.wave) - 1; i >= 0 && i < len(t.waves) {
		addSuccess(t.waves[i], n)
	}
}

// addSuccess adds the times of a success to the latencies of its operations.
func addSuccess(list []*Latencies, n *note) {
	if len(list) > 1 {
		if n.push > 0 { // some clients don't time the parts of a delivery
			list[0].Add(n.response-n.service+n.push, n.push)
		}
		if n.verify > 0 {
			list[1].Add(n.verify, n.verify)
		}
	}
	list[len(list)-1].Add(n.response, n.service)
}

// startIntervals sets when the first interval ends, and how long the plan is; 0 without a plan.
func (t *tally) startIntervals(end, plan time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.end = end
	if plan > 0 {
		t.plan = plan
	}
}

// nextInterval ends the interval that goes on, and begins one that ends at end. It puts spare,
// which must be empty, in the place of the interval's latencies, and returns those, and how many
// operations of the interval succeeded after the plan's end.
func (t *tally) nextInterval(end time.Duration, spare []*Latencies) (ended []*Latencies, late int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	ended, late = t.now, t.late
	t.now, t.end, t.late = spare, end, 0
	return ended, late
}

// endedInterval adds the latencies of an interval that has ended to those before it.
func (t *tally) endedInterval(ended []*Latencies) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for i, l := range ended {
		t.before[i].Merge(l)
	}
}

// whole returns the latencies of the load by operation, and its lateness.
func (t *tally) whole() (map[delivery.Op]*Latencies, *Lateness) {
	t.mu.Lock()
	defer t.mu.Unlock()
	sum := map[delivery.Op]*Latencies{}
	for i, op := range operations(t.config.Op) {
		sum[op] = NewLatencies(t.config.Planned, t.config.Longest)
		sum[op].Merge(t.before[i])
		sum[op].Merge(t.now[i])
	}
	if t.sent == nil {
		return sum, nil
	}
	late := NewLateness(t.config.Longest)
	late.Merge(t.sent)
	return sum, late
}

// A Part is what was recorded of a group of devices, or of a wave of a rollout.
type Part struct {
	Name      string                     // of the group; empty for a wave
	Latencies map[delivery.Op]*Latencies // of each operation
	Succeeded int64                      // operations of the load that succeeded
	Failed    int64                      // operations of the load that failed
	Classes   map[string]int64           // failures by class; nil if none failed

	// Retries and BrokenOff are counted only for groups. They are 0 for a wave.
	Retries, BrokenOff int64
}

// parts returns what was recorded of each group and of each wave, without failures.
func (t *tally) parts() (groups, waves []Part) {
	t.mu.Lock()
	defer t.mu.Unlock()
	part := func(name string, list []*Latencies) Part {
		p := Part{Name: name, Latencies: map[delivery.Op]*Latencies{}, Succeeded: list[len(list)-1].Count}
		for i, op := range operations(t.config.Op) {
			p.Latencies[op] = list[i]
		}
		return p
	}
	for g, list := range t.groups {
		groups = append(groups, part(t.config.Groups[g], list))
	}
	for _, list := range t.waves {
		waves = append(waves, part("", list))
	}
	return groups, waves
}
