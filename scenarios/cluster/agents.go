package cluster

import (
	"fmt"
	"time"

	"github.com/fleetmark/fleetmark/internal/plaintext"
	"github.com/fleetmark/fleetmark/results"
	"github.com/fleetmark/fleetmark/scenarios/health"
	"github.com/fleetmark/fleetmark/scenarios/runner"
)

// addSkew notes how far apart the agents began a repetition. Beyond the scenario's bound, the run
// is invalid.
func (r *session) addSkew(rep runner.Repetition, start int64) {
	var first, last *member
	within := int64(0)
	for _, m := range r.drivers {
		if first == nil || m.began < first.began {
			first = m
		}
		if last == nil || m.began > last.began {
			last = m
		}
		within = max(within, m.within)
		m.late = max(m.late, time.Duration(m.began-start))
	}
	skew := last.began - first.began
	a := &r.agents
	a.Starts = append(a.Starts, results.StartSkew{Phase: string(rep.Phase), Repetition: rep.Number, SkewNS: skew})
	a.SkewNS, a.SkewErrorNS = max(a.SkewNS, skew), max(a.SkewErrorNS, 2*within)
	if most := r.spec.Load.MaxSkewTime(); time.Duration(skew) > most {
		r.merging.Invalidate(health.Finding{Kind: health.StartSkew, Detail: fmt.Sprintf(
			"agent %s began %v %v after agent %s: want %v at most",
			last.Name, keyOf(rep), time.Duration(skew).Round(10*time.Microsecond), first.Name, most)})
	}
}

// describeAgents returns what the agents did.
func (r *session) describeAgents() *results.Agents {
	a, sum := r.agents, newHistogramSum(r.shape.Longest)
	a.Count, a.LeaseNS, a.MaxSkewNS = len(r.drivers), int64(r.c.Lease), int64(r.spec.Load.MaxSkewTime())
	for _, m := range r.members {
		of := results.Agent{
			Name: m.Name, Index: m.index, Host: m.Host, Revision: m.Revision, Role: m.Role, CPUs: m.Machine.Cores,
			Machine: m.Machine.Identity, StartLateNS: int64(m.late), Status: results.AgentFinished,
		}
		if has := m.state.Ready; has != nil {
			of.Directory, of.ClockOffsetNS, of.ClockErrorNS, of.Devices = has.Run, -has.Offset, has.Error, has.Devices
		}
		switch {
		case m.lost != nil && m.lost.Why == "":
			of.Status = results.AgentLost
			of.Lost = &results.AgentLoss{
				Phase: m.lost.phase, Repetition: m.lost.repetition, Time: m.lost.at.UTC(), SilentNS: int64(m.lost.After),
			}
		case m.lost != nil:
			of.Status, of.Problem = results.AgentFailed, m.lost.Why
		case m.Role.Drives() && m.state.Status != string(results.StatusFinished):
			of.Status = results.AgentStopped
			if r.stopped != "" {
				of.Problem = r.stopped
			}
		}
		if m.Role.Drives() {
			m.figures.addTo(&of, sum)
		}
		a.List = append(a.List, of)
	}
	return &a
}

// What is noted of agents' facts: so many different ones of an agent and of all, each of so many
// bytes.
const (
	maxFacts      = 16
	maxFactsOfAll = 16
	maxFact       = 300
)

// factNotes returns what the agents say is unfit about their machines, for readers of the run. What
// several agents say is noted once.
func factNotes(members []*member) (notes []string) {
	var facts []string
	by := map[string][]Info{}
	for _, m := range members {
		for _, f := range m.Facts[:min(len(m.Facts), maxFacts)] {
			f = plaintext.Line(f[:min(len(f), maxFact)])
			if by[f] == nil {
				facts = append(facts, f)
			}
			by[f] = append(by[f], m.Info)
		}
	}
	for _, f := range facts[:min(len(facts), maxFactsOfAll)] {
		who := "agent "
		if len(by[f]) > 1 {
			who = "agents "
		}
		notes = append(notes, who+nameList(by[f])+": "+f)
	}
	if more := len(facts) - maxFactsOfAll; more > 0 {
		notes = append(notes, fmt.Sprintf("%s more about the agents' machines: see `fleetmark doctor` there",
			plaintext.Count(more, "finding")))
	}
	return notes
}
