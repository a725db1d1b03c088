// Package agents says what the agents of a merged run did.
//
// Its input is [results.Agents], its output is a [Section]: sentences, which name the agents that
// are off or lost, and a table with a row for each agent, bounded whatever was measured. The forms
// of a report show both, and package htmlpage draws the rows too.
//
// The package doesn't know the forms, and it decides nothing: [results.Agents.Off] has the rule.
package agents

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/fleetmark/fleetmark/internal/plaintext"
	"github.com/fleetmark/fleetmark/internal/texttable"
	"github.com/fleetmark/fleetmark/results"
)

// Title is the title of the section.
const Title = "What each agent did"

// MaxRows is how many agents a table shows if nothing allows more.
const MaxRows = 20

// maxNamed is how many agents sentences name that are off, and how many that are lost.
const maxNamed = 5

// A Section says what the agents of a run did.
type Section struct {
	Sentences []string // the most important first, with their full stops; at least one
	Columns   []Column
	Rows      []Row
}

// A Column is a column of the table. Every row has a cell for each.
type Column struct {
	Name   string
	Number bool
	Rank   int // if there is no room, columns with a higher rank go first; 0 stays
}

// A Row is one agent.
type Row struct {
	Agent results.Agent
	Cells []Cell
	Off   map[results.AgentMeasure]float64 // the others' median of each measure in which the agent is off
}

// A Cell is a cell of the table. Bad says that it is why its agent is off, or lost.
type Cell struct {
	Text string
	Bad  bool
}

// New returns the section about a run's agents, with at most most rows; 0 means all. It returns nil
// if the run has no agents.
func New(a *results.Agents, most int) *Section {
	if a == nil || len(a.List) == 0 {
		return nil
	}
	off := a.Off()
	s := &Section{Sentences: sentences(a, off)}
	reasons := make(map[string]map[results.AgentMeasure]float64, len(off))
	for _, o := range off {
		reasons[o.Name] = map[results.AgentMeasure]float64{}
		for _, r := range o.Reasons {
			reasons[o.Name][r.Measure] = r.Others
		}
	}
	columns := columnsOf(a.List)
	for _, c := range columns {
		s.Columns = append(s.Columns, c.Column)
	}
	for _, i := range selected(a.List, reasons, most) {
		row := Row{Agent: a.List[i], Off: reasons[a.List[i].Name]}
		for _, c := range columns {
			_, isOff := row.Off[c.measure]
			text, bad := c.cell(&row.Agent)
			row.Cells = append(row.Cells, Cell{Text: text, Bad: bad || isOff})
		}
		s.Rows = append(s.Rows, row)
	}
	if n := len(a.List) - len(s.Rows); n > 0 {
		s.Sentences = append(s.Sentences, fmt.Sprintf("%s of %s agents are left out: the table has those that are off or lost, and the extremes; "+
			"run.json has all.", plaintext.Thousands(n), plaintext.Thousands(len(a.List))))
	}
	return s
}

// sentences returns who is off or lost, and how the agents began.
func sentences(a *results.Agents, off []results.AgentOff) (list []string) {
	say := func(format string, args ...any) { list = append(list, fmt.Sprintf(format, args...)) }
	for i, o := range off {
		if i == maxNamed {
			say("%s off too.", are(len(off)-i))
			break
		}
		say("%s.", upperFirst(o.String()))
	}
	ended, stopped := 0, []results.Agent(nil)
	for _, agent := range a.List {
		how := ending(agent)
		if agent.Status == results.AgentStopped {
			stopped = append(stopped, agent)
		}
		if how == "" {
			continue
		}
		if ended++; ended <= maxNamed {
			say("Agent %s %s.", plaintext.Line(agent.Name), how)
		}
	}
	if ended > maxNamed {
		say("%s lost or failed too.", more(ended-maxNamed))
	}
	if len(stopped) > 0 { // usually because of one that was lost
		say("%s stopped early%s.", were(len(stopped), "agent"), why(stopped[0]))
	}
	if n := a.Count - driving(a.List); n > 0 {
		say("The plan has %s, and %s never ready.", plaintext.Count(a.Count, "agent"), were(n, "agent"))
	}
	if len(list) == 0 && len(a.List) > 1 {
		say("No agent is off from the others.")
	}
	if s := skew(a); s != "" {
		say("%s", s)
	}
	if a.OneMachine() {
		say("All agents ran on one machine and shared its processors, so that their times say nothing about several machines.")
	}
	if len(list) == 0 {
		say("The run had one agent.")
	}
	return list
}

