package cluster

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/fleetmark/fleetmark/scenarios"
	"github.com/fleetmark/fleetmark/scenarios/runner"
)

// viewInterval is the time between two reports to the run's Observer.
const viewInterval = 200 * time.Millisecond

// A wait is what the run waits for: that each of some agents has done something, or if there are no
// members, something else.
type wait struct {
	rep     runner.Repetition // that runs, comes next, or was the last
	stage   runner.Stage
	members []*member
	arrived func(*member) bool
	since   time.Time
	shown   bool // the Observer was told of it
}

// awaitAll waits until all of the members have arrived, as await does, and meanwhile tells the
// Observer how the run goes.
func (r *session) awaitAll(
	ctx context.Context, rep runner.Repetition, stage runner.Stage, members []*member, arrived func(*member) bool,
) error {
	all, shown := r.waitFor(rep, stage, members, arrived)
	defer shown()
	return r.await(ctx, all)
}

// waitFor has the Observer told how the run goes until shown is called. all reports whether all of
// the members have arrived.
func (r *session) waitFor(
	rep runner.Repetition, stage runner.Stage, members []*member, arrived func(*member) bool,
) (all func() bool, shown func()) {
	r.waiting = wait{rep: rep, stage: stage, members: members, arrived: arrived, since: time.Now()}
	all = func() bool {
		return !slices.ContainsFunc(members, func(m *member) bool { return !arrived(m) })
	}
	return all, func() {
		if r.waiting.shown {
			r.observer.Doing(rep, runner.Activity{})
		}
		r.waiting = wait{}
	}
}

// show tells the Observer how the run goes.
func (r *session) show(now time.Time) {
	w := &r.waiting
	if r.observer == nil || w.stage == "" {
		return
	}
	agents := agentsStatus(r.members, now, r.c.Lease)
	if r.merging != nil && r.merging.Report(now, agents) {
		w.since = now // when the load has ended
		return
	}
	w.shown = true
	r.observer.Doing(w.rep, w.activity(agents, now))
}

// activity says how many agents are waited for, and for which one.
func (w *wait) activity(agents runner.AgentsStatus, now time.Time) runner.Activity {
	a := runner.Activity{Stage: w.stage, Of: len(w.members), Agents: agents, Elapsed: now.Sub(w.since)}
	var slowest *member
	for _, m := range w.members {
		switch {
		case w.arrived(m):
			a.Done++
		case slowest == nil || m.Name == agents.Silent:
			slowest = m
		}
	}
	if slowest == nil {
		return a
	}
	s := slowest.state
	if stage := runner.Stage(s.Activity); stage == runner.Releasing || stage == runner.Profiles || stage == runner.Reconciling {
		a.Stage = stage // which comes after the load, as what is waited for does
	}
	if doing := slowest.doing(agents, a.Stage); doing != "" {
		a.WaitingFor = slowest.Name + ": " + doing
	}
	return a
}

// doing says what an agent does, unless that is the stage. It returns "" if nothing is known but
// that.
func (m *member) doing(agents runner.AgentsStatus, stage runner.Stage) string {
	s := m.state
	switch {
	case m.Name == agents.Silent:
		return fmt.Sprintf("silent for %v", agents.SilentFor.Truncate(100*time.Millisecond))
	case s.Activity != "" && s.ActivityOf > 0:
		return fmt.Sprintf("%s %d/%d", s.Activity, s.ActivityDone, s.ActivityOf)
	case s.Activity != string(stage):
		return s.Activity
	}
	return ""
}

// agentsStatus says how agents are that can be heard within a lease.
func agentsStatus(members []*member, now time.Time, lease time.Duration) runner.AgentsStatus {
	s := runner.AgentsStatus{Of: len(members)}
	for _, m := range members {
		silent := now.Sub(m.seen)
		switch {
		case m.gone == nil && silent <= lease/2:
			s.Alive++
		case m.gone == nil && silent > s.SilentFor:
			s.Silent, s.SilentFor = m.Name, silent
		}
	}
	return s
}

// joinView tells the Observer that agents are waited for before a run begins.
type joinView struct {
	observer runner.Observer // may be nil
	first    runner.Repetition
	since    time.Time
	shown    bool
}

func newJoinView(o runner.Options, spec scenarios.Spec) *joinView {
	v := &joinView{observer: o.Observer, since: time.Now()}
	for v.first = range runner.Repetitions(spec) {
		break
	}
	return v
}

// show says how many agents are there, of how many.
func (v *joinView) show(there, of int) {
	if v.observer == nil {
		return
	}
	v.shown = true
	v.observer.Doing(v.first, runner.Activity{
		Stage: runner.Joining, Done: there, Of: of, Elapsed: time.Since(v.since),
		Agents: runner.AgentsStatus{Of: max(there, of), Alive: there},
	})
}

// close says that no agents are waited for any more.
func (v *joinView) close() {
	if v.shown {
		v.observer.Doing(v.first, runner.Activity{})
	}
}

// doing tells the controller what is done outside a load.
func (j *job) doing(what string, done, of int) {
	j.update(func(s *agentState) { s.Activity, s.ActivityDone, s.ActivityOf = what, done, of })
}
