package htmlpage

import (
	"fmt"
	"strings"

	"github.com/fleetmark/fleetmark/internal/plaintext"
	"github.com/fleetmark/fleetmark/results"
	"github.com/fleetmark/fleetmark/results/report/agents"
	"github.com/fleetmark/fleetmark/results/report/internal/svgplot"
)

// maxAgents is how many agents the folded table has.
const maxAgents = 500

// agents shows what each agent of a merged run did: who is off, their rates and times as bars, and
// a table. If that leaves agents out, a folded table has them too.
func (b *builder) agents() section {
	shown := b.Agents(agents.MaxRows)
	if shown == nil {
		return section{}
	}
	s := section{ID: "agents", Title: agents.Title, Table: b.agentTable(shown)}
	for _, sentence := range shown.Sentences {
		s.Lead = append(s.Lead, b.sentence(sentence))
	}
	var driving []agents.Row
	for _, row := range shown.Rows {
		if row.Agent.Role.Drives() {
			driving = append(driving, row)
		}
	}
	if len(driving) > 1 {
		s.Figures = []figure{
			b.agentBars("agents-rate", "Rate", results.MeasureRate, driving, plaintext.PerSecond,
				func(a results.Agent) float64 { return a.Rate }),
			b.agentBars("agents-p99", "Response time, p99", results.MeasureP99, driving, results.Duration.Format,
				func(a results.Agent) float64 { return float64(a.P99NS) }),
		}
	}
	if all := len(b.Run.Agents.List); all > len(shown.Rows) {
		rows := min(maxAgents, all, b.limits.Rows*5/4) // of tighter limits, fewer
		name := fmt.Sprintf("All %s agents", plaintext.Thousands(all))
		if rows < all {
			name = fmt.Sprintf("%s of %s agents", plaintext.Thousands(rows), plaintext.Thousands(all))
		}
		folded := b.Agents(0)
		folded.Rows = folded.Rows[:rows]
		s.Tables = []foldedTable{{Summary: name, Table: b.agentTable(folded)}}
	}
	return s
}

func (b *builder) agentTable(s *agents.Section) *table {
	t := &table{Label: agents.Title}
	class := func(i int) string {
		if s.Columns[i].Number {
			return "n"
		}
		return ""
	}
	for i, c := range s.Columns {
		t.Header = append(t.Header, cell{Text: c.Name, Class: class(i)})
	}
	for _, row := range s.Rows {
		var cells []cell
		for i, c := range row.Cells {
			out := cell{Text: b.clip(c.Text), Class: class(i), Head: i == 0}
			if c.Bad {
				out.Text = badMark + out.Text
				out.Class = strings.TrimSpace(string(results.Regressed) + " " + out.Class)
			}
			cells = append(cells, out)
		}
		t.Rows = append(t.Rows, cells)
	}
	return t
}

// badMark marks what is off or lost without color.
const badMark = "✗ "

// Sizes of a drawing of bars, in pixels.
const (
	agentRow   = 34 // of an agent: a line of text, and its bar below
	agentText  = 13 // where the text stands
	agentBar   = 18 // where the bar begins
	agentBelow = 27 // where it ends
	agentMark  = 4  // how far the mark is longer than the bar
)

// agentBars draws a figure of each agent as a bar, with the others' median as a mark on the bar of
// an agent that is off. The bars fill the width of the page, and their text keeps its size.
func (b *builder) agentBars(id, title string, m results.AgentMeasure, rows []agents.Row,
	format func(float64) string, value func(a results.Agent) float64) figure {
	largest, marked := 0.0, false
	for _, row := range rows {
		largest = max(largest, value(row.Agent))
		if others, off := row.Off[m]; off {
			largest, marked = max(largest, others), true
		}
	}
	w := &svgplot.Wide{Height: float64(agentRow * len(rows))}
	at := func(v float64) float64 {
		if largest <= 0 {
			return 0
		}
		return svgplot.WideUnits * v / largest
	}
	words := make([]string, len(rows))
	for i, row := range rows {
		top, v := float64(agentRow*i), value(row.Agent)
		others, off := row.Off[m]
		class, name := "agent", plaintext.Clip(plaintext.Line(row.Agent.Name), 24)
		words[i] = name + " " + format(v)
		if row.Agent.Status == results.AgentLost || row.Agent.Status == results.AgentFailed {
			name += ", " + string(row.Agent.Status)
		}
		if off {
			class, name = "agent off", badMark+name
			words[i] += ", off: the others " + format(others)
		}
		w.Bar(class, 0, at(v), top+agentBar, top+agentBelow)
		if off {
			w.Bar("others", at(others)-agentMark, at(others)+agentMark, top+agentBar-agentMark, top+agentBelow+agentMark)
		}
		w.Label(class, 0, top+agentText, "start", name)
		w.Label(class, svgplot.WideUnits, top+agentText, "end", format(v))
	}
	f := figure{Title: title, SVG: w.Plot(id, title+" of each agent", strings.Join(words, "; ")+".")}
	if marked {
		f.Aside = "the mark is the others' median"
	}
	return f
}