// Table returns the table as text. escape is applied to every text, and emphasize then to cells
// that are bad.
func (s *Section) Table(escape, emphasize func(string) string) texttable.Table {
	var t texttable.Table
	for i, c := range s.Columns {
		fold, align := texttable.Fold{Rank: c.Rank}, "l"
		if i == 0 {
			fold.Cut = 1
		}
		if c.Number {
			align = "r"
		}
		t.Header, t.Fold, t.Align = append(t.Header, escape(c.Name)), append(t.Fold, fold), t.Align+align
	}
	for _, row := range s.Rows {
		var cells []string
		for _, c := range row.Cells {
			text := escape(c.Text)
			if c.Bad {
				text = emphasize(text)
			}
			cells = append(cells, text)
		}
		t.Rows = append(t.Rows, cells)
	}
	return t
}

// more returns the subject and the verb of a sentence about n more agents: "2 more agents were".
func more(n int) string { return were(n, "more agent") }

// are returns the subject and the verb of a sentence about n more agents: "2 more agents are".
func are(n int) string {
	if n == 1 {
		return "1 more agent is"
	}
	return plaintext.Count(n, "more agent") + " are"
}

// were returns a number of things and a verb: "1 agent was", "3 agents were".
func were(n int, noun string) string {
	verb := " were"
	if n == 1 {
		verb = " was"
	}
	return plaintext.Count(n, noun) + verb
}

// driving returns how many shards have an agent that drives them.
func driving(list []results.Agent) int {
	shards := map[int]bool{}
	for _, agent := range list {
		if agent.Role.Drives() {
			shards[agent.Index] = true
		}
	}
	return len(shards)
}

// ending returns how an agent was lost or failed: "was lost in timed repetition 2 …". It returns ""
// for any other.
func ending(a results.Agent) string {
	switch {
	case a.Status == results.AgentLost && a.Lost != nil:
		return "was " + a.Lost.String()
	case a.Status == results.AgentLost:
		return "was lost" + why(a)
	case a.Status == results.AgentFailed:
		return "failed" + why(a)
	}
	return ""
}

// why returns the agent's problem as the end of a sentence, without a full stop, or "" if it has
// none.
func why(a results.Agent) string {
	if problem := strings.TrimSuffix(plaintext.Line(a.Problem), "."); problem != "" {
		return ": " + problem
	}
	return ""
}

// skew returns a sentence about how far apart the agents began, or "" if that isn't known.
func skew(a *results.Agents) string {
	if len(a.Starts) == 0 || len(a.List) < 2 {
		return ""
	}
	of := ""
	if len(a.Starts) > 1 {
		worst := slices.MaxFunc(a.Starts, func(x, y results.StartSkew) int { return int(x.SkewNS - y.SkewNS) })
		of = fmt.Sprintf(", in the worst of %d repetitions (%s %d)", len(a.Starts), plaintext.Line(worst.Phase), worst.Repetition)
	}
	text := fmt.Sprintf("The agents began within %s of each other%s; their clocks are known to %s",
		duration(a.SkewNS), of, duration(a.SkewErrorNS))
	if a.MaxSkewNS > 0 && a.SkewNS > a.MaxSkewNS {
		text += ", and " + duration(a.MaxSkewNS) + " is allowed"
	}
	return text + "."
}

func upperFirst(s string) string { return strings.ToUpper(s[:1]) + s[1:] }

func duration(ns int64) string { return results.Duration.Format(float64(ns)) }

// silence returns how long a lost agent had been silent.
func silence(l *results.AgentLoss) string {
	return time.Duration(l.SilentNS).Round(10 * time.Millisecond).String()
}
